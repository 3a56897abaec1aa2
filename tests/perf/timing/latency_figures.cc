#include "tests/perf/timing/latency_figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr const char* kLine = "latency-round ";

std::string numbers_of(const Delay& d) {
  return fmt::format("{} {} {} {} {} {} {}", d.p50, d.p99, d.p999, d.sent, d.lost, d.slices,
                     d.forgotten);
}

bool read(const std::string& printed, LatencyRound& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 17) return false;
  const auto delay = [&](std::size_t at) {
    return Delay{numbers[at],     numbers[at + 1], numbers[at + 2], numbers[at + 3],
                 numbers[at + 4], numbers[at + 5], numbers[at + 6]};
  };
  r = {numbers[0], numbers[1], numbers[2], delay(3), delay(10)};
  return true;
}

struct Quantile {
  const char* name;
  double Delay::* delay;
  double share;
  double target;  // 0 = reported
};

// A lost packet is later than any other: with more of them than lie beyond the quantile it says
// nothing. The io engine's count too: what disturbs it flatters the gateway.
bool guess(const Delay& d, double share) { return d.lost > (1 - share) * d.sent; }

Figure added(const Quantile& q, const std::vector<LatencyRound>& rounds) {
  std::vector<double> difference;
  std::vector<double> gateway;
  std::vector<double> io;
  std::string each;
  for (const LatencyRound& r : rounds) {
    gateway.push_back(r.gateway.*q.delay);
    io.push_back(r.io.*q.delay);
    difference.push_back(gateway.back() - io.back());
    each += fmt::format("{}{:.2f} - {:.2f}", each.empty() ? "" : ", ", gateway.back(), io.back());
  }
  Figure out = Figure::of(q.name, "us", difference, q.target, q.target > 0);
  const Figure whole = Figure::of("", "us", gateway, 0, true);
  const Figure peer = Figure::of("", "us", io, 0, true);
  out.peers.push_back({"io-forward", peer.median, peer.median > 0 ? out.median / peer.median : 0});
  out.note = fmt::format(
      "gateway {:.2f} [{:.2f} to {:.2f}], io-forward {:.2f} [{:.2f} to {:.2f}] us; by round {}",
      whole.median, whole.min, whole.max, peer.median, peer.min, peer.max, each);
  // Nor may one slow round of the loop excuse one of the gateway.
  out.met = q.target == 0 || whole.max - peer.min <= q.target;
  if (q.target == 0) out.note += "; reported, without a target";
  if (std::ranges::any_of(rounds, [&](const LatencyRound& r) {
        return guess(r.gateway, q.share) || guess(r.io, q.share);
      })) {
    out.met = false;
    out.note += "; disturbed: more were lost than this quantile leaves out";
  }
  return out;
}

Figure lost(const char* name, const std::vector<LatencyRound>& rounds) {
  std::vector<double> values;
  double sent = 0;
  double io_sent = 0;
  double io_lost = 0;
  std::string rates, forgotten;
  for (const LatencyRound& r : rounds) {
    values.push_back(r.gateway.lost);
    sent += r.gateway.sent;
    io_sent += r.io.sent;
    io_lost += r.io.lost;
    forgotten += fmt::format("{}{:.0f} of {:.0f} (io-forward {:.0f} of {:.0f})",
                             forgotten.empty() ? "" : ", ", r.gateway.forgotten,
                             r.gateway.slices + r.gateway.forgotten, r.io.forgotten,
                             r.io.slices + r.io.forgotten);
    rates += fmt::format("{}{:.2f} of {:.2f} (io-forward {:.2f})", rates.empty() ? "" : ", ",
                         r.offered / 1e6, r.managed / 1e6, r.managed_io / 1e6);
  }
  Figure out = Figure::of(name, "packets", values, 0, false);
  out.note = fmt::format(
      "of {:.0f}; io-forward {:.0f} of {:.0f}; slices forgotten because the sender came too late, "
      "by "
      "round: {}; offered, of what it managed, by round in Mpps: {}; reported, without a target",
      sent, io_lost, io_sent, forgotten, rates);
  return out;
}

}  // namespace

std::string line_of(const LatencyRound& r) {
  return fmt::format("{}{} {} {} {} {}\n", kLine, r.managed, r.managed_io, r.offered,
                     numbers_of(r.gateway), numbers_of(r.io));
}

std::vector<Figure> latency_figures(const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<LatencyRound>(printed, read);
  if (!rounds) return missing_figures(kLatencyNames, "us", rounds.error());
  return {added({kLatencyNames[0], &Delay::p50, 0.5, 10}, *rounds),
          added({kLatencyNames[1], &Delay::p99, 0.99, 50}, *rounds),
          added({kLatencyNames[2], &Delay::p999, 0.999, 0}, *rounds),
          lost(kLatencyNames[3], *rounds)};
}

}  // namespace sallyport::bench
