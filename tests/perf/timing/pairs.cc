#include "tests/perf/timing/pairs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "policy/base/check.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "pairs ";

}  // namespace

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string line_of_pairs(const std::vector<double>& ratios) {
  return fmt::format("{}{}\n", kLine, fmt::join(ratios, " "));
}

std::vector<double> pairs_in(const std::string& printed) { return numbers_after(printed, kLine); }

double paired(const std::vector<double>& ratios, std::size_t phases) {
  double time = 0;
  for (std::size_t phase = 0; phase < phases; ++phase) {
    std::vector<double> alike;
    for (std::size_t i = phase; i < ratios.size(); i += phases) alike.push_back(ratios[i]);
    const double kept = median_of(std::move(alike));
    if (kept <= 0) return 0;
    time += 1 / kept;
  }
  return static_cast<double>(phases) / time;
}

Figure paired_figure(std::string name, std::string unit,
                     const std::vector<std::vector<double>>& rounds, double target,
                     std::size_t phases) {
  std::vector<double> values, all;
  for (const std::vector<double>& pairs : rounds) {
    values.push_back(paired(pairs, phases));
    all.insert(all.end(), pairs.begin(), pairs.end());
  }
  if (values.empty()) values.push_back(0);
  Figure out = Figure::of(std::move(name), std::move(unit), values, target, false);
  if (all.empty()) {
    out.met = false;
    return out;
  }
  std::ranges::sort(all);
  out.note = fmt::format("{} pairs of neighbours, half of them from {:.3f} to {:.3f}", all.size(),
                         all[all.size() / 4], all[all.size() * 3 / 4]);
  return out;
}

Peer paired_peer(std::string name, const std::vector<double>& ours,
                 const std::vector<double>& peers) {
  SALLYPORT_CHECK(!ours.empty() && ours.size() == peers.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i)
    ratios.push_back(peers[i] > 0 ? ours[i] / peers[i] : 0);
  return {std::move(name), median_of(peers), median_of(ratios)};
}

}  // namespace sallyport::bench
