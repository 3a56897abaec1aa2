// What an idle gateway costs, and how long a packet waits that meets one: the real worker on the
// rig of ring_rig.h, whose ports are polled.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr const char* kIdle = "idle";
inline constexpr auto kIdleNames = std::to_array(
    {"idle-polled-cpu", "idle-polled-first-packet-p50", "idle-polled-first-packet-p99"});

// One round, in this process. Prints a line that idle_figures() reads; what main() returns.
int run_idle(bool quick);
// Of what the rounds printed, in the order of kIdleNames.
std::vector<Figure> idle_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
