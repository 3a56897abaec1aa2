// What a round of bulk TCP through a segment's TAP measured, as its process says it, and what the
// rounds come to.
//
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr auto kTapNames = std::to_array({"tap-from-host-stack", "tap-to-host-stack"});

// Of one direction. Cores are the processor time of each thread by the time that passed.
struct TapStream {
  double gbits = 0;     // of payload a second
  double segments = 0;  // in a super-frame, on average
  double dropped = 0;   // packets, by the gateway, because a ring was full
  double sender = 0,
         receiver = 0;         // the stream's own two ends, what their kernels do for them included
  double tap = 0, worker = 0;  // the gateway's
  double card = 0;             // the peer's card, played by another TAP thread
};
struct TapRound {
  double pump = 0,
         pump_cores = 0;  // two such TAPs with a pump between them: Gbit/s, its processor time
  TapStream from_host, to_host;
};
std::string line_of(const TapRound& round);

// Of what the rounds printed, in the order of kTapNames.
std::vector<Figure> tap_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
