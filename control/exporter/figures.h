// From what control answers to what Prometheus reads.
//
// Pure. The answers are another process's JSON: what is absent or of another type makes no series,
// and none can make more than kMostSeries of one metric.
#pragma once

#include <prometheus/metric_family.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace sallyport::exporter {

// Nothing where nobody answered.
struct Answers {
  std::optional<nlohmann::json> status;      // control's own
  std::optional<nlohmann::json> dataplane;   // "status" of the dataplane
  std::optional<nlohmann::json> counters;    // "counters" of the dataplane
  std::optional<nlohmann::json> terminator;  // "status" of the terminator
};

// In the order of the table; metrics without a series are absent.
std::vector<prometheus::MetricFamily> families(const Answers& answers);

}  // namespace sallyport::exporter
