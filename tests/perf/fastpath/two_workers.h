// What two workers carry on two cores, each with the packets that are its own: the real threads
// (dataplane/app/workers.h), each fed by a `net_pcap` of its own and draining to a `net_null`.
#pragma once

#include "dataplane/app/workers.h"
#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {

inline constexpr const char* kTwoWorkersBeside = "two-workers-beside";

// Of a packet's worker, of two.
dataplane::WorkerSlot owner_of_two(const FrameBytes& frame, const BuiltPlant& plant);
// Opens the flows of `c` at the workers whose they are, which do not run yet and have their ports.
void open_flows_of_two(const TrafficCase& c, const BuiltPlant& plant, dataplane::Workers& workers);

// One round, in this process, of a case of open flows. Prints a line that two_workers_figures()
// reads; what main() returns. "no-figure" where there are not two cores.
int run_two_workers(const TrafficCase& c, double seconds);

}  // namespace sallyport::bench
