// How much longer a packet is on its way through the gateway than through testpmd's io engine on
// the same rig (ring_rig.h), at half of the rate that the gateway manages there.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr const char* kLatency = "latency";
inline constexpr auto kLatencyNames =
    std::to_array({"added-latency-50-load-p50", "added-latency-50-load-p99",
                   "added-latency-50-load-p999", "added-latency-50-load-lost"});

// One round, in this process: what the gateway manages, then both at half of it for `seconds`
// each. Prints a line that latency_figures() reads; what main() returns.
int run_latency(double seconds);
// Of what the rounds printed, in the order of kLatencyNames.
std::vector<Figure> latency_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
