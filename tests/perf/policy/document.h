// docs/measurements/policy.md, written by the bench itself.
#pragma once

#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

// False when FOLDER/policy.md cannot be written.
bool write_policy_report(const std::string& folder, const Occasion& occasion,
                         const std::vector<Figure>& figures);

}  // namespace sallyport::bench
