#include "tests/perf/timing/idle_figures.h"

#include <fmt/format.h>

#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "idle-round ";

bool read(const std::string& printed, IdleRound& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 6) return false;
  r = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  return true;
}

Figure figure(const char* name, const char* unit, const std::vector<IdleRound>& rounds,
              double IdleRound::* value, double target) {
  std::vector<double> values;
  for (const IdleRound& r : rounds) values.push_back(r.*value);
  return Figure::of(name, unit, values, target, target > 0);
}

}  // namespace

std::string line_of(const IdleRound& r) {
  return fmt::format("{}{} {} {} {} {} {}\n", kLine, r.cpu, r.turns, r.p50, r.p99, r.sent, r.lost);
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
  if (lost > 0) out[2].met = false;
  return out;
}

}  // namespace sallyport::bench
