// The cases of the fast-path bench, and what the rounds of one come to. Names are stable.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/perf/fastpath/subject.h"
#include "tests/perf/report/report.h"

namespace sallyport::bench {

struct Case {
  const char* name;
  TrafficCase traffic;
  Trial trial = Trial::kSteady;
  double target = 0;  // of its first figure; 0 = reported
};
std::span<const Case> cases();
// The same with kFewFlows at most, for a quick look.
Case shortened(Case c);
// The same case with no more than kCountedPackets, every one of which costs the same, and a table
// of the usual size to be full.
inline constexpr std::size_t kCountedPackets = 4096;
Case counted(Case c);

// A case's rounds, or why there are none.
struct Rounds {
  std::vector<Round> played;
  std::string failure;
};
// At least one figure, the first named as the case.
std::vector<Figure> figures_of(const Case& c, const Rounds& rounds);

// Two cases that are set against each other, played alike in one process, in short turns.
struct Comparison {
  const char* name;
  const char* one;
  const char* other;
  double target;  // of the one's rate by the other's
};
std::span<const Comparison> comparisons();
// Of what the rounds printed (run_pair()).
Figure figure_of(const Comparison& comparison, const std::vector<std::string>& printed);
const Case& case_of(std::string_view name);

// Bytes of a table of 2^20 flows, index and all, by flow; both directions.
Figure memory_per_flow();

}  // namespace sallyport::bench
