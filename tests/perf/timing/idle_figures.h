// What a round of an idle gateway measured, as its process says it, and what the rounds come to.
//
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr auto kIdleNames = std::to_array(
    {"idle-polled-cpu", "idle-polled-first-packet-p50", "idle-polled-first-packet-p99"});

struct IdleRound {
  double cpu = 0;           // of the worker's core, in percent
  double turns = 0;         // of the worker, in a second
  double p50 = 0, p99 = 0;  // of a packet after a pause, in microseconds
  double sent = 0, lost = 0;
};
std::string line_of(const IdleRound& round);

// Of what the rounds printed, in the order of kIdleNames. A lost packet misses the last one.
std::vector<Figure> idle_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
