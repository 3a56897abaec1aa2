// The proof holds for what the compiler makes, and each planted fault is found with a packet.
//
// Most faults are planted by compiling a configuration that differs from the one that is proven:
// that is what a faulty compiler would have made of it.
#include "policy/prove/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using model::Gateway;
using testing::add_conduit;
using testing::device;
using ::testing::HasSubstr;
using testing::prefix;
using testing::segment;
using testing::tcp;

Proof proof_of(const Gateway& made, const Gateway& meant) {
  const auto compiled = testing::compiled(made);
  return prove(testing::view_of(compiled), meant, std::nullopt);
}

TEST(Prove, HoldsForWhatTheCompilerMakes) {
  for (const Gateway& g : {testing::sample_gateway(), testing::bare_gateway(), Gateway()}) {
    const Proof proof = proof_of(g, g);
    EXPECT_TRUE(proof.holds()) << to_text(proof);
  }
}

TEST(Prove, HoldsForRandomPlants) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::size_t proven = 0;
  for (std::uint64_t round = 0; round < 150; ++round) {
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed) continue;
    const Proof proof = prove(testing::view_of(agreed->compiled), agreed->gateway, std::nullopt);
    ASSERT_TRUE(proof.holds()) << "seed " << seed + round << "\n" << to_text(proof);
    ++proven;
  }
  EXPECT_GT(proven, 100U);
}

struct Fault {
  const char* name;
  std::function<void(Gateway&)> common;  // what both have beyond the bare plant
  std::function<void(Gateway&)> fault;   // what the faulty compiler made of it
  Wrong wrong;
  const char* says;
};

void nothing(Gateway&) {}
model::SegmentEnd& source(Gateway& g) { return std::get<model::SegmentEnd>(g.conduits[0].from); }

const Fault kFaults[] = {
    {"a widened mask",
     [](Gateway& g) {
       add_conduit(g, "c", segment("uplink", {"203.0.113.0/24"}), device("press4"), tcp(502));
     },
     [](Gateway& g) { source(g).prefixes = {prefix("203.0.112.0/23")}; }, Wrong::kUndescribed,
     "203.0.112.0 > 10.20.0.5 port 502"},
    {"a narrowed mask",
     [](Gateway& g) {
       add_conduit(g, "c", segment("uplink", {"203.0.113.0/24"}), device("press4"), tcp(502));
     },
     [](Gateway& g) { source(g).prefixes = {prefix("203.0.113.0/25")}; }, Wrong::kMissing,
     "203.0.113.128 > 10.20.0.5 port 502"},
    {"a swapped range",
     [](Gateway& g) { add_conduit(g, "c", device("scada"), device("camera"), tcp(80, 90)); },
     [](Gateway& g) { g.conduits[0].service = tcp(81, 91); }, Wrong::kMissing, "port 80"},
    {"a range one too long",
     [](Gateway& g) { add_conduit(g, "c", device("scada"), device("camera"), tcp(80, 90)); },
     [](Gateway& g) { g.conduits[0].service = tcp(80, 91); }, Wrong::kUndescribed, "port 91"},
    {"an overlap resolved silently",
     [](Gateway& g) {
       add_conduit(g, "a", device("scada"), device("camera"), tcp(80, 90));
       add_conduit(g, "b", device("scada"), device("camera"), tcp(85));
     },
     [](Gateway& g) { g.conduits[1].review.reset(); }, Wrong::kAmbiguous, "a was chosen"},
    {"IPv6 forgotten",
     [](Gateway& g) { add_conduit(g, "c", device("scada"), device("camera"), tcp(80)); },
     [](Gateway& g) { g.conduits[0].to = testing::addresses({"10.20.0.7"}); }, Wrong::kMissing,
     "fd00:30::5 > fd00:20::7 port 80"},
    {"a built-in service too wide", nothing,
     [](Gateway& g) { g.segments[2].services |= model::kDns; }, Wrong::kUndescribed,
     "builtin:dns:office"},
    {"a built-in service forgotten", nothing, [](Gateway& g) { g.segments[1].services = 0; },
     Wrong::kMissing, "builtin:dns:field"},
    {"a leg-B box too wide",
     [](Gateway& g) {
       add_conduit(g, "c", device("scada"), device("press4"), tcp(502)).inspect.modbus =
           model::ModbusInspect{{3}, {}};
     },
     [](Gateway& g) { add_conduit(g, "d", device("gateway"), device("press4"), tcp(503)); },
     Wrong::kUndescribed, "10.20.0.1 > 10.20.0.5 port 503"},
    {"a source turned round",
     [](Gateway& g) { add_conduit(g, "c", device("scada"), device("camera"), tcp(80)); },
     [](Gateway& g) { std::swap(g.conduits[0].from, g.conduits[0].to); }, Wrong::kUndescribed,
     "10.20.0.7 > 10.30.0.5 port 80"},
    {"a direct rule instead of a terminated one",
     [](Gateway& g) {
       add_conduit(g, "c", device("scada"), device("press4"), tcp(502)).inspect.modbus =
           model::ModbusInspect{{3}, {}};
     },
     [](Gateway& g) { g.conduits[0].inspect.modbus.reset(); }, Wrong::kOtherRule, "direct"},
    {"an unreviewed conduit in force",
     [](Gateway& g) {
       add_conduit(g, "c", device("scada"), device("camera"), tcp(80)).review.reset();
     },
     [](Gateway& g) { g.conduits[0].review = testing::reviewed(); }, Wrong::kUndescribed,
     "permitted by c"},
    {"a name of another",
     [](Gateway& g) {
       add_conduit(g, "c", device("camera"), testing::name("time.example"), testing::udp(123));
     },
     [](Gateway& g) { g.conduits[0].to = testing::name("evil.example"); }, Wrong::kUndescribed,
     "evil.example"},
    {"a device on another port", nothing, [](Gateway& g) { g.devices[0].where = {"lan2", 0}; },
     Wrong::kIdentity, "press4"},
    {"a device with another's MAC", nothing,
     [](Gateway& g) { std::swap(g.devices[0].mac, g.devices[1].mac); }, Wrong::kIdentity, "meter"},
    {"a device's address elsewhere", nothing,
     [](Gateway& g) { g.devices[0].addresses[0] = testing::ip("10.20.0.55"); }, Wrong::kPlace,
     "10.20.0.5 "},
    {"a subnet too wide", nothing,
     [](Gateway& g) { g.segments[1].addresses[0] = testing::own("10.20.0.1", 23); }, Wrong::kPlace,
     "10.20.0.255"},
    {"a port in another segment", nothing,
     [](Gateway& g) {
       std::swap(g.segments[1].members[1], g.segments[2].members[0]);
       g.devices[1].where = g.devices[0].where;
       g.devices[2].where = g.devices[0].where;
       g.devices[3].where = g.segments[2].members[0];
     },
     Wrong::kIdentity, "belong to other segments"},
    {"a listener that asks for no certificate",
     [](Gateway& g) {
       add_conduit(g, "c", segment("uplink"), device("press4"), tcp(502)).terminate =
           testing::inbound(802);
     },
     [](Gateway& g) { g.conduits[0].terminate->client_auth = model::ClientAuth::kNone; },
     Wrong::kTermination, "credential"},
    {"another server",
     [](Gateway& g) {
       add_conduit(g, "c", device("meter"), testing::addresses({"203.0.113.9"}), tcp(1883))
           .terminate = testing::outbound("broker.example", 8883);
     },
     [](Gateway& g) { g.conduits[0].terminate->server_name = "evil.example"; }, Wrong::kTermination,
     "its server"},
};

