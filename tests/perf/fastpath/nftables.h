// The kernel as gateway, on the same capture: a namespace that forwards between two veth pairs,
// with conntrack (established: accept) and the plant's conduits in one nftables set, everything
// else dropped. Flows are opened first, both directions. Then dpdk-testpmd on core 1 hands the
// capture to the first pair by an af_packet port that bypasses the queueing discipline; the
// kernel's receive work is steered to core 0, so that it has a core for itself. What comes out of
// the second pair is counted.
//
// veth, not a NIC: no driver's receive path, no hardware offload.
#pragma once

#include <string>

#include "policy/base/result.h"
#include "tests/perf/fastpath/contenders.h"

namespace sallyport::bench {

std::string nftables_obstacle(const TrafficCase& traffic);
Result<double> play_nftables(const Match& match);

}  // namespace sallyport::bench
