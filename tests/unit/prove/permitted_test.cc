#include "policy/prove/permitted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PermittedTest : public ::testing::Test {
 protected:
  const compile::Compiled compiled_ = testing::compiled(testing::sample_gateway());
  const wire::SnapshotView view_ = testing::view_of(compiled_);
};

TEST_F(PermittedTest, MatrixNamesEveryRuleBetweenTwoEnds) {
  const std::vector<Cell> cells = matrix(view_);
  const auto rules = [&](const char* from, const char* to) {
    for (const Cell& c : cells)
      if (c.from == from && c.to == to) return c.rules;
    return std::vector<std::string>();
  };
  EXPECT_THAT(rules("office", "field"),
              ElementsAre("office-sees-camera", "scada-inspected", "scada-pings"));
  EXPECT_THAT(rules("uplink", "gateway:uplink"), ElementsAre("scada-reads-press4"));
  EXPECT_THAT(rules("gateway:uplink", "name:broker.example"),
              ElementsAre("meter-to-cloud"));  // meter-to-fixed repeats it
  EXPECT_THAT(rules("field", "virtual"), ElementsAre("meter-to-cloud"));
  EXPECT_THAT(rules("field", "office"), ElementsAre());
  EXPECT_THAT(to_text(cells), HasSubstr("office-sees-camera"));
}

TEST_F(PermittedTest, BoxesBetweenTwoDevices) {
  const PermittedBoxes all = permitted(view_, "scada", "camera", 100);
  EXPECT_FALSE(all.more);
  ASSERT_EQ(all.boxes.size(), 4U);  // tcp 80-81 and echo, in both versions
  std::vector<std::string> seen;
  for (const PermittedBox& b : all.boxes)
    seen.push_back(b.source + " " + b.destination + " " + std::to_string(b.protocol) + " " +
                   std::to_string(b.first_port) + "-" + std::to_string(b.last_port) + " " + b.rule);
  EXPECT_THAT(seen, Contains("10.30.0.5 10.20.0.7 6 80-81 office-sees-camera"));
  EXPECT_THAT(seen, Contains("fd00:30::5 fd00:20::7 58 128-128 scada-pings"));
  EXPECT_TRUE(permitted(view_, "scada", "camera", 3).more);
  EXPECT_TRUE(permitted(view_, "camera", "scada", 100).boxes.empty());
}

}  // namespace
}  // namespace sallyport::prove
