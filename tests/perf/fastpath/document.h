// docs/measurements/fastpath.md, written from the figures alone.
#pragma once

#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

// False when the file cannot be written.
bool write_fastpath_report(const std::string& folder, const Occasion& occasion,
                           const std::vector<Figure>& figures);

}  // namespace sallyport::bench
