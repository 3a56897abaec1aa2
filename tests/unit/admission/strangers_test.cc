// Sources that nobody enrolled.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "policy/admission/strangers.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

IpAddress v4(unsigned net, unsigned host) { return IpAddress::v4(203U << 24 | net << 8 | host); }
IpAddress v6(unsigned net, unsigned host) {
  std::array<std::uint8_t, 16> b{0x20, 0x01, 0x0d, 0xb8};
  b[6] = static_cast<std::uint8_t>(net >> 8);
  b[7] = static_cast<std::uint8_t>(net);
  b[14] = static_cast<std::uint8_t>(host >> 8);
  b[15] = static_cast<std::uint8_t>(host);
  return IpAddress::v6(b);
}

struct Gate {
  explicit Gate(std::uint32_t answers = 1000)
      : memory(Strangers::kWays << kSetBits), engine(memory, {.conduits = 1, .lanes = 1}) {
    ConduitConfig config;
    config.rate_per_s = 100;
    config.per_device_per_s = 0;
    const std::array<Engine::LaneSpec, 1> lanes{Engine::LaneSpec{}};
    engine.set_conduit(0, config, lanes, 1, at(now));
    strangers = std::make_unique<Strangers>(engine, Strangers::Limits{.first = 0,
                                                                      .set_bits = kSetBits,
                                                                      .lane = 0,
                                                                      .answers_per_s = answers,
                                                                      .key = {0x1234, 0x5678}});
  }
  static constexpr unsigned kSetBits = 6;
  Duration now{};
  std::vector<Place> memory;
  Engine engine;
  std::unique_ptr<Strangers> strangers;
};

TEST(Strangers, NothingIsKeptOfWhoHasNotProvedItsAddress) {
  Gate gate(1'000'000);
  for (unsigned i = 0; i < 100'000; ++i) gate.strangers->first(v4(i / 200, i % 200), at(gate.now));
  EXPECT_EQ(gate.strangers->stats().verified, 0U);
  EXPECT_EQ(gate.engine.shard().stats().arrivals, 0U);
}

TEST(Strangers, WithoutPressureEverybodyIsAnswered) {
  Gate gate;
  for (unsigned i = 0; i < 900; ++i)
    EXPECT_EQ(gate.strangers->first(v4(1, 1), at(gate.now)), Strangers::First::kAnswer);
}

class Version : public testing::TestWithParam<bool> {
 public:
  static IpAddress address(unsigned net, unsigned host) {
    return GetParam() ? v6(net, host) : v4(net, host);
  }
};

TEST_P(Version, UnderPressureHeavyPrefixesAreSilencedAndOthersAreNot) {
  Gate gate(1000);
  Dice random(1);
  std::uint32_t light_silenced = 0, light = 0, heavy_answered = 0, heavy = 0;
  for (int second = 0; second < 5; ++second) {
    for (int i = 0; i < 20'000; ++i) {
      gate.now += 50us;
      // Nine in ten packets come from one prefix, from ever other addresses of it.
      const bool attacker = i % 10 != 0;
      const auto answer = gate.strangers->first(
          attacker ? address(7, random() % 256) : address(100 + random() % 1000, random() % 256),
          at(gate.now));
      if (second == 0) continue;
      ++(attacker ? heavy : light);
      if (attacker) heavy_answered += answer == Strangers::First::kAnswer ? 1 : 0;
      if (!attacker) light_silenced += answer == Strangers::First::kSilent ? 1 : 0;
    }
  }
  EXPECT_LT(heavy_answered, heavy / 50);
  EXPECT_LT(light_silenced, light / 50);
}

TEST_P(Version, OnePrefixNeverHoldsMoreThanItsSet) {
  Gate gate;
  std::set<PairId> pairs;
  for (unsigned host = 0; host < 200; ++host) {
    const PairId pair = gate.strangers->verified(address(7, host), at(gate.now));
    if (pair != kNone) pairs.insert(pair);
  }
  EXPECT_EQ(pairs.size(), Strangers::kWays);
  // Others are served meanwhile, but for those of the same set.
  std::uint32_t served = 0;
  for (unsigned net = 100; net < 200; ++net)
    served += gate.strangers->verified(address(net, 1), at(gate.now)) != kNone ? 1 : 0;
  EXPECT_GE(served, 90U);
}
INSTANTIATE_TEST_SUITE_P(Ip, Version, testing::Bool(), [](const testing::TestParamInfo<bool>& i) {
  return i.param ? "v6" : "v4";
});

TEST(Strangers, ASourceKeepsItsPairAndAnotherNeverGetsIt) {
  Gate gate;
  std::map<PairId, unsigned> whose;
  for (int round = 0; round < 3; ++round) {
    for (unsigned net = 0; net < 40; ++net) {
      const PairId pair = gate.strangers->verified(v4(net, 9), at(gate.now));
      if (pair == kNone) continue;
      EXPECT_EQ(whose.try_emplace(pair, net).first->second, net);
    }
    gate.now += 10s;
  }
  EXPECT_GE(whose.size(), 35U);
}

TEST(Strangers, ASilentSourceMakesRoomAndItsSuccessorInheritsNothing) {
  Gate gate;
  for (unsigned host = 0; host < 8; ++host)
    ASSERT_NE(gate.strangers->verified(v4(7, host), at(gate.now)), kNone);
  EXPECT_EQ(gate.strangers->verified(v4(7, 8), at(gate.now)), kNone);
  gate.now += 31s;
  // One of the eight is in the middle of a handshake: it keeps its pair.
  const PairId busy = gate.strangers->verified(v4(7, 0), at(gate.now));
  const Decision d = gate.engine.arrive(busy, syn(4000, 1), at(gate.now));
  ASSERT_EQ(d.verdict, Verdict::kPass);
  gate.now += 31s;
  std::set<PairId> successors;
  for (unsigned host = 100; host < 120; ++host) {
    const PairId pair = gate.strangers->verified(v4(7, host), at(gate.now));
    if (pair != kNone) successors.insert(pair);
  }
  EXPECT_EQ(successors.size(), 7U);
  EXPECT_FALSE(successors.contains(busy));
  EXPECT_EQ(gate.strangers->stats().replaced, 7U);
  gate.engine.audit();
}

TEST(Strangers, AnotherKeyChoosesOtherSets) {
  // Whoever knows how one gateway hashes learns nothing about the next.
  std::size_t same = 0;
  for (unsigned net = 0; net < 64; ++net) {
    const std::uint64_t prefix = net;
    same +=
        (keyed_hash({1, 2}, prefix, 0) >> 48) % 64 == (keyed_hash({3, 4}, prefix, 0) >> 48) % 64;
  }
  EXPECT_LT(same, 10U);
}

}  // namespace
}  // namespace sallyport::admission::test
