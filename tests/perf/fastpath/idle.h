// What an idle gateway costs, and how long a packet waits that meets one: the real worker on the
// rig of ring_rig.h, whose ports are polled.
#pragma once

namespace sallyport::bench {

inline constexpr const char* kIdle = "idle";

// One round, in this process. Prints a line that idle_figures() reads; what main() returns.
int run_idle(bool quick);

}  // namespace sallyport::bench
