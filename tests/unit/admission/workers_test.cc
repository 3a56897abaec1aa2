// One budget for many workers: exact, whatever happens to the messages between them.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/admission_fabric.h"

namespace sallyport::admission::test {
namespace {

std::size_t most_in(const std::vector<Duration>& starts, Duration window) {
  std::size_t most = 0, from = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    while (starts[i] - starts[from] >= window) ++from;
    most = std::max(most, i - from + 1);
  }
  return most;
}

TEST(Workers, TogetherTheyStartWhatTheConduitAllowsAndNoMore) {
  Fabric fabric({.rate = 1000, .pairs_per_lane = 400});
  fabric.everybody_dials(4000);
  fabric.run(4s);
  EXPECT_EQ(fabric.established, 2400U);
  EXPECT_LE(most_in(fabric.starts, 100ms), 110U);
  EXPECT_LE(fabric.starts.back(), 2600ms);
  for (WorkerId w = 0; w < fabric.workers(); ++w) fabric.engine(w).audit();
}

TEST(Workers, EachWorkersClientsAreServedInProportionToHowManyWait) {
  Fabric fabric({.rate = 500, .lanes = 1, .pairs_per_lane = 600});
  for (std::uint32_t i = 0; i < 600; ++i) fabric.arrive(0, fabric.pair(0, i), 4000);
  for (std::uint32_t i = 0; i < 200; ++i) fabric.arrive(1, fabric.pair(0, i), 4000);
  for (std::uint32_t i = 0; i < 200; ++i) fabric.arrive(2, fabric.pair(0, i), 4000);
  fabric.run(1s);
  std::array<std::uint32_t, 3> left{};
  for (WorkerId w = 0; w < 3; ++w) left[w] = fabric.engine(w).shard().queued(0);
  // Half of a thousand were served: half of each worker's.
  EXPECT_NEAR(left[0], 300, 30);
  EXPECT_NEAR(left[1], 100, 15);
  EXPECT_NEAR(left[2], 100, 15);
}

TEST(Workers, AGrantThatFindsNobodyIsBackWithinTenMilliseconds) {
  Fabric fabric({.workers = 2, .owner = 0, .rate = 1000, .lanes = 1, .pairs_per_lane = 10});
  // The owner believes that somebody waits at worker 1, who was just unbound.
  for (std::uint32_t i = 0; i < 10; ++i) fabric.arrive(1, fabric.pair(0, i), 4000);
  fabric.step();
  for (std::uint32_t i = 0; i < 10; ++i) fabric.engine(1).unbind(fabric.pair(0, i));
  std::uint32_t most = 0;
  Duration first{}, last{};
  for (const Duration end = fabric.now + 100ms; fabric.now < end;) {
    fabric.step();
    const std::uint32_t out = fabric.owner().budget().in_flight(0);
    if (out > 0) {
      if (most == 0) first = fabric.now;
      last = fabric.now;
    }
    most = std::max(most, out);
  }
  EXPECT_GT(most, 0U) << "nothing was granted, so nothing was tested";
  EXPECT_LE(last - first, 10ms);
  EXPECT_EQ(fabric.truly_in_flight(), 0U);
}

TEST(Workers, AStashForAnOpenGateIsBackWithinTenMilliseconds) {
  Fabric fabric({.workers = 2, .owner = 0, .rate = 1000, .lanes = 1, .pairs_per_lane = 4});
  for (std::uint32_t i = 0; i < 4; ++i)
    fabric.engine(1).arrive(fabric.pair(0, i), syn(4000, i, false), at(fabric.now));
  fabric.run(30ms);
  // The gates are open and a turn is asked for each; each turn that comes waits in the stash for
  // its client's next SYN and is not kept for longer than that.
  Duration held{}, longest{};
  for (const Duration end = fabric.now + 1s; fabric.now < end;) {
    fabric.step();
    held = fabric.engine(1).shard().stash(0) > 0 ? held + 1ms : Duration(0);
    longest = std::max(longest, held);
  }
  EXPECT_GT(longest, 0ms);
  EXPECT_LE(longest, 10ms);
}

// Loses one message in five, repeats one in five, delays one in five (also past later ones).
std::function<std::vector<Duration>(const Action&)> bad_post(std::uint32_t seed) {
  auto random = std::make_shared<Dice>(seed);
  return [random](const Action&) -> std::vector<Duration> {
    switch ((*random)() % 5) {
      case 0:
        return {};
      case 1:
        return {Duration(0), std::chrono::milliseconds((*random)() % 40)};
      case 2:
        return {std::chrono::milliseconds((*random)() % 40)};
      default:
        return {Duration(0)};
    }
  };
}

TEST(Workers, LostRepeatedAndLateMessagesNeitherLoseNorMakeCredits) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Fabric fabric({.rate = 2000, .inflight = 32, .pairs_per_lane = 300});
    fabric.fate = bad_post(seed);
    fabric.everybody_dials(4000);
    while (fabric.now < 4s) {
      fabric.step();
      ASSERT_LE(fabric.truly_in_flight(), 32U) << "seed " << seed;
    }
    EXPECT_EQ(fabric.established, 1800U) << "seed " << seed;
    EXPECT_LE(most_in(fabric.starts, 100ms), 220U);
    fabric.fate = nullptr;
    fabric.run(200ms);
    EXPECT_EQ(fabric.owner().budget().in_flight(0), 0U) << "seed " << seed;
    for (WorkerId w = 0; w < fabric.workers(); ++w) fabric.engine(w).audit();
  }
}

