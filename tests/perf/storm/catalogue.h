// The storms that the bench plays, and what each must show: the targets of standards.md B.2.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/perf/storm/scenario.h"

namespace sallyport::storm {

// One thing that a storm is judged by.
struct Check {
  std::string metric;  // stable: part of the case's name
  std::string unit;
  double target = 0;
  bool at_most = true;
  std::function<double(const Result&)> value;
  // What no gateway that only defers can go below; empty where nothing is known.
  std::function<double(const Result&)> floor;
};

enum class Group : std::uint8_t {
  kSweep,     // all N, boot spreads, schedules, timeouts, pauses
  kCosts,     // full, resumed, mixed
  kFairness,  // priorities, weights, an aggressive segment, several workers
  kCapacity,  // a ceiling that is missing or wrong; the server falls to a quarter
  kReturn,    // the server or the gateway is gone and comes back
  kAttack,    // clients that take turns and do not use them
};
const char* name(Group group);

struct Case {
  std::string name;
  Group group = Group::kSweep;
  Scenario scenario;
  std::vector<Check> checks;
  std::vector<Policy> baselines;  // played on the same clients
  unsigned seeds = 1;
  std::string note;
};

// Everything; `quick` leaves out storms of more than ten thousand clients and all seeds but one.
std::vector<Case> catalogue(bool quick);

}  // namespace sallyport::storm
