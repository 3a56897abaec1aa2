// What a place keeps, and whose turn is used.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

// Occupies the server so that whoever comes now has to wait: fills the bucket and the window.
void busy(World& world, std::uint32_t clients = 40) {
  for (std::uint32_t i = 0; i < clients; ++i) world.arrive(world.pair(0, 50 + i), syn(9000, i));
}

TEST(Places, OneAttemptTakesOnePlaceHoweverOftenItsSynIsRepeated) {
  World world({.parallel = 2});
  busy(world);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(world.arrive(world.pair(0, 0), syn(4000, 1)).verdict, Verdict::kHold);
  EXPECT_TRUE(waits(world.engine().shard().place(world.pair(0, 0)).state));
  EXPECT_EQ(world.engine().shard().place(world.pair(0, 0) + 1).state, PlaceState::kFree);
}

class Parallel : public testing::TestWithParam<unsigned> {};

TEST_P(Parallel, ThatManyAttemptsAreInFlightAtOnceAndNoMore) {
  const unsigned parallel = GetParam();
  World world({.parallel = parallel});
  busy(world);
  for (unsigned i = 0; i < parallel; ++i)
    EXPECT_EQ(world.arrive(world.pair(0, 0), syn(static_cast<std::uint16_t>(4000 + i), i)).verdict,
              Verdict::kHold);
  std::set<PlaceId> places;
  for (int i = 0; i < 400 && places.size() < parallel; ++i) {
    world.now += 1ms;
    for (const Released& r : world.poll()) {
      if (r.pair == world.pair(0, 0)) {
        places.insert(r.place);
      } else {
        world.finish(r, Outcome::kEstablished);
      }
    }
  }
  EXPECT_EQ(places.size(), parallel);
  EXPECT_EQ(world.arrive(world.pair(0, 0), syn(4999, 77)).verdict, Verdict::kFull);
  world.engine().audit();
}
INSTANTIATE_TEST_SUITE_P(OneToFour, Parallel, testing::Values(1U, 2U, 3U, 4U));

TEST(Places, ANewAttemptBeyondThemTakesTheOneThatWasSilentLongest) {
  World world({.parallel = 2});
  busy(world);
  const PairId pair = world.pair(0, 0);
  world.arrive(pair, syn(4000, 1));
  world.now += 5ms;
  world.arrive(pair, syn(4001, 2));
  world.now += 5ms;
  world.arrive(pair, syn(4000, 1));  // the first one lives
  world.now += 5ms;
  world.arrive(pair, syn(4002, 3));
  std::set<std::uint16_t> ports;
  for (unsigned i = 0; i < 2; ++i)
    ports.insert(world.engine().shard().place(pair + i).syn.source_port);
  EXPECT_EQ(ports, (std::set<std::uint16_t>{4000, 4002}));
}

// A client that gave up and dialled again keeps its seniority: it goes before one that came
// between.
TEST(Places, SeniorityIsKeptAcrossTheClientsOwnTimeouts) {
  World world({.rate = 10, .pairs_per_lane = 100});
  for (std::uint32_t i = 0; i < 20; ++i) world.arrive(world.pair(0, 10 + i), syn(9000, i));
  const PairId old = world.pair(0, 0), young = world.pair(0, 1);
  world.arrive(old, syn(4000, 1));
  // Ten seconds later (another cohort) somebody else comes, then the first one's second attempt,
  // after the engine found out that the first attempt was over.
  const auto released = world.run(10s, 50ms);
  ASSERT_GE(released.size(), 15U);
  for (std::uint32_t i = 0; i < 60; ++i) world.arrive(world.pair(0, 30 + i), syn(9100, i));
  world.arrive(young, syn(5000, 2));
  world.now += 1s;
  for (std::uint32_t i = 0; i < 60; ++i) world.arrive(world.pair(0, 30 + i), syn(9100, i));
  if (std::ranges::none_of(released, [&](const Released& r) { return r.pair == old; })) {
    world.arrive(old, syn(4001, 3));
    const auto next = world.run(3s, 50ms);
    const auto at = [&](PairId pair) {
      return std::ranges::find_if(next, [&](const Released& r) { return r.pair == pair; });
    };
    EXPECT_LT(at(old), at(young));
  }
}

TEST(Places, ATurnIsNotSpentOnAClientThatStoppedRetrying) {
  World world({.rate = 4, .inflight = 4, .pairs_per_lane = 100});
  busy(world, 20);
  const PairId quiet = world.pair(0, 0);
  world.arrive(quiet, syn(4000, 1));
  world.now += 1s;
  world.arrive(quiet, syn(4000, 1));  // its interval: one second; then nothing any more
  for (int second = 0; second < 10; ++second) {
    for (const Released& r : world.run(1s, 50ms)) {
      EXPECT_TRUE(r.pair != quiet || world.now <= 6s) << "called after six seconds of silence";
    }
    for (std::uint32_t i = 0; i < 20; ++i) world.arrive(world.pair(0, 50 + i), syn(9000, i));
  }
  EXPECT_GT(world.engine().shard().stats().set_aside + world.engine().shard().stats().released, 0U);
}

