// What an idle gateway costs, and how long a packet waits that meets one: the real worker on the
// rig of ring_rig.h, with ports that are polled and with ports whose interrupts wake it.
#pragma once

#include "tests/perf/fastpath/ring_rig.h"

namespace sallyport::bench {

inline constexpr const char* kIdlePolled = "idle-polled";
inline constexpr const char* kIdleInterrupt = "idle-interrupt";
inline constexpr const char* kIdleTwoWorkers = "idle-two-workers";

// One round, in this process. Prints a line that idle_figures() reads; what main() returns.
int run_idle(Wires wires, bool quick);
// The same of two workers, each with one port whose interrupts wake it: each packet crosses once,
// to its owner or from its owner to the one with the port that it leaves by.
int run_idle_of_two(bool quick);

}  // namespace sallyport::bench
