#include "tests/perf/timing/idle_figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "idle-round ";

bool read(const std::string& printed, IdleRound& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 8) return false;
  r = {numbers[0], numbers[1], numbers[2], numbers[3],
       numbers[4], numbers[5], numbers[6], numbers[7]};
  return true;
}

std::vector<double> all(const std::vector<IdleRound>& rounds, double IdleRound::* value) {
  std::vector<double> out;
  for (const IdleRound& r : rounds) out.push_back(r.*value);
  return out;
}

Figure figure(const char* name, const char* unit, const std::vector<IdleRound>& rounds,
              double IdleRound::* value, double target) {
  return Figure::of(name, unit, all(rounds, value), target, target > 0);
}

// What the machine alone took in the same rounds.
void set_beside_bare(Figure& figure, const char* bare, const std::vector<IdleRound>& rounds,
                     double IdleRound::* ours, double IdleRound::* theirs) {
  figure.peers.push_back(paired_peer(bare, all(rounds, ours), all(rounds, theirs)));
  std::string each;
  for (const IdleRound& r : rounds)
    each += fmt::format("{}{:.0f} and {:.0f}", each.empty() ? "" : ", ", r.*ours, r.*theirs);
  figure.note += fmt::format("; by round, with {}: {} us", bare, each);
  if (figure.target == 0) return;
  const auto late =
      std::ranges::count_if(rounds, [&](const IdleRound& r) { return r.*theirs > figure.target; });
  if (late > 0)
    figure.note +=
        fmt::format("; {} alone is above the target in {} of {} rounds", bare, late, rounds.size());
}

}  // namespace

std::string line_of(const IdleRound& r) {
  return fmt::format("{}{} {} {} {} {} {} {} {}\n", kLine, r.cpu, r.turns, r.p50, r.p99, r.sent,
                     r.lost, r.bare_p50, r.bare_p99);
}

std::vector<Figure> idle_figures(const IdlePorts& ports, const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<IdleRound>(printed, read);
  if (!rounds) return missing_figures(ports.names, "", rounds.error());
  double sent = 0;
  double lost = 0;
  for (const IdleRound& r : *rounds) {
    sent += r.sent;
    lost += r.lost;
  }
  const std::string packets =
      fmt::format("{:.0f} packets in all, each after a pause; {:.0f} lost", sent, lost);
  std::vector<Figure> out = {
      figure(ports.names[0], "% of a core", *rounds, &IdleRound::cpu, ports.cpu),
      figure(ports.names[1], "us", *rounds, &IdleRound::p50, 0),
      figure(ports.names[2], "us", *rounds, &IdleRound::p99, ports.late),
  };
  out[0].note =
      fmt::format("the worker's thread with two ports; it comes round {:.0f} times a second",
                  rounds->back().turns);
  out[1].note = packets + "; reported, without a target";
  out[2].note = packets;
  set_beside_bare(out[1], ports.bare, *rounds, &IdleRound::p50, &IdleRound::bare_p50);
  set_beside_bare(out[2], ports.bare, *rounds, &IdleRound::p99, &IdleRound::bare_p99);
  if (lost > 0) out[2].met = false;
  return out;
}

}  // namespace sallyport::bench
