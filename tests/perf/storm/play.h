// Plays cases and keeps what came of them.
#pragma once

#include <map>
#include <vector>

#include "tests/perf/report/report.h"
#include "tests/perf/storm/catalogue.h"

namespace sallyport::storm {

struct Outcome {
  Case played;
  std::vector<Result> ours;  // one per seed
  std::map<Policy, Result> baselines;

  // The seed whose stretch is the median.
  const Result& typical() const;
  // The highest of all seeds; of a check that has none: 0.
  double floor(const Check& check) const;
  // Of the time until all are back.
  double floor() const;
  // A gateway that only defers cannot meet it.
  bool out_of_reach(const Check& check) const { return floor(check) > check.target; }
  // One per check.
  std::vector<bench::Figure> figures() const;
};

Outcome play(const Case& c);

}  // namespace sallyport::storm
