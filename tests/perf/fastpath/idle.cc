#include "tests/perf/fastpath/idle.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "dataplane/dpdk/cycles.h"
#include "tests/perf/timing/idle_figures.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 120;
// Until the worker sleeps as long as it ever does.
constexpr time_t kSettle = 1;

struct Extent {
  time_t seconds;       // without a packet
  std::size_t packets;  // one by one, after it
};
constexpr Extent kWhole{5, 100}, kQuick{1, 20};

// The worker's own processor time, and its turns.
struct Spent {
  double cpu = 0, wall = 0, turns = 0;
};
double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
Spent spent_by(dataplane::Worker& worker) {
  Spent out;
  worker.do_between_bursts([&](auto&) {
    out = {seconds_of(CLOCK_THREAD_CPUTIME_ID), seconds_of(CLOCK_MONOTONIC),
           static_cast<double>(worker.polls())};
  });
  return out;
}

// What is waited for is that time passes without a packet.
void pause(time_t seconds) {
  const timespec time{seconds, 0};
  ::ppoll(nullptr, 0, &time, nullptr);
}

}  // namespace

int run_idle(Wires wires, bool quick) {
  ::alarm(kTooLong);
  auto rig = RingRig::make(wires);
  if (!rig) return failed_round(rig.error());
  const Extent extent = quick ? kQuick : kWhole;
  IdleRound r;
  bool woken = false;
  (*rig)->beside_worker([&](Prober& prober, dataplane::Worker& worker) {
    woken = worker.woken();
    pause(kSettle);
    const Spent before = spent_by(worker);
    pause(extent.seconds);
    const Spent after = spent_by(worker);
    r.cpu = (after.cpu - before.cpu) / (after.wall - before.wall) * 100;
    r.turns = (after.turns - before.turns) / (after.wall - before.wall);
    const Passage single = prober.one_by_one(extent.packets);
    const double cycles_per_us = dataplane::cycles_per_second() / 1e6;
    r.p50 = static_cast<double>(single.cycles.quantile(0.5)) / cycles_per_us;
    r.p99 = static_cast<double>(single.cycles.quantile(0.99)) / cycles_per_us;
    r.sent = static_cast<double>(single.sent);
    r.lost = static_cast<double>(single.lost());
  });
  if (woken != (wires == Wires::kVhost))
    return failed_round(
        {ErrorKind::kSystem, "no-figure", "the ports are not of the kind that is measured"});
  fmt::print("{}", line_of(r));
  return 0;
}

}  // namespace sallyport::bench
