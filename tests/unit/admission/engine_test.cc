#include "policy/admission/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

TEST(Admission, OrdinaryDayPassesTheSynItself) {
  World world({});
  const Decision decision = world.arrive(world.pair(0, 3), syn(4000, 1));
  EXPECT_EQ(decision.verdict, Verdict::kPass);
  EXPECT_EQ(decision.place, world.pair(0, 3));
  // The same SYN again belongs to the same credit.
  const Decision again = world.arrive(world.pair(0, 3), syn(4000, 1));
  EXPECT_EQ(again.verdict, Verdict::kPass);
  EXPECT_EQ(again.place, decision.place);
}

TEST(Admission, StormIsHeldAndReleasedInPace) {
  World world({.rate = 1000, .pairs_per_lane = 2000});
  std::size_t passed = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const Decision d = world.arrive(world.pair(0, i), syn(4000, i));
    if (d.verdict != Verdict::kPass) continue;
    ++passed;
    world.finish(world.released(d), Outcome::kEstablished);
  }
  EXPECT_LE(passed, 10U);  // at most what a full bucket holds
  const auto released = world.run(3s);
  EXPECT_EQ(released.size() + passed, 2000U);
  std::set<PairId> pairs;
  for (const Released& r : released) EXPECT_TRUE(pairs.insert(r.pair).second) << "served twice";
  // Never more than rate and burst in any 100 ms.
  for (std::size_t i = 0; i < released.size(); ++i) {
    std::size_t n = 0;
    while (i + n < released.size() && released[i + n].when < released[i].when + 100ms) ++n;
    ASSERT_LE(n, 106U) << "from " << released[i].when.count();
  }
  EXPECT_LE(released.back().when, 2500ms);
  world.engine().audit();
}

}  // namespace
}  // namespace sallyport::admission::test
