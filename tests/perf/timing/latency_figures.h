// What a round of added latency measured, as its process says it, and what the rounds come to.
//
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr auto kLatencyNames =
    std::to_array({"added-latency-50-load-p50", "added-latency-50-load-p99",
                   "added-latency-50-load-p999", "added-latency-50-load-lost"});

// How long packets were on their way, in microseconds, and what became of them.
struct Delay {
  double p50 = 0, p99 = 0, p999 = 0;
  double sent = 0, lost = 0;
  double slices = 0, forgotten = 0;  // of the sender's time (timing/slices.h)
};
struct LatencyRound {
  // Packets/s: what came through each when it was flooded, and what then was offered to both.
  double managed = 0, managed_io = 0, offered = 0;
  Delay gateway, io;
};
std::string line_of(const LatencyRound& round);

// Of what the rounds printed, in the order of kLatencyNames. A figure is the gateway's less the
// io engine's in the same round; its target must hold for the slowest gateway less the fastest
// engine of all rounds, and in no round may so many have been lost that its quantile is a guess.
std::vector<Figure> latency_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
