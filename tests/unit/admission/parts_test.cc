// The small parts of the engine, each by itself.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "policy/admission/cost_ledger.h"
#include "policy/admission/keyed_hash.h"
#include "policy/admission/pair_timer.h"
#include "policy/admission/patience.h"
#include "policy/admission/presence.h"
#include "policy/admission/server_time.h"
#include "policy/admission/sketch.h"
#include "policy/admission/surprise.h"
#include "policy/admission/turn_queue.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

TEST(AgeCode, EveryAgeIsWithinASixteenthOfItsCode) {
  for (Tick age = 512; age < 500'000; age += 97) {
    const AgeCode code = age_code(age);
    EXPECT_LE(age_of(code), age);
    if (code < kAgeCodes - 1) {
      EXPECT_GT(age_of(static_cast<AgeCode>(code + 1)), age);
      EXPECT_LE(age - age_of(code), age_of(code) / 16 + 1);
    }
  }
}

TEST(Presence, KnowsNothingAtFirst) { EXPECT_EQ(Presence().edge(), kNone); }

TEST(Presence, FindsTheAgeFromWhichClientsAreGoneToTheTick) {
  Presence presence;
  for (Tick age = 9'000; age < 9'500; age += 50) presence.was_there(age);
  for (const Tick age : {9'540U, 9'537U, 9'600U, 9'537U}) presence.was_gone(age);
  EXPECT_EQ(presence.edge(), 9'537U);
}

TEST(Presence, WhatIsGoneAtOneAgeIsGoneAtEveryLaterOne) {
  Presence presence;
  for (int i = 0; i < 4; ++i) presence.was_gone(10'000);
  for (int i = 0; i < 40; ++i) presence.was_there(10'000);  // so the edge moves up, not away
  EXPECT_NE(presence.edge(), kNone);
  EXPECT_GT(presence.edge(), 10'000U);
  EXPECT_LT(presence.edge(), 11'000U);
}

TEST(Presence, OneWitnessIsNotEnough) {
  Presence presence;
  presence.was_gone(10'000);
  EXPECT_EQ(presence.edge(), kNone);
}

TEST(Presence, OneWitnessMovesAKnownEdgeDownToWhereSomebodyWasMet) {
  Presence presence;
  presence.was_there(9'000);
  for (int i = 0; i < 3; ++i) presence.was_gone(11'000);
  ASSERT_EQ(presence.edge(), 11'000U);
  presence.was_gone(10'200);
  EXPECT_EQ(presence.edge(), 10'200U);
  presence.was_gone(8'900);
  EXPECT_EQ(presence.edge(), 10'200U) << "others were met at a higher age";
}

TEST(Presence, OneWitnessMovesTheEdgeByAQuarterAtMost) {
  Presence presence;
  for (int i = 0; i < 3; ++i) presence.was_gone(30'000);
  presence.was_gone(20'000);
  EXPECT_EQ(presence.edge(), 30'000U);
}

TEST(Presence, BelievesWhatItIsToldUntilSomebodyIsMetThere) {
  Presence presence;
  presence.believe(9'537);
  EXPECT_EQ(presence.edge(), 9'537U);
  for (int i = 0; i < 20; ++i) presence.was_there(40'000);
  EXPECT_TRUE(presence.edge() == kNone || presence.edge() > 40'000U);
}

TEST(Surprise, IsNoneWhereEveryHandshakeCostsWhatWasForeseen) {
  Surprise surprise;
  EXPECT_EQ(surprise.share(500, 8'000), 0);
  for (int i = 0; i < 1'000; ++i) surprise.note(1, 0);
  EXPECT_EQ(surprise.share(500, 8'000), 0);
}

TEST(Surprise, GrowsWithTheSpreadAndShrinksWithTheRate) {
  Surprise half, all;
  for (int i = 0; i < 1'000; ++i) {
    half.note(1, i % 2 == 0 ? 6 : -6);
    all.note(1, -12);  // always the same is a wrong price, not a surprise
  }
  EXPECT_NEAR(half.share(800, 8'000), 0.0355, 0.001);
  EXPECT_NEAR(half.share(3'200, 32'000), 0.0177, 0.001);
  EXPECT_NEAR(all.share(800, 8'000), 0, 0.001);
}

TEST(Presence, FadesInTheEnd) {
  Presence presence;
  for (int i = 0; i < 10; ++i) presence.was_gone(10'000);
  ASSERT_NE(presence.edge(), kNone);
  int fades = 0;
  while (presence.edge() != kNone && ++fades < 100) presence.fade();
  EXPECT_GT(fades, 3);
  EXPECT_LT(fades, 100);
}

TEST(TurnMoment, IsWithinTheScatterAndNeverAfterTheDeadline) {
  std::uint64_t sum = 0;
  constexpr PairId kPairs = 10'000;
  for (PairId pair = 0; pair < kPairs; ++pair) {
    const Tick moment = turn_moment(pair, 1'000, kDefaultPatience, 1'000);
    ASSERT_GE(moment, 1'000U);
    ASSERT_LE(moment, 1'000 + kScatter);
    sum += moment - 1'000;
    ASSERT_LE(tick_diff(turn_moment(pair, 1'000, 1'000, 1'000), 2'000), 0);
    ASSERT_GE(turn_moment(pair, 1'000, 89'000, 80'000), 80'000U);  // overdue: now
  }
  // Evenly over it: the mean of ten thousand is within two in a hundred of the middle.
  EXPECT_NEAR(static_cast<double>(sum) / kPairs, kScatter / 2.0, kScatter * 0.02);
}

// The longer clients are known to wait, the more chance: those who dialled last would be all that
// is left.
TEST(TurnMoment, ScatterGrowsWithAKnownPatience) {
  const auto s = [](int seconds) { return ticks(std::chrono::seconds(seconds)); };
  EXPECT_EQ(scatter(kDefaultPatience), kScatter) << "nothing is known";
  EXPECT_EQ(scatter(s(4)), kScatter);
  EXPECT_NEAR(scatter(s(30)), s(21), 10);
  EXPECT_EQ(scatter(s(100)), kMostScatter);
  Tick latest = 0;
  for (PairId pair = 0; pair < 1'000; ++pair)
    latest = std::max(latest, turn_moment(pair, 1'000, s(30), 1'000) - 1'000);
  EXPECT_GT(latest, s(20));
  EXPECT_LE(latest, scatter(s(30)));
}

TEST(TurnQueue, ServesSeniorityThenMomentThenArrival) {
  std::vector<Place> memory(4);
  const Places places(memory);
  TurnQueue queue;
  const Tick now = 100'000;
  queue.push(places, 0, now, now + 3'000, now);
  queue.push(places, 1, now, now + 100, now);
  queue.push(places, 2, now, now + 100, now);
  queue.push(places, 3, now - 20'000, now + 20'000, now);  // an older cohort... is first
  EXPECT_EQ(queue.pop(places, now), 1U);  // unless the queue began with a younger one
  EXPECT_EQ(queue.pop(places, now), 2U);
  EXPECT_EQ(queue.pop(places, now), 0U);
  EXPECT_EQ(queue.pop(places, now), 3U);
  EXPECT_EQ(queue.pop(places, now), kNone);
  queue.push(places, 3, now - 20'000, now + 20'000, now);
  queue.push(places, 1, now, now + 100, now);
  EXPECT_EQ(queue.pop(places, now), 3U);
  EXPECT_EQ(queue.pop(places, now), 1U);
}

TEST(TurnQueue, LosesNobodyWhateverTheClockDoes) {
  Dice random(7);
  std::vector<Place> memory(500);
  const Places places(memory);
  TurnQueue queue;
  std::vector<bool> queued(memory.size());
  std::size_t inside = 0;
  Tick now = 0xffff0000U;  // the ticks wrap on the way
  for (int i = 0; i < 200'000; ++i) {
    const auto pair = static_cast<PairId>(random() % memory.size());
    if (random() % 2 == 0 && !queued[pair]) {
      queue.push(places, pair, now - random() % 100'000, now + random() % 200'000, now);
      queued[pair] = true;
      ++inside;
    } else if (const PairId out = queue.pop(places, now); out != kNone) {
      ASSERT_TRUE(queued[out]);
      queued[out] = false;
      --inside;
    }
    ASSERT_EQ(queue.size(), inside);
    now += random() % 300;
  }
  EXPECT_GT(now, 1U << 20);
  EXPECT_LT(now, 0x80000000U);  // it did wrap
}

TEST(PairTimer, WakesEachOnceNeitherEarlyNorLate) {
  Dice random(3);
  std::vector<Place> memory(200);
  const Places places(memory);
  PairTimer timer;
  std::map<PairId, Tick> due;
  for (Tick now = 0; now < 200'000; now += 1 + random() % 20) {
    const auto pair = static_cast<PairId>(random() % memory.size());
    if (!due.contains(pair)) {
      const Tick wait = random() % 900;
      timer.set(places, pair, wait, now);
      due[pair] = now + wait;
    }
    timer.run(places, now, [&](PairId woken) {
      ASSERT_TRUE(due.contains(woken));
      EXPECT_GE(now + 16, due[woken]);  // at most a bucket early
      EXPECT_LE(now, due[woken] + 16 + 20 + 16);
      due.erase(woken);
    });
    for (const auto& [id, when] : due) ASSERT_LE(tick_diff(now, when), 60) << "forgotten: " << id;
  }
}

TEST(CostLedger, ChargesWhatItsHandshakesCostAndEndsEven) {
  Dice random(5);
  CostLedger ledger;
  std::int64_t charged = 0, changed = 0, unused = 0, spent = 0;
  std::uint32_t out = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (out == 0 || (i < 19'000 && random() % 2 == 0)) {
      charged += ledger.price();
      ledger.charge();
      ++out;
    } else if (random() % 10 == 0) {
      unused += ledger.settle(0, 1, 0).unused;
      --out;
    } else {
      const auto settled = ledger.settle(1, 0, 4);
      changed += settled.change;
      unused += settled.unused;
      spent += 4;
      --out;
    }
  }
  while (out-- > 0) {
    changed += ledger.settle(1, 0, 4).change;
    spent += 4;
  }
  EXPECT_EQ(charged, changed + unused + spent);
  EXPECT_EQ(ledger.price(), 4);
}

TEST(CostLedger, UndoTakesBackExactlyTheLastCharge) {
  CostLedger ledger;
  ledger.charge();
  ledger.charge();
  ledger.undo();
  const auto settled = ledger.settle(1, 0, kFullCost);
  EXPECT_EQ(settled.change, 0);
  EXPECT_EQ(ledger.settle(1, 0, kFullCost).change, 0);  // nothing is out
}

TEST(ServerTime, JudgesEachKindByItsOwnBase) {
  ServerTime time;
  Replies calm;
  calm.count = {10, 10, 0, 0};
  calm.server_time_us = {10 * 20'000, 10 * 5'000, 0, 0};
  time.note(calm);
  EXPECT_DOUBLE_EQ(time.base_us(Handshake::kFull), 20'000);
  EXPECT_DOUBLE_EQ(time.base_us(Handshake::kResumed), 5'000);
  // More full ones among them is no slower server.
  Replies mixed = calm;
  mixed.count = {50, 1, 0, 0};
  mixed.server_time_us = {50 * 20'000, 5'000, 0, 0};
  EXPECT_DOUBLE_EQ(time.distance(mixed).slowness, 1);
  EXPECT_TRUE(time.within(1.15, mixed));
  Replies slow = calm;
  slow.server_time_us = {10 * 42'000, 10 * 12'000, 0, 0};
  EXPECT_DOUBLE_EQ(time.distance(slow).slowness, 2);
  EXPECT_FALSE(time.within(1.15, slow));
}

TEST(ServerTime, AStandingQueueDoesNotBecomeTheBase) {
  ServerTime time;
  Replies calm, slow;
  calm.count = slow.count = {10, 0, 0, 0};
  calm.server_time_us = {10 * 20'000, 0, 0, 0};
  slow.server_time_us = {10 * 40'000, 0, 0, 0};
  time.note(calm);
  EXPECT_TRUE(time.end_epoch());
  time.note(slow);
  EXPECT_FALSE(time.end_epoch());
  EXPECT_DOUBLE_EQ(time.base_us(Handshake::kFull), 20'000);
  time.note(slow);  // the server was let idle, and still takes that long
  EXPECT_TRUE(time.renew(1.35));
  EXPECT_DOUBLE_EQ(time.base_us(Handshake::kFull), 40'000);
}

// Vectors: CPython 3.11 with PYTHONHASHSEED=0, whose bytes hash is SipHash-1-3 with a zero key.
TEST(KeyedHash, IsSipHash13) {
  EXPECT_EQ(keyed_hash({0, 0}, 0, 0), 0x76be999e3e25b2a0ULL);
  EXPECT_EQ(keyed_hash({0, 0}, 1, 2), 0xfb058313e6201d48ULL);
  EXPECT_EQ(keyed_hash({0, 0}, 0x0123456789abcdefULL, 0xfedcba9876543210ULL),
            0x26a9fe81d3b46069ULL);
}

TEST(Sketch, NeverCountsTooLittleAndTheHeaviestNearlyExactly) {
  std::mt19937_64 random(11);
  Sketch sketch(10);
  std::map<std::uint64_t, std::uint32_t> exact;
  const std::uint64_t heavy = keyed_hash({1, 2}, 99, 0);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t who = i % 10 == 0 ? heavy : keyed_hash({1, 2}, random() % 5'000, 1);
    const std::uint32_t estimate = sketch.add(who, 5);
    ASSERT_GE(estimate, ++exact[who]);
  }
  EXPECT_LE(sketch.add(heavy, 5), exact[heavy] + 60);
  EXPECT_EQ(sketch.total(), 20'001U);
}

TEST(Sketch, ForgetsWithinTwoPeriods) {
  Sketch sketch(4);
  for (int i = 0; i < 100; ++i) sketch.add(7, 0);
  EXPECT_EQ(sketch.add(7, Sketch::kPeriod), 51U);  // half of the last period's
  EXPECT_EQ(sketch.add(7, 4 * Sketch::kPeriod), 1U);
}

}  // namespace
}  // namespace sallyport::admission::test
