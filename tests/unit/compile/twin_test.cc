// The compiled policy against its dumb twin: random plants, random and boundary packets, both IP
// versions. SALLYPORT_SEED replays a failure, SALLYPORT_ROUNDS sets how many plants.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/support/policy/comparison.h"

namespace sallyport {
namespace {

using testing::agree;
using testing::Choices;
using testing::Comparison;
using testing::ReferencePacket;
using testing::ReferencePolicy;
using testing::ReferenceVerdict;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

TEST(CompiledPolicy, AgreesWithItsTwinOnMillionsOfPackets) {
  const std::uint64_t seed = number_from("SALLYPORT_SEED", std::random_device{}());
  const std::uint64_t rounds = number_from("SALLYPORT_ROUNDS", 200);
  std::cout << "SALLYPORT_SEED=" << seed << "\n";
  std::size_t allowed = 0;
  std::size_t overlaps = 0;
  compile::Slots previous;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("SALLYPORT_SEED=" + std::to_string(seed + round) + " SALLYPORT_ROUNDS=1");
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = agree(testing::random_gateway(choices), previous);
    if (!agreed) continue;
    overlaps += agreed->overlaps;
    Comparison comparison(*agreed, choices);
    if (const auto difference = comparison.run(10'000)) FAIL() << *difference;
    allowed += comparison.allowed();
    if (rounds > 1) previous = agreed->compiled.slots;
  }
  if (rounds < 100) return;
  // The test is worth something only if both answers and real conflicts are frequent.
  EXPECT_GT(allowed, rounds * 400);
  EXPECT_GT(overlaps, rounds / 100);
}

// Wherever two conduits that differ permit one packet, the compiler must have refused.
TEST(CompiledPolicy, NoTwoDifferentConduitsDecideOnePacket) {
  const std::uint64_t seed = number_from("SALLYPORT_SEED", std::random_device{}());
  std::cout << "SALLYPORT_SEED=" << seed << "\n";
  for (std::uint64_t round = 0; round < 60; ++round) {
    SCOPED_TRACE("SALLYPORT_SEED=" + std::to_string(seed + round));
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = agree(testing::random_gateway(choices), {});
    if (!agreed) continue;
    const ReferencePolicy reference(agreed->gateway, agreed->compiled.slots.virtual_addresses);
    const auto addresses = testing::interesting_addresses(agreed->gateway, {});
    const auto ports = testing::interesting_ports();
    for (std::size_t i = 0; i < 4000; ++i) {
      ReferencePacket p;
      p.source = choices.pick(addresses);
      p.destination = choices.pick(addresses);
      if (p.source.version() != p.destination.version()) continue;
      p.protocol = choices.one_in(2) ? 6 : 17;
      p.port = choices.pick(ports);
      std::vector<const model::Conduit*> meant;
      for (const ReferenceVerdict& v : reference.permitting(p))
        for (const model::Conduit& c : agreed->gateway.conduits)
          if (c.name == v.rule && v.kind != "leg-b") meant.push_back(&c);
      for (std::size_t k = 1; k < meant.size(); ++k) {
        EXPECT_EQ(meant[0]->terminate.has_value(), meant[k]->terminate.has_value())
            << meant[0]->name << " " << meant[k]->name;
        EXPECT_EQ(meant[0]->service.ports, meant[k]->service.ports);
        EXPECT_EQ(meant[0]->service.protocol, meant[k]->service.protocol);
      }
    }
  }
}

}  // namespace
}  // namespace sallyport
