#include "tests/perf/timing/tap_figures.h"

#include <fmt/format.h>

#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "tap-round ";
constexpr double kTarget = 5;  // Gbit/s

std::string numbers_of(const TapStream& s) {
  return fmt::format("{} {} {} {} {} {} {} {}", s.gbits, s.segments, s.dropped, s.sender,
                     s.receiver, s.tap, s.worker, s.card);
}

bool read(const std::string& printed, TapRound& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 18) return false;
  const auto stream = [&](std::size_t at) {
    return TapStream{numbers[at],     numbers[at + 1], numbers[at + 2], numbers[at + 3],
                     numbers[at + 4], numbers[at + 5], numbers[at + 6], numbers[at + 7]};
  };
  r = {numbers[0], numbers[1], stream(2), stream(10)};
  return true;
}

Figure moved(const char* name, const std::vector<TapRound>& rounds, TapStream TapRound::* which) {
  const auto all = [&](auto value) {
    std::vector<double> out;
    for (const TapRound& r : rounds) out.push_back(value(r));
    return out;
  };
  const auto median = [&](double TapStream::* what) {
    return Figure::of("", "", all([&](const TapRound& r) { return r.*which.*what; }), 0, true)
        .median;
  };
  Figure out = Figure::of(name, "Gbit/s", all([&](const TapRound& r) { return (r.*which).gbits; }),
                          kTarget, false);
  const Figure pump = Figure::of("", "", all([](const TapRound& r) { return r.pump; }), 0, false);
  out.peers.push_back({"tap-pump", pump.median, pump.median > 0 ? out.median / pump.median : 0});
  out.note = fmt::format(
      "{:.1f} segments to a super-frame, {:.0f} packets dropped at full rings; cores: sender "
      "{:.2f}, receiver {:.2f}, the gateway's TAP "
      "thread {:.2f} and worker {:.2f}, the peer's card {:.2f}; tap-pump {:.2f} to {:.2f}, its "
      "pump {:.2f} cores",
      median(&TapStream::segments), median(&TapStream::dropped), median(&TapStream::sender),
      median(&TapStream::receiver), median(&TapStream::tap), median(&TapStream::worker),
      median(&TapStream::card), pump.min, pump.max,
      Figure::of("", "", all([](const TapRound& r) { return r.pump_cores; }), 0, true).median);
  return out;
}

}  // namespace

std::string line_of(const TapRound& r) {
  return fmt::format("{}{} {} {} {}\n", kLine, r.pump, r.pump_cores, numbers_of(r.from_host),
                     numbers_of(r.to_host));
}

std::vector<Figure> tap_figures(const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<TapRound>(printed, read);
  if (!rounds) return missing_figures(kTapNames, "Gbit/s", rounds.error());
  return {moved(kTapNames[0], *rounds, &TapRound::from_host),
          moved(kTapNames[1], *rounds, &TapRound::to_host)};
}

}  // namespace sallyport::bench
