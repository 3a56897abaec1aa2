// Instructions per packet of each stage of the packet path, counted by callgrind: exact, and the
// same on a busy machine.
#pragma once

#include <string_view>

#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {

// What is counted: a stage alone over many packets ("parse", "bind", "find": hash and flow table),
// or the path as a "whole", from a received burst until the driver has it (or the pool has it
// back). Under callgrind, in this process; what main() returns.
int run_counted(const TrafficCase& c, std::string_view stage);

}  // namespace sallyport::bench
