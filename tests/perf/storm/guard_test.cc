// A part of the sweep as a test, so that a worse engine goes red. Virtual time: the machine's speed
// plays no part, and the figures are the same everywhere.
#include <gtest/gtest.h>

#include "tests/perf/storm/play.h"

namespace sallyport::storm {
namespace {

// What even the best gateway that only defers could not meet is held to this far from its floor.
constexpr double kCloseToFloor = 1.02;

// Known misses of docs/measurements/storm-model.md, as far as the guard's one seed shows them; each
// must stay a miss, or it is to be taken off.
bool known_miss(const std::string& figure) {
  return (figure.starts_with("10k-boot2s-") && figure.ends_with("timeout10s-m1-r99")) ||
         (figure.starts_with("10k-boot0s-l") && figure.ends_with("timeout10s-m1-r99")) ||
         figure.starts_with("10k-boot0s-lwip-patient-jitter-m1-") ||
         figure.starts_with("10k-boot0s-lwip-timeout30s-jitter-m1-");
}

class Guard : public testing::TestWithParam<Case> {};

TEST_P(Guard, MeetsItsTargets) {
  const Outcome outcome = play(GetParam());
  const auto figures = outcome.figures();
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const bench::Figure& f = figures[i];
    const Check& check = GetParam().checks[i];
    if (outcome.out_of_reach(check) && !known_miss(f.name)) {
      EXPECT_LE(f.max, kCloseToFloor * outcome.floor(check)) << f.name;
    } else {
      EXPECT_EQ(f.met, !known_miss(f.name))
          << f.name << " is " << f.max << " (" << f.min << "), target " << f.target;
    }
  }
}

// Ten thousand clients and less, one seed; without the baselines, which judge nobody.
std::vector<Case> guarded() {
  std::vector<Case> out;
  for (Case& c : catalogue(true)) {
    c.baselines.clear();
    out.push_back(std::move(c));
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Storms, Guard, testing::ValuesIn(guarded()),
                         [](const testing::TestParamInfo<Case>& which) {
                           std::string name = which.param.name;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

// Every handshake that is counted is one that the server saw: the model itself, without a gateway.
TEST(Model, WithoutThrottleAStormNeverEnds) {
  Scenario s;
  s.policy = Policy::kNone;
  s.horizon = 5;
  const Result r = run(s);
  EXPECT_LT(r.all_s, 0);
  EXPECT_GT(r.waste, 3);
  EXPECT_GT(r.peak_100ms, 5);
}

// The figures of standards.md B.3, which another model gave for the same clients.
TEST(Model, AgreesWithTheArithmeticOfOthers) {
  Scenario s;
  s.policy = Policy::kTokenBucket;
  EXPECT_NEAR(run(s).stretch(), 8.2, 1.0);
  s.stack = Stack::kLinuxNew;
  EXPECT_NEAR(run(s).stretch(), 7.0, 1.0);
  s.policy = Policy::kReset;
  s.pause.s = 1;
  s.stack = Stack::kLinuxOld;
  EXPECT_NEAR(run(s).stretch(), 1.06, 0.03);
}

TEST(Model, RepeatsExactlyBySeed) {
  Scenario s;
  s.clients = 2'000;
  s.app_timeout_s = 10;
  s.pause.jittered = true;
  const Result a = run(s), b = run(s);
  EXPECT_EQ(a.events, b.events);
  EXPECT_EQ(a.series, b.series);
  s.seed = 2;
  EXPECT_NE(run(s).events, a.events);
}

}  // namespace
}  // namespace sallyport::storm
