// What a round of an idle gateway measured, as its process says it, and what the rounds come to.
//
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr auto kIdlePolledNames = std::to_array(
    {"idle-polled-cpu", "idle-polled-first-packet-p50", "idle-polled-first-packet-p99"});
inline constexpr auto kIdleInterruptNames = std::to_array(
    {"idle-interrupt-cpu", "idle-interrupt-first-packet-p50", "idle-interrupt-first-packet-p99"});

inline constexpr auto kIdleTwoWorkersNames =
    std::to_array({"idle-two-workers-cpu", "idle-two-workers-first-packet-p50",
                   "idle-two-workers-first-packet-p99"});

// Ports of one kind, and what an idle gateway with two of them may cost: percent of a core, and
// microseconds that a packet may wait; and what stands for the machine alone
// (fastpath/bare_wake.h).
struct IdlePorts {
  std::array<const char*, 3> names;
  double cpu, late;
  const char* bare;
};
inline constexpr IdlePorts kPolled{kIdlePolledNames, 5, 500, "sleep-and-look"};
inline constexpr IdlePorts kWoken{kIdleInterruptNames, 2, 200, "eventfd-wake"};
inline constexpr IdlePorts kTwoWoken{kIdleTwoWorkersNames, 2, 200, "eventfd-wake-twice"};

struct IdleRound {
  double cpu = 0;           // of the worker's core, in percent; of two, the busier one's
  double turns = 0;         // of the worker, in a second
  double p50 = 0, p99 = 0;  // of a packet after a pause, in microseconds
  double sent = 0, lost = 0;
  double bare_p50 = 0, bare_p99 = 0;  // of a bare wake between those packets, in microseconds
};
std::string line_of(const IdleRound& round);

// Of what the rounds printed, in the order of the names. A lost packet misses the last one. The
// bare wake is a peer, round by round; nothing is taken off for it.
std::vector<Figure> idle_figures(const IdlePorts& ports, const std::vector<std::string>& printed);

}  // namespace sallyport::bench
