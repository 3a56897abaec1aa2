#include "tests/perf/fastpath/latency.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/dpdk/cycles.h"
#include "tests/perf/fastpath/ring_rig.h"
#include "tests/perf/timing/latency_figures.h"
#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"
#include "tests/perf/timing/slices.h"

namespace sallyport::bench {
namespace {

// How fast the machine is changes within a round, and with it what half of the load is. So it is
// asked again in each part, by floods of both in turns.
constexpr std::size_t kParts = 5;
constexpr std::size_t kFloods = 3;
constexpr double kFlood = 0.03;
constexpr double kLoad = 0.5;
// A turn is 2 ms that do not count, in which who slept gets its caches back, and 20 ms that do: ten
// times as long as the core of either is usually taken from it at a time.
constexpr double kSettle = 0.002;
constexpr double kSlice = 0.00025;
constexpr std::size_t kSlices = 80;
// So many times the turns that it takes if every slice counts.
constexpr std::size_t kMostTimes = 4;
// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 120;

Delay delay_of(const Sliced& sliced) {
  const double cycles_per_us = dataplane::cycles_per_second() / 1e6;
  const auto at = [&](double share) {
    return static_cast<double>(sliced.cycles.quantile(share)) / cycles_per_us;
  };
  return {at(0.5),
          at(0.99),
          at(0.999),
          static_cast<double>(sliced.sent),
          static_cast<double>(sliced.lost()),
          static_cast<double>(sliced.slices),
          static_cast<double>(sliced.forgotten)};
}

// What one of the two has for itself of the core.
template <class Work>
auto turn(Shift& shift, Work work) {
  shift.begin();
  auto out = work();
  shift.end();
  return out;
}

// Packets/s of all floods, and what was offered in all parts.
struct Rates {
  std::vector<double> gateway, io, offered;
};

// What the gateway manages now.
double managed(Prober& prober, Shift& worker, Shift& io, Rates& all) {
  std::vector<double> now;
  const auto flood = [&](Shift& shift, std::vector<double>& rates) {
    return [&] {
      rates.push_back(turn(shift, [&] { return prober.flood(kFlood).returned_per_second(); }));
      return rates.back();
    };
  };
  in_turns(kFloods, true, flood(worker, now), flood(io, all.io));
  all.gateway.insert(all.gateway.end(), now.begin(), now.end());
  return median_of(std::move(now));
}

}  // namespace

int run_latency(double seconds) {
  ::alarm(kTooLong + static_cast<unsigned>(4 * seconds));
  auto rig = RingRig::make();
  if (!rig) return failed_round(rig.error());
  const auto slices = static_cast<std::size_t>(std::ceil(seconds / kSlice));
  const std::size_t most = kMostTimes * (slices + kSlices - 1) / kSlices;
  Rates rates;
  const auto pooled = std::make_unique<PooledTurns>();
  (*rig)->beside_both([&](Prober& prober, Shift& worker, Shift& io) {
    for (std::size_t part = 1; part <= kParts; ++part) {
      const double offered = managed(prober, worker, io, rates) * kLoad;
      if (offered <= 0) return;
      rates.offered.push_back(offered);
      const auto paced = [&](Shift& shift) {
        return [&] {
          return turn(shift, [&] { return prober.paced({offered, kSettle, kSlice, kSlices}); });
        };
      };
      pool_turns(*pooled, slices * part / kParts, most, paced(worker), paced(io));
    }
  });
  if (rates.offered.size() < kParts)
    return failed_round({ErrorKind::kSystem, "no-figure", "nothing came through the gateway"});
  const Sliced &gateway = pooled->one, &io = pooled->other;
  if (!pooled->have(slices))
    return failed_round(
        {ErrorKind::kUnavailable, "no-figure",
         fmt::format("the sender's core is somebody else's: of slices of {} ms it came too late in "
                     "{} of {} beside the gateway and in {} of {} beside the io engine",
                     kSlice * 1e3, gateway.forgotten, gateway.slices + gateway.forgotten,
                     io.forgotten, io.slices + io.forgotten)});
  fmt::print("{}", line_of({median_of(rates.gateway), median_of(rates.io), median_of(rates.offered),
                            delay_of(gateway), delay_of(io)}));
  return 0;
}

}  // namespace sallyport::bench
