// Who is next: rules 1 to 6 of docs/design/0003-admission.md.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

constexpr std::uint32_t kMany = 400;

void everybody_dials(World& world, std::size_t lanes, std::uint32_t pairs, std::uint32_t serial) {
  for (std::size_t lane = 0; lane < lanes; ++lane)
    for (std::uint32_t i = 0; i < pairs; ++i)
      world.arrive(world.pair(static_cast<LaneId>(lane), i),
                   syn(static_cast<std::uint16_t>(4000 + serial), i));
}

std::vector<std::size_t> turns_by_lane(const std::vector<Released>& released, std::size_t lanes) {
  std::vector<std::size_t> out(lanes);
  for (const Released& r : released) ++out[r.lane];
  return out;
}

TEST(Order, LanesShareByWeightInEverySecond) {
  const std::vector<std::uint16_t> weights{1, 2, 5};
  World world({.rate = 400, .weights = weights, .pairs_per_lane = 3 * kMany});
  everybody_dials(world, 3, 3 * kMany, 0);
  world.run(200ms);
  for (int second = 0; second < 3; ++second) {
    const auto turns = turns_by_lane(world.run(1s), 3);
    const auto all = static_cast<double>(turns[0] + turns[1] + turns[2]);
    ASSERT_GT(all, 350);
    for (std::size_t lane = 0; lane < 3; ++lane)
      EXPECT_NEAR(static_cast<double>(turns[lane]) / all, weights[lane] / 8.0, 0.01) << lane;
  }
}

TEST(Order, TenTimesTheSynsGainNothing) {
  World world({.rate = 200, .weights = {1, 1}, .pairs_per_lane = kMany});
  everybody_dials(world, 2, kMany, 0);
  std::array<std::size_t, 2> turns{};
  for (; world.now < 2s;) {
    for (std::uint32_t i = 0; i < kMany; i += 3) world.arrive(world.pair(0, i), syn(4000, i));
    for (const Released& r : world.run(20ms)) ++turns[r.lane];
  }
  EXPECT_NEAR(static_cast<double>(turns[0]), static_cast<double>(turns[1]),
              static_cast<double>(turns[1]) * 0.02);
}

// Inside a lane: a device that opens four connections at once has had one turn when the others
// have.
TEST(Order, ADeviceWithParallelAttemptsHasOneTurnPerRound) {
  World world({.rate = 200, .pairs_per_lane = 100, .parallel = 4});
  for (std::uint32_t i = 0; i < 100; ++i) {
    const unsigned attempts = i < 10 ? 4 : 1;
    for (unsigned a = 0; a < attempts; ++a)
      world.arrive(world.pair(0, i), syn(static_cast<std::uint16_t>(4000 + a), i));
  }
  std::set<PairId> served;
  std::size_t second_turns = 0;
  for (const Released& r : world.run(2s)) {
    if (!served.insert(r.pair).second) {
      ++second_turns;
      EXPECT_GE(served.size(), 90U) << "somebody had a second turn before others had their first";
    }
  }
  EXPECT_EQ(served.size() + second_turns, world.engine().shard().stats().released);
  EXPECT_GE(second_turns, 20U);
}

TEST(Order, TheHighestPriorityIsServedFirstAndTheOthersDoNotStarve) {
  World world({.rate = 400, .weights = {1, 1, 1}, .priorities = {2, 0, 2}, .pairs_per_lane = 600});
  everybody_dials(world, 3, 600, 0);
  world.run(100ms);
  const auto turns = turns_by_lane(world.run(1s), 3);
  const std::size_t below = turns[0] + turns[2];
  EXPECT_GT(turns[1], 350U);
  EXPECT_GE(below, 4U) << "every 64th turn";
  EXPECT_LE(below, 10U);
  // And when the highest is done they get everything.
  world.run(1s);
  const auto later = turns_by_lane(world.run(1s), 3);
  EXPECT_EQ(later[1], 0U);
  EXPECT_GT(later[0], 150U);
  EXPECT_GT(later[2], 150U);
}

// Chance disturbs the order of arrival by seven seconds, not more.
TEST(Order, WhoDialledMuchEarlierIsServedEarlier) {
  World world({.rate = 20, .pairs_per_lane = 400});
  for (std::uint32_t i = 0; i < 150; ++i) world.arrive(world.pair(0, i), syn(4000, i));
  std::set<PairId> first;
  for (int tenth = 0; tenth < 300; ++tenth) {
    if (tenth == 180) {
      for (std::uint32_t i = 0; i < 150; ++i) world.arrive(world.pair(0, 200 + i), syn(4000, i));
    }
    if (tenth % 10 == 0) {  // everyone still there retries
      for (std::uint32_t i = 0; i < 150; ++i)
        if (!first.contains(world.pair(0, i))) world.arrive(world.pair(0, i), syn(4000, i));
    }
    for (const Released& r : world.run(100ms)) {
      if (r.pair < world.pair(0, 200)) {
        first.insert(r.pair);
      } else if (first.size() < 148) {
        ADD_FAILURE() << "a client of the second wave at " << world.now.count() << " after only "
                      << first.size() << " of the first";
        return;
      }
    }
  }
}

// Liveness: with others coming all the time, everyone is admitted in the end.
TEST(Order, EveryoneIsAdmittedEventually) {
  World world({.rate = 100, .weights = {1, 4}, .priorities = {1, 0}, .pairs_per_lane = 300});
  std::set<PairId> want;
  for (std::uint32_t i = 0; i < 300; ++i) want.insert(world.pair(0, i));
  std::uint32_t serial = 0;
  for (int second = 0; second < 400 && !want.empty(); ++second) {
    ++serial;
    for (const PairId pair : want) world.arrive(pair, syn(4000, pair));
    // A whole segment of higher priority that never stops dialling.
    for (std::uint32_t i = 0; i < 300; ++i)
      world.arrive(world.pair(1, i), syn(static_cast<std::uint16_t>(serial), i));
    for (const Released& r : world.run(1s)) want.erase(r.pair);
  }
  EXPECT_TRUE(want.empty()) << want.size() << " were never admitted";
}

}  // namespace
}  // namespace sallyport::admission::test
