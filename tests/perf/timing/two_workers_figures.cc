#include "tests/perf/timing/two_workers_figures.h"

#include <fmt/format.h>

#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "two-workers-round ";

bool read(const std::string& printed, TwoWorkersRound& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 4) return false;
  r = {numbers[0], numbers[1], numbers[2], numbers[3], pairs_in(printed)};
  return !r.pairs.empty();
}

}  // namespace

std::string line_of(const TwoWorkersRound& r) {
  return fmt::format("{}{} {} {} {}\n{}", kLine, r.alone, r.first, r.second, r.not_forwarded,
                     line_of_pairs(r.pairs));
}

std::vector<Figure> two_workers_figures(const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<TwoWorkersRound>(printed, read);
  if (!rounds) return missing_figures(kTwoWorkersNames, "", rounds.error());
  std::vector<double> all;
  std::vector<std::vector<double>> pairs;
  double lost = 0;
  for (const TwoWorkersRound& r : *rounds) {
    all.push_back((r.first + r.second) / 1e6);
    pairs.push_back(r.pairs);
    lost += r.not_forwarded;
  }
  const TwoWorkersRound& last = rounds->back();
  std::vector<Figure> out = {Figure::of(kTwoWorkersNames[0], "Mpps", all, 0, false),
                             paired_figure(kTwoWorkersNames[1], "ratio", pairs, 0)};
  out[0].note = fmt::format(
      "both together, {:.2f} and {:.2f} in the last round; {:.0f} packets did not leave; reported, "
      "without a target",
      last.first / 1e6, last.second / 1e6, lost);
  out[1].note = fmt::format("by the first one alone, {:.2f} Mpps in the last round; {}; reported",
                            last.alone / 1e6, out[1].note);
  // Every packet is of an open flow.
  if (lost > 0) out[0].met = false;
  return out;
}

}  // namespace sallyport::bench
