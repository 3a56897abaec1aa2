// docs/measurements/storm-model.md and the pictures beside it, from what was played.
#pragma once

#include <string>
#include <vector>

#include "tests/perf/report/report.h"
#include "tests/perf/storm/play.h"

namespace sallyport::storm {

// False when a file cannot be written.
bool write_report(const std::string& folder, const bench::Occasion& occasion,
                  const std::vector<Outcome>& outcomes);

// One line for a terminal.
std::string summary(const Outcome& outcome);

}  // namespace sallyport::storm
