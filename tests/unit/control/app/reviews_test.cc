// Reviews that end while control runs, or while it does not.
#include <gtest/gtest.h>

#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kEnds = 10;  // days from the start
constexpr const char* kReviewed = R"(version: 1
ports: { lan1: { device: "net_null0" } }
segments: { field: { ports: [lan1], address: 10.20.0.1/24, mac: "02:00:00:00:00:02" } }
devices:
  a: { segment: field, port: lan1, mac: "02:00:00:00:20:05", address: 10.20.0.5 }
  b: { segment: field, port: lan1, mac: "02:00:00:00:20:06", address: 10.20.0.6 }
conduits:
  soon: { from: a, to: b, service: tcp/1, review: { by: x, on: 2026-10-01, expires: 2026-11-11, reason: r } }
  later: { from: a, to: b, service: tcp/2, review: { by: x, on: 2026-10-01, expires: 2036-11-11, reason: r } }
)";

class ReviewsTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    settings_.wall_clock = [this] { return wall_now_; };
    start();
    const json applied = apply(kReviewed);
    ASSERT_EQ(applied["ok"], true) << applied;
  }
  bool permits(const std::string& name) {
    const json answer = ask({{"op", "show"}, {"what", "conduits"}});
    for (const json& conduit : answer["result"])
      if (conduit["name"] == name) return conduit["in_force"];
    return false;
  }
};

TEST_F(ReviewsTest, WhatHasEndedDeniesWithoutACommit) {
  EXPECT_TRUE(permits("soon"));
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  ASSERT_TRUE(everywhere(2));
  EXPECT_FALSE(permits("soon"));
  EXPECT_TRUE(permits("later"));
  const json all = history();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1]["user"], "sallyport-control");
  EXPECT_EQ(all[1]["sha256"], all[0]["sha256"]);
  EXPECT_EQ(events("reviews-ended").size(), 1U);
  // Once, not again every day.
  wall_now_ += 2 * kDay;
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(2500)));
}

TEST_F(ReviewsTest, WithinItsGraceOnlyTheWarningIsNew) {
  const std::size_t before = control_->status()["warnings"].size();
  wall_now_ += (kEnds + 5) * kDay;
  ASSERT_TRUE(until([&] { return control_->status()["warnings"].size() > before; }));
  EXPECT_EQ(dataplane_->in_force, 1U);
  EXPECT_TRUE(permits("soon"));
}

TEST_F(ReviewsTest, AClockThatGoesBackOpensNothing) {
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  ASSERT_TRUE(everywhere(2));
  wall_now_ -= 100 * kDay;
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(2500)));
  EXPECT_FALSE(permits("soon"));
}

TEST_F(ReviewsTest, AnEndedReviewIsAlertedOnceEachDay) {
  wall_now_ += (kEnds + 1) * kDay;
  ASSERT_TRUE(until([&] { return events("review-ended").size() == 1; }));
  EXPECT_FALSE(until([&] { return events("review-ended").size() != 1; }, Millis(2500)));
  wall_now_ += kDay;
  ASSERT_TRUE(until([&] { return events("review-ended").size() == 2; }));
  EXPECT_TRUE(permits("soon"));
}

TEST_F(ReviewsTest, WithoutATrustedClockNothingEnds) {
  clock_synchronised_ = false;
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 1; }, Millis(2500)));
  ASSERT_EQ(apply(std::string(kReviewed) + "# again\n")["ok"], true);
  EXPECT_TRUE(permits("soon"));
}

TEST_F(ReviewsTest, WhatHasEndedDoesNotComeBackWithoutATrustedClock) {
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  ASSERT_TRUE(until([&] { return control_->status()["database"]["rows_of"] == 2; }));
  clock_synchronised_ = false;
  wall_now_ -= 1000 * kDay;
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_FALSE(permits("soon"));
  ASSERT_EQ(apply(std::string(kReviewed) + "# again\n")["ok"], true);
  EXPECT_FALSE(permits("soon"));
  clock_synchronised_ = true;
  ASSERT_EQ(apply(std::string(kReviewed) + "# and again\n")["ok"], true);
  EXPECT_FALSE(permits("soon"));
  EXPECT_TRUE(permits("later"));
}

TEST_F(ReviewsTest, OperatorsWordMakesAClockTrusted) {
  clock_synchronised_ = false;
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  ASSERT_EQ(apply(std::string(kReviewed) + "control: { review: { clock: trusted } }\n")["ok"],
            true);
  EXPECT_FALSE(permits("soon"));
  EXPECT_TRUE(permits("later"));
}

TEST_F(ReviewsTest, OnExpiryDenyLeavesTheGraceOut) {
  ASSERT_EQ(apply(std::string(kReviewed) + "control: { review: { on-expiry: deny } }\n")["ok"],
            true);
  EXPECT_TRUE(permits("soon"));
  wall_now_ += (kEnds + 1) * kDay;
  ASSERT_TRUE(everywhere(3));
  EXPECT_FALSE(permits("soon"));
  EXPECT_TRUE(events("review-ended").empty());
}

// Names that are gone leave holes in the tables; the same text must still make the same bytes.
TEST_F(ReviewsTest, ADayOrARestartThatChangesNothingMakesNoRevision) {
  std::string fewer = kReviewed;
  fewer.erase(fewer.find("  soon:"), fewer.find("  later:") - fewer.find("  soon:"));
  ASSERT_EQ(apply(fewer)["ok"], true);
  ASSERT_TRUE(until([&] { return control_->status()["database"]["rows_of"] == 2; }));
  wall_now_ += 3 * kDay;
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(2500)));
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_EQ(history().size(), 2U);
}

// A number means one snapshot, or flows that run would not be looked at again.
TEST_F(ReviewsTest, WhatEndedWhileControlWasDownIsARevisionOfItsOwnToo) {
  ASSERT_TRUE(until([&] { return control_->status()["database"]["rows_of"] == 1; }));
  control_.reset();
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_FALSE(permits("soon"));
}

TEST_F(ReviewsTest, NoDatabaseAndARefusalDoNotKeepWhatHasEndedOpenForEver) {
  server_.stop();
  ASSERT_TRUE(until([&] { return control_->status()["database"]["connected"] == false; }));
  wall_now_ += (kEnds + compile::kReviewGraceDays + 2) * kDay;
  ASSERT_TRUE(until([&] { return dataplane_->in_force == 2 && terminator_->in_force == 2; }));
  EXPECT_FALSE(permits("soon"));
}

}  // namespace
}  // namespace sallyport::control
