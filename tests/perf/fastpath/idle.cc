#include "tests/perf/fastpath/idle.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "dataplane/dpdk/cycles.h"
#include "tests/perf/fastpath/ring_rig.h"
#include "tests/perf/fastpath/rounds.h"

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
constexpr Extent kWhole{5, 200}, kQuick{1, 20};

struct Round {
  double cpu = 0;           // of the worker's core, in percent
  double turns = 0;         // of the worker in a second
  double p50 = 0, p99 = 0;  // us
  double sent = 0, lost = 0;
};

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

constexpr const char* kLine = "idle-round ";
bool read(const std::string& printed, Round& r) {
  const auto numbers = numbers_after(printed, kLine);
  if (numbers.size() != 6) return false;
  r = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  return true;
}

Figure figure(const char* name, const char* unit, const std::vector<Round>& rounds,
              double Round::* value, double target) {
  std::vector<double> values;
  for (const Round& r : rounds) values.push_back(r.*value);
  return Figure::of(name, unit, values, target, target > 0);
}

}  // namespace

int run_idle(bool quick) {
  ::alarm(kTooLong);
  auto rig = RingRig::make();
  if (!rig) return failed_round(rig.error());
  const Extent extent = quick ? kQuick : kWhole;
  Round r;
  (*rig)->beside_worker([&](Prober& prober, dataplane::Worker& worker) {
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
  fmt::print("{}{} {} {} {} {} {}\n", kLine, r.cpu, r.turns, r.p50, r.p99, r.sent, r.lost);
  return 0;
}

std::vector<Figure> idle_figures(const std::vector<std::string>& printed) {
  const auto rounds = read_rounds<Round>(printed, read);
  if (!rounds) return missing_figures(kIdleNames, "", rounds.error());
  double sent = 0, lost = 0;
  for (const Round& r : *rounds) {
    sent += r.sent;
    lost += r.lost;
  }
  const std::string packets =
      fmt::format("{:.0f} packets in all, each after {} to {} ms without one; {:.0f} lost", sent,
                  Prober::kShortestPause / std::chrono::milliseconds(1),
                  Prober::kLongestPause / std::chrono::milliseconds(1), lost);
  std::vector<Figure> out = {
      figure(kIdleNames[0], "% of a core", *rounds, &Round::cpu, 5),
      figure(kIdleNames[1], "us", *rounds, &Round::p50, 0),
      figure(kIdleNames[2], "us", *rounds, &Round::p99, 500),
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
