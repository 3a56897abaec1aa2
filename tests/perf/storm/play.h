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
  double floor() const;  // the highest of all seeds
  // One per check.
  std::vector<bench::Figure> figures() const;
};

Outcome play(const Case& c);

}  // namespace sallyport::storm
