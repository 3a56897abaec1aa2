#include "control/exporter/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace sallyport::exporter {
namespace {

// https://prometheus.io/docs/practices/naming, and promtool's check of metrics.
TEST(Metrics, HaveNamesAsPrometheusWantsThem) {
  std::set<std::string_view> seen;
  for (const MetricInfo& metric : kMetricInfo) {
    EXPECT_TRUE(seen.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.name.starts_with("sallyport_")) << metric.name;
    EXPECT_EQ(metric.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == Kind::kCounter) << metric.name;
    EXPECT_FALSE(metric.help.empty() || metric.help.ends_with(".")) << metric.name;
    EXPECT_EQ(metric.name.find("timestamp") != std::string_view::npos,
              metric.name.ends_with("_timestamp_seconds"))
        << metric.name;
    for (const char* unbounded : {"address", "source", "destination", "user", "mac", "session"})
      EXPECT_EQ(metric.labels.find(unbounded), std::string_view::npos) << metric.name;
  }
}

}  // namespace
}  // namespace sallyport::exporter
