#include "tests/perf/fastpath/latency.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "dataplane/dpdk/cycles.h"
#include "tests/perf/fastpath/ring_rig.h"
#include "tests/perf/fastpath/rounds.h"

namespace sallyport::bench {
namespace {

constexpr double kWarmUp = 0.2;
constexpr double kCalibration = 0.3;
constexpr double kLoad = 0.5;
// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 60;

// Microseconds and packets.
struct Delay {
  double p50 = 0, p99 = 0, p999 = 0;
  double sent = 0, lost = 0, given_up = 0;
};
struct Round {
  double managed = 0, managed_io = 0, offered = 0;  // packets/s
  Delay gateway, io;
};

Delay delay_of(const Passage& passage) {
  const double cycles_per_us = dataplane::cycles_per_second() / 1e6;
  const auto at = [&](double share) {
    return static_cast<double>(passage.cycles.quantile(share)) / cycles_per_us;
  };
  return {at(0.5),
          at(0.99),
          at(0.999),
          static_cast<double>(passage.sent),
          static_cast<double>(passage.lost()),
          static_cast<double>(passage.given_up)};
}

double managed(Prober& prober) {
  prober.flood(kWarmUp);
  return prober.flood(kCalibration).returned_per_second();
}
Delay delayed(Prober& prober, double offered, double seconds) {
  prober.paced(offered, kWarmUp);
  return delay_of(prober.paced(offered, seconds));
}

std::string line_of(const Delay& d) {
  return fmt::format("{} {} {} {} {} {}", d.p50, d.p99, d.p999, d.sent, d.lost, d.given_up);
}

constexpr const char* kLine = "latency-round ";
bool read(const std::string& printed, Round& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 15) return false;
  const auto delay = [&](std::size_t at) {
    return Delay{numbers[at],     numbers[at + 1], numbers[at + 2],
                 numbers[at + 3], numbers[at + 4], numbers[at + 5]};
  };
  r = {numbers[0], numbers[1], numbers[2], delay(3), delay(9)};
  return true;
}

using Quantile = double Delay::*;
Figure added(const char* name, const std::vector<Round>& rounds, Quantile quantile, double target) {
  std::vector<double> difference, gateway, io;
  std::string each;
  for (const Round& r : rounds) {
    gateway.push_back(r.gateway.*quantile);
    io.push_back(r.io.*quantile);
    difference.push_back(gateway.back() - io.back());
    each += fmt::format("{}{:.2f} - {:.2f}", each.empty() ? "" : ", ", gateway.back(), io.back());
  }
  Figure out = Figure::of(name, "us", difference, target, target > 0);
  if (target == 0) out.met = true;  // reported
  const Figure whole = Figure::of("", "us", gateway, 0, true),
               peer = Figure::of("", "us", io, 0, true);
  out.peers.push_back({"io-forward", peer.median, peer.median > 0 ? out.median / peer.median : 0});
  out.note = fmt::format(
      "gateway {:.2f} [{:.2f} to {:.2f}], io-forward {:.2f} [{:.2f} to {:.2f}] us; by round {}",
      whole.median, whole.min, whole.max, peer.median, peer.min, peer.max, each);
  if (target == 0) out.note += "; reported, without a target";
  return out;
}

Figure lost(const char* name, const std::vector<Round>& rounds) {
  std::vector<double> values;
  double sent = 0, io_sent = 0, io_lost = 0, given_up = 0;
  std::string rates;
  for (const Round& r : rounds) {
    values.push_back(r.gateway.lost);
    sent += r.gateway.sent;
    io_sent += r.io.sent;
    io_lost += r.io.lost;
    given_up += r.gateway.given_up + r.io.given_up;
    rates += fmt::format("{}{:.2f} of {:.2f} (io-forward {:.2f})", rates.empty() ? "" : ", ",
                         r.offered / 1e6, r.managed / 1e6, r.managed_io / 1e6);
  }
  Figure out = Figure::of(name, "packets", values, 0, false);
  out.note = fmt::format(
      "of {:.0f}; io-forward {:.0f} of {:.0f}; {:.0f} not sent because the sender came too late; "
      "offered, of what it managed, by round in Mpps: {}; reported, without a target",
      sent, io_lost, io_sent, given_up, rates);
  return out;
}

}  // namespace

int run_latency(double seconds) {
  ::alarm(kTooLong + static_cast<unsigned>(2 * seconds));
  auto rig = RingRig::make();
  if (!rig) return failed_round(rig.error());
  Round r;
  (*rig)->beside_worker([&](Prober& prober, auto&) { r.managed = managed(prober); });
  (*rig)->beside_io([&](Prober& prober) { r.managed_io = managed(prober); });
  r.offered = r.managed * kLoad;
  if (r.offered <= 0)
    return failed_round({ErrorKind::kSystem, "no-figure", "nothing came through the gateway"});
  (*rig)->beside_worker(
      [&](Prober& prober, auto&) { r.gateway = delayed(prober, r.offered, seconds); });
  (*rig)->beside_io([&](Prober& prober) { r.io = delayed(prober, r.offered, seconds); });
  fmt::print("{}{} {} {} {} {}\n", kLine, r.managed, r.managed_io, r.offered, line_of(r.gateway),
             line_of(r.io));
  return 0;
}

std::vector<Figure> latency_figures(const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<Round>(printed, read);
  if (!rounds) return missing_figures(kLatencyNames, "us", rounds.error());
  return {added(kLatencyNames[0], *rounds, &Delay::p50, 10),
          added(kLatencyNames[1], *rounds, &Delay::p99, 50),
          added(kLatencyNames[2], *rounds, &Delay::p999, 0), lost(kLatencyNames[3], *rounds)};
}

}  // namespace sallyport::bench
