// How much longer a packet is on its way through the gateway than through testpmd's io engine on
// the same rig (ring_rig.h), at half of the rate that the gateway manages there.
#pragma once

namespace sallyport::bench {

inline constexpr const char* kLatency = "latency";

// One round, in this process: again and again what each manages, then both at half of what the
// gateway does, in turns that come to `seconds` each (timing/slices.h). Prints a line that
// latency_figures() reads; what main() returns.
int run_latency(double seconds);

}  // namespace sallyport::bench
