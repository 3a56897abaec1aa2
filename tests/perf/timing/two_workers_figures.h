// What a round of two workers beside each other measured, as its process says it, and what the
// rounds come to.
//
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr auto kTwoWorkersNames =
    std::to_array({"two-workers-established", "two-workers-to-one"});

struct TwoWorkersRound {
  double alone = 0;  // packets/s of the first worker while the second one had no traffic
  double first = 0;  // of each while both had
  double second = 0;
  double not_forwarded = 0;   // packets that came in meanwhile and did not leave
  std::vector<double> pairs;  // both by the first one alone, turn by turn (pairs.h)
};
std::string line_of(const TwoWorkersRound& round);

// Of what the rounds printed, in the order of kTwoWorkersNames; reported, without a target.
std::vector<Figure> two_workers_figures(const std::vector<std::string>& printed);

}  // namespace sallyport::bench
