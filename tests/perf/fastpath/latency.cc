#include "tests/perf/fastpath/latency.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "dataplane/dpdk/cycles.h"
#include "tests/perf/fastpath/ring_rig.h"
#include "tests/perf/timing/latency_figures.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

constexpr double kWarmUp = 0.2;
constexpr double kCalibration = 0.3;
constexpr double kLoad = 0.5;
// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 60;

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

}  // namespace

int run_latency(double seconds) {
  ::alarm(kTooLong + static_cast<unsigned>(2 * seconds));
  auto rig = RingRig::make();
  if (!rig) return failed_round(rig.error());
  LatencyRound r;
  (*rig)->beside_worker([&](Prober& prober, auto&) { r.managed = managed(prober); });
  (*rig)->beside_io([&](Prober& prober) { r.managed_io = managed(prober); });
  r.offered = r.managed * kLoad;
  if (r.offered <= 0)
    return failed_round({ErrorKind::kSystem, "no-figure", "nothing came through the gateway"});
  (*rig)->beside_worker(
      [&](Prober& prober, auto&) { r.gateway = delayed(prober, r.offered, seconds); });
  (*rig)->beside_io([&](Prober& prober) { r.io = delayed(prober, r.offered, seconds); });
  fmt::print("{}", line_of(r));
  return 0;
}

}  // namespace sallyport::bench
