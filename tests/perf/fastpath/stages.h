// Instructions per packet of each stage of the packet path, counted by callgrind: exact, and the
// same on a busy machine.
#pragma once

#include <string_view>

#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {

// The whole path, from a received burst until the driver has it (or the pool has it back) ...
inline constexpr const char* kWhole = "whole";
// ... on two workers, each with the packets that are its own, and with everything that it does at
// each burst because there is another one ...
inline constexpr const char* kTwoWorkers = "two-workers";
// ... and where each packet is read by the worker whose it is not, and crosses to the other.
inline constexpr const char* kMisplaced = "misplaced";
// Of kEstablished: what each flow costs the sweep after a swap.
inline constexpr const char* kSweep = "sweep";
// ... and each flow's next packet on the whole path, if the sweep has not been by.
inline constexpr const char* kSwapped = "swapped";

// Counts `stage` over many packets: one of these, or "parse", "bind", "find" (hash and flow table)
// alone. Under callgrind, in this process; what main() returns.
int run_counted(const TrafficCase& c, std::string_view stage);

}  // namespace sallyport::bench