TEST(Workers, AConduitReplacedInTheMiddleKeepsItsBound) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Dice random(seed);
    Fabric fabric({.rate = 2000, .inflight = 32, .pairs_per_lane = 300});
    fabric.fate = bad_post(seed);
    fabric.everybody_dials(4000);
    std::uint32_t generation = 1;
    while (fabric.now < 6s) {
      fabric.step();
      ASSERT_LE(fabric.truly_in_flight(), 32U) << "seed " << seed;
      if (random() % 400 == 0) fabric.move_owner(static_cast<WorkerId>(random() % 3), ++generation);
    }
    EXPECT_GT(generation, 5U);
    EXPECT_EQ(fabric.established, 1800U) << "seed " << seed;
  }
}

// Workers hear of a new generation at different times; reports and grants of the old one are void.
TEST(Workers, AGenerationThatOneWorkerHasNotHeardOfStopsOnlyGrants) {
  Fabric fabric({.rate = 1000, .inflight = 32, .pairs_per_lane = 300});
  fabric.everybody_dials(4000);
  fabric.run(200ms);
  const std::uint64_t ignored = fabric.owner().budget().ignored_reports();
  fabric.configure_one(1, 2);  // the owner
  fabric.configure_one(0, 2);
  fabric.run(50ms);  // what is in flight ends
  const auto before = fabric.starts.size();
  fabric.run(100ms);
  EXPECT_EQ(fabric.starts.size(), before) << "nothing starts before every worker has reported";
  EXPECT_GT(fabric.owner().budget().ignored_reports(), ignored);
  fabric.configure_one(2, 2);
  fabric.run(3s);
  EXPECT_EQ(fabric.established, 1800U);
}

TEST(Workers, AnotherNumberOfWorkersStartsWithCleanBooks) {
  Fabric fabric({.workers = 4, .owner = 1, .rate = 1000, .inflight = 32, .pairs_per_lane = 100});
  fabric.everybody_dials(4000);
  fabric.run(100ms);
  ASSERT_GT(fabric.truly_in_flight(), 0U);
  for (const WorkerId workers : {WorkerId{2}, WorkerId{5}, WorkerId{3}}) {
    fabric.restart(workers, workers + 10U);
    const std::uint64_t before = fabric.established;
    fabric.everybody_dials(5000);
    while (fabric.established < before + workers * 200U && fabric.now < 60s) {
      fabric.step();
      ASSERT_LE(fabric.truly_in_flight(), 32U);
    }
    EXPECT_EQ(fabric.established, before + workers * 200U);
    EXPECT_EQ(fabric.truly_in_flight(), 0U);
  }
}

TEST(Workers, ForgedMessagesAreIgnored) {
  Fabric fabric({.rate = 1000, .inflight = 32});
  fabric.everybody_dials(4000);
  Dice random(1);
  for (int i = 0; i < 2000; ++i) {
    LaneReport report;
    report.lane = static_cast<LaneId>(random() % 4);
    report.worker = static_cast<WorkerId>(random() % 20);
    report.generation = random() % 3;
    report.held = random();
    report.seen = random();
    report.waiting = random();
    if (report.generation == 1 && report.lane < 2 && report.worker < 3)
      report.generation = 7;  // the right generation is the ring's, which only a worker writes
    fabric.owner().receive(report, at(fabric.now));
    LaneGrant grant;
    grant.lane = static_cast<LaneId>(random() % 4);
    grant.worker = 0;
    grant.generation = 2 + random() % 3;
    grant.granted = random();
    grant.count = random();
    fabric.engine(0).receive(grant, at(fabric.now));
    fabric.step();
    ASSERT_LE(fabric.truly_in_flight(), 32U);
  }
}

}  // namespace
}  // namespace sallyport::admission::test