TEST(Places, ALaneLearnsHowLongItsClientsWait) {
  World world({.rate = 100, .pairs_per_lane = 200});
  for (std::uint32_t i = 0; i < 200; ++i) world.arrive(world.pair(0, i), syn(4000, i));
  // Everyone leaves ten seconds after dialling; whoever is called later answers with RST.
  std::uint32_t wasted = 0, served = 0;
  for (; world.now < 25s; world.now += 1ms) {
    if (world.now == 5s || world.now == 9s)
      for (std::uint32_t i = 0; i < 200; ++i) world.arrive(world.pair(0, i), syn(4000, i));
    // Half of capacity is lost to somebody else, so that many still wait at ten seconds.
    for (const Released& r : world.poll()) {
      const bool there = world.now < 10s;
      ++(there ? served : wasted);
      if (there && served > 60) {
        world.finish(r, Outcome::kServerFailed);
        continue;
      }
      world.finish(r, there ? Outcome::kEstablished : Outcome::kClientLeft);
    }
  }
  EXPECT_GT(served, 60U);
  EXPECT_LE(wasted, 10U) << "after a few that were gone nobody of that age is called";
}

TEST(Places, WhatOneLaneHasLearnedTakesAnotherOneWitness) {
  World world({.rate = 100, .weights = {1, 1, 1, 1}, .pairs_per_lane = 20});
  // Called `age` after it dialled, when it is gone.
  const auto missed = [&](LaneId lane, std::uint32_t index, Duration age) {
    for (std::uint32_t i = 0; i < 20; ++i) world.arrive(world.pair(3, i), syn(9000, i));
    world.arrive(world.pair(lane, index), syn(4000, index));
    world.now += age;
    for (int i = 0; i < 500; ++i, world.now += 1ms)
      for (const Released& r : world.poll())
        world.finish(r, r.lane == lane ? Outcome::kClientLeft : Outcome::kEstablished);
  };
  const auto edge = [&](LaneId lane) { return world.engine().shard().presence(lane).edge(); };
  missed(0, 0, 10s);
  missed(0, 1, 10s);
  EXPECT_EQ(edge(0), kNone);
  missed(0, 2, 10s);
  ASSERT_NE(edge(0), kNone);
  missed(1, 0, 2s);
  EXPECT_EQ(edge(1), kNone) << "another habit";
  missed(2, 0, 11s);
  EXPECT_EQ(edge(2), edge(0));
}

TEST(Places, AnUnholdableSynOpensAGateForTheNext) {
  World world({});
  busy(world);
  const PairId pair = world.pair(0, 0);
  EXPECT_EQ(world.arrive(pair, syn(4000, 1, false)).verdict, Verdict::kHold);
  for (int i = 0; i < 500; ++i) {
    world.now += 1ms;
    for (const Released& r : world.poll()) {
      EXPECT_NE(r.pair, pair) << "its SYN cannot be made again";
      world.finish(r, Outcome::kEstablished);
    }
  }
  EXPECT_EQ(world.arrive(pair, syn(4000, 1, false)).verdict, Verdict::kPass);
}

TEST(Places, AGateOfAClientThatLeftIsClosed) {
  World world({});
  busy(world);
  const PairId pair = world.pair(0, 0);
  world.arrive(pair, syn(4000, 1, false));
  world.now += 100ms;
  world.arrive(pair, syn(4000, 1, false));
  world.run(500ms);
  world.run(10s);
  EXPECT_TRUE(world.engine().shard().idle());
}

TEST(Places, OneDeviceGetsNoMoreTurnsThanItsOwnRate) {
  World world({.per_device = 2, .pairs_per_lane = 10});
  std::uint32_t turns = 0;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    world.now += 1ms;
    const Decision d = world.arrive(world.pair(0, 0), syn(static_cast<std::uint16_t>(i), i));
    if (d.verdict == Verdict::kPass) {
      ++turns;
      world.finish(world.released(d), Outcome::kEstablished);
    }
    for (const Released& r : world.poll()) {
      ++turns;
      world.finish(r, Outcome::kEstablished);
    }
  }
  EXPECT_GE(turns, 9U);
  EXPECT_LE(turns, 11U);
}

// R4: a retry never extends a penalty. However often a client repeats its SYN, and also when the
// network repeats it, its turn comes when it would have come.
TEST(Places, RetriesDoNotDelayTheTurn) {
  const auto turn_at = [](const std::vector<Duration>& repeats) {
    World world({.rate = 50, .pairs_per_lane = 200});
    for (std::uint32_t i = 0; i < 150; ++i) world.arrive(world.pair(0, 20 + i), syn(9000, i));
    world.arrive(world.pair(0, 0), syn(4000, 1));
    std::size_t next = 0;
    while (world.now < 10s) {
      while (next < repeats.size() && repeats[next] <= world.now) {
        world.arrive(world.pair(0, 0), syn(4000, 1));
        ++next;
      }
      for (const Released& r : world.run(1ms))
        if (r.pair == world.pair(0, 0)) return r.when;
    }
    return Duration(10s);
  };
  const auto every = [](Duration span) {
    std::vector<Duration> out;
    for (Duration t = span; t < 10s; t += span) out.push_back(t);
    return out;
  };
  const Duration patient = turn_at({});
  ASSERT_GT(patient, 600ms) << "too early to be delayed";
  ASSERT_LT(patient, 5s);
  EXPECT_LE(turn_at({0ms}), patient) << "the network repeated its SYN";
  EXPECT_LE(turn_at({0ms, 1ms, 2ms}), patient);
  for (const Duration span : {Duration(1s), Duration(100ms), Duration(10ms)})
    EXPECT_LE(turn_at(every(span)), patient) << span.count();
}

}  // namespace
}  // namespace sallyport::admission::test