TEST(Prove, FindsEachPlantedFaultWithAPacket) {
  for (const Fault& f : kFaults) {
    Gateway meant = testing::bare_gateway();
    f.common(meant);
    Gateway made = meant;
    f.fault(made);
    const auto compiled = testing::compiled(made);
    const auto view = testing::view_of(compiled);
    const Proof proof = prove(view, meant, std::nullopt);
    bool found = false;
    for (const Difference& d : proof.differences) {
      if (d.wrong != f.wrong || d.text.find(f.says) == std::string::npos) continue;
      found = true;
      // explain, by the enforcing functions, says of the packet what the proof says.
      if (d.wrong == Wrong::kUndescribed || d.wrong == Wrong::kMissing) {
        ASSERT_TRUE(d.witness) << f.name;
        EXPECT_EQ(explain::explain(view, *d.witness).allowed, d.wrong == Wrong::kUndescribed)
            << f.name << "\n"
            << explain::to_text(explain::explain(view, *d.witness));
      }
      break;
    }
    EXPECT_TRUE(found) << f.name << "\n" << to_text(proof);
  }
}

TEST(Prove, SaysWhatCannotBeEnforced) {
  Gateway g = testing::bare_gateway();
  const Proof proof = proof_of(g, g);
  ASSERT_EQ(proof.not_enforceable.size(), 1U);
  EXPECT_THAT(to_text(proof), HasSubstr("not enforceable: meter, camera share port lan2"));
  g.segments[1].isolated = true;
  EXPECT_TRUE(proof_of(g, g).not_enforceable.empty());
}

TEST(Prove, JsonSaysTheSame) {
  const Gateway meant = testing::bare_gateway();
  Gateway made = meant;
  made.segments[1].services = 0;
  const Proof proof = proof_of(made, meant);
  const auto json = nlohmann::json::parse(to_json(proof));
  EXPECT_FALSE(json["holds"]);
  EXPECT_EQ(json["differences"].size(), proof.differences.size());
  EXPECT_EQ(json["differences"][0]["witness"]["destination_port"], 53);
}

}  // namespace
}  // namespace sallyport::prove
