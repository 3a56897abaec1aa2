// One TCP stream between a segment's host stack and a device, through the real TAP thread, pipeline
// and worker (tests/support/tap_rig.h), and between two such TAPs with nothing but a pump between
// them, in the same process.
#pragma once

namespace sallyport::bench {

inline constexpr const char* kTapStream = "tap-stream";

// One round, `seconds` for each of the three. Prints a line that tap_figures() reads; what main()
// returns.
int run_tap_stream(double seconds);

}  // namespace sallyport::bench
