// The hostile corpus through the real pipeline: 1,000,000 frames in all over every port, against a
// gateway without policy and against one with a plant behind it. Nothing may leave for another
// port; what may leave at all are neighbour answers to the very wire that asked.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/hostile_corpus.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

constexpr std::uint64_t kSeed = 20261123;
constexpr int kFramesWithoutPolicy = 50'000;  // for each of 3 attackers
constexpr int kFramesWithPolicy = 122'000;    // for each of 7: 1,004,000 frames in all

HostileHost as_hostile(const Host& host) { return {host.mac, host.v4, host.v6}; }

HostileWorld hostile_world(const PipelineWorld& world, const Host& self) {
  static const std::map<std::string, std::pair<const char*, const char*>> gateways = {
      {"field", {"10.20.0.1", "fd00:20::1"}},
      {"yard", {"10.40.0.1", "fd00:40::1"}},
      {"office", {"10.30.0.1", "fd00:30::1"}},
      {"uplink", {"192.0.2.2", "2001:db8::2"}}};
  const auto& [v4, v6] = gateways.at(self.segment);
  HostileWorld out{as_hostile(self),
                   {world.segment_mac(self.segment), *IpAddress::parse(v4), *IpAddress::parse(v6)},
                   {}};
  for (const auto& [name, host] : plant_hosts()) {
    if (host.mac != self.mac) out.others.push_back(as_hostile(host));
  }
  return out;
}

TEST(HostileCorpus, NothingLeavesWithoutPolicy) {
  const std::uint32_t free_before = test_pool().free_count();
  {
    PipelineWorld world(std::nullopt);
    for (const char* attacker : {"plc", "rogue", "cloud"}) {
      const Host& self = plant_hosts().at(attacker);
      HostileCorpus corpus(kSeed, hostile_world(world, self));
      for (int i = 0; i < kFramesWithoutPolicy; ++i) {
        const HostileFrame& frame = corpus.next();
        if (frame.bytes.size() > 2048) continue;  // no port hands such a frame up
        const auto out = world.receive(self.port, frame.bytes);
        ASSERT_TRUE(out.empty()) << frame.kind << ' ' << as_scapy(frame.bytes);
        ASSERT_TRUE(world.verdict().drop.has_value()) << frame.kind << ' ' << as_scapy(frame.bytes);
      }
    }
  }
  EXPECT_EQ(test_pool().free_count(), free_before) << "packets leak";
}

// Conduits on ports that the corpus never dials: what it sends is denied, or an accident of chance.
model::Gateway hostile_plant() {
  model::Gateway g = plant();
  std::erase_if(g.conduits, [](const model::Conduit& c) { return c.name == "scada-ping"; });
  for (model::Conduit& c : g.conduits) {
    c.service.ports = {39011, 39011};
    if (c.terminate) c.terminate->listen_port = 39012;
  }
  return g;
}

// Each attacker sends from its own wire; every other port is a possible victim.
TEST(HostileCorpus, NothingCrossesToAnotherPort) {
  const std::uint32_t free_before = test_pool().free_count();
  std::set<Drop> reasons;
  {
    PipelineWorld world(hostile_plant());
    std::uint64_t seed = kSeed;
    int sent = 0;
    for (const char* attacker : {"plc", "meter", "camera", "scada", "cloud", "rogue", "router"}) {
      const Host& self = plant_hosts().at(attacker);
      const HostileWorld targets = hostile_world(world, self);
      HostileCorpus corpus(++seed, targets);
      for (int i = 0; i < kFramesWithPolicy; ++i, ++sent) {
        const HostileFrame& frame = corpus.next();
        if (frame.bytes.size() > 2048) continue;
        const auto out = world.receive(self.port, frame.bytes);
        if (world.verdict().drop) reasons.insert(*world.verdict().drop);
        for (const Frame& left : out) {
          // The host stack judges for itself; a wire other than the sender's is the failure.
          const bool stack = left.where.starts_with("host:");
          ASSERT_TRUE(stack || left.where == self.port)
              << attacker << ' ' << frame.kind << " left by " << left.where << ' '
              << as_scapy(frame.bytes) << " as " << as_scapy(left.bytes);
        }
        if (i % 64 == 0) world.wait(std::chrono::milliseconds(50));
      }
    }
    fmt::print("hostile corpus: seed {}, {} frames, {} different reasons\n", kSeed, sent,
               reasons.size());
    world.wait(std::chrono::seconds(10));
  }
  EXPECT_GE(reasons.size(), 30U) << "the corpus should meet most reasons";
  EXPECT_EQ(test_pool().free_count(), free_before) << "packets leak";
}

}  // namespace
}  // namespace sallyport::testing
