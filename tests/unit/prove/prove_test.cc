// The proof holds for what the compiler makes, and what differs from the model is found wherever it
// stands. Here most differences are made by compiling a configuration that is not the proven one:
// that is what a faulty compiler would have made of it. planted_test.cc makes the compiler faulty,
// bits_test.cc the bytes.
#include "policy/prove/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "policy/explain/question.h"
#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using model::Gateway;
using testing::add_conduit;
using testing::device;
using ::testing::HasSubstr;
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
  for (std::uint64_t round = 0; round < 300; ++round) {
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed) continue;
    const Proof proof = prove(testing::view_of(agreed->compiled), agreed->gateway, std::nullopt);
    ASSERT_TRUE(proof.holds()) << "seed " << seed + round << "\n" << to_text(proof);
    ++proven;
  }
  EXPECT_GT(proven, 200U);
}

// Another random plant's tables are not this one's, and of whatever differs the packet is real:
// `explain` on the tables says of it what the proof says.
TEST(Prove, WitnessesOfRandomDifferencesAreConfirmedByExplain) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::size_t confirmed = 0;
  for (std::uint64_t round = 0; round < 200; ++round) {
    SCOPED_TRACE(seed + round);
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed || agreed->gateway.conduits.empty()) continue;
    Gateway meant = agreed->gateway;
    // One conduit less is meant than was made, or one more.
    auto& last = meant.conduits.back();
    if (choices.one_in(2))
      meant.conduits.pop_back();
    else
      last.service.ports.last = last.service.ports.first = 7;
    const auto view = testing::view_of(agreed->compiled);
    for (const Difference& d : prove(view, meant, std::nullopt).differences) {
      if (!d.witness) continue;
      const bool allowed = explain::explain(view, *d.witness).allowed;
      if (d.wrong == Wrong::kUndescribed || d.wrong == Wrong::kMissing) {
        EXPECT_EQ(allowed, d.wrong == Wrong::kUndescribed) << d.text;
        ++confirmed;
      }
      // And the command line that is printed for it asks the same.
      const auto again = explain::parse_question(view, explain::words_of(view, *d.witness));
      ASSERT_TRUE(again) << again.error().context << " " << d.command;
      EXPECT_EQ(explain::words_of(view, *again), explain::words_of(view, *d.witness));
    }
  }
  EXPECT_GT(confirmed, 100U);
}

struct Fault {
  const char* name;
  std::function<void(Gateway&)> common;  // what both have beyond the bare plant
  std::function<void(Gateway&)> fault;   // what the faulty compiler made of it
  Wrong wrong;
  const char* says;
};

void nothing(Gateway& /*gateway*/) {}
void listener(Gateway& g) {
  add_conduit(g, "c", segment("uplink"), device("press4"), tcp(502)).terminate =
      testing::inbound(802);
}
void dialler(Gateway& g) {
  add_conduit(g, "c", device("meter"), testing::addresses({"203.0.113.9"}), tcp(1883)).terminate =
      testing::outbound("broker.example", 8883);
}
void inspected(Gateway& g) {
  add_conduit(g, "c", device("scada"), device("press4"), tcp(502)).inspect.modbus =
      model::ModbusInspect{{3}, {1}};
}
void direct(Gateway& g) {
  add_conduit(g, "c", device("scada"), device("camera"), tcp(80)).admission = {5, 10, 1};
}

const Fault kFaults[] = {
    {"an unreviewed conduit in force",
     [](Gateway& g) {
       add_conduit(g, "c", device("scada"), device("camera"), tcp(80)).review.reset();
     },
     [](Gateway& g) { g.conduits[0].review = testing::reviewed(); }, Wrong::kUndescribed,
     "permitted by c"},
    {"a conduit in force taken for unreviewed", direct,
     [](Gateway& g) { g.conduits[0].review.reset(); }, Wrong::kTermination,
     "whether it is in force"},
    {"a conduit written elsewhere", direct, [](Gateway& g) { g.conduits[0].at.line = 7; },
     Wrong::kTermination, "its place in the file"},
    {"a conduit written elsewhere in its line", direct,
     [](Gateway& g) { g.conduits[0].at.column = 7; }, Wrong::kTermination, "its place in the file"},
    {"one conduit too many", direct,
     [](Gateway& g) { add_conduit(g, "d", device("scada"), device("camera"), tcp(81)); },
     Wrong::kTermination, "the conduits are not the configured ones"},
    {"a conduit of another name", direct, [](Gateway& g) { g.conduits[0].name = "d"; },
     Wrong::kTermination, "conduit c is not in the snapshot"},
    {"a direct rule instead of a terminated one", inspected,
     [](Gateway& g) { g.conduits[0].inspect.modbus.reset(); }, Wrong::kOtherRule, "direct"},
    {"a rule that bounds less in flight", direct,
     [](Gateway& g) { g.conduits[0].admission.inflight = 6; }, Wrong::kTermination,
     "rule c: its bounds"},
    {"a rule that bounds another rate", direct,
     [](Gateway& g) { g.conduits[0].admission.rate_per_s = 11; }, Wrong::kTermination,
     "rule c: its bounds"},
    {"a rule that bounds another rate for each device", direct,
     [](Gateway& g) { g.conduits[0].admission.per_device_per_s = 2; }, Wrong::kTermination,
     "rule c: its bounds"},
    {"a name of another",
     [](Gateway& g) {
       add_conduit(g, "c", device("camera"), testing::name("time.example"), testing::udp(123));
     },
     [](Gateway& g) { g.conduits[0].to = testing::name("evil.example"); }, Wrong::kUndescribed,
     "evil.example"},

    {"another device behind a port", nothing,
     [](Gateway& g) { g.ports[1].device = "net_af_packet9,iface=eth9"; }, Wrong::kIdentity,
     "the ports are not the configured ones"},
    {"a device on another port", nothing, [](Gateway& g) { g.devices[0].where = {"lan2", 0}; },
     Wrong::kIdentity, "device press4 is not bound as enrolled"},
    {"a device with another's MAC", nothing,
     [](Gateway& g) { std::swap(g.devices[0].mac, g.devices[1].mac); }, Wrong::kIdentity,
     "device meter is not bound as enrolled"},
    {"a device that follows addresses", nothing,
     [](Gateway& g) { g.devices[0].slaac_follow = true; }, Wrong::kIdentity,
     "device press4 is not bound as enrolled"},
    {"a device that nobody enrolled", nothing,
     [](Gateway& g) {
       model::Device ghost = g.devices[0];
       ghost.name = "ghost";
       ghost.mac = testing::mac("02:00:00:00:77:77");
       ghost.addresses = {testing::ip("10.20.0.77")};
       g.devices.push_back(ghost);
     },
     Wrong::kIdentity, "device ghost is bound and not enrolled"},
    {"a device's address elsewhere", nothing,
     [](Gateway& g) { g.devices[0].addresses[0] = testing::ip("10.20.0.55"); }, Wrong::kPlace,
     "10.20.0.5 "},
    {"a subnet too wide", nothing,
     [](Gateway& g) { g.segments[1].addresses[0] = testing::own("10.20.0.1", 23); }, Wrong::kPlace,
     "10.20.0.255"},
    {"a virtual range too wide", nothing,
     [](Gateway& g) {
       g.virtual_ranges = {testing::prefix("198.16.0.0/14"),
                           testing::prefix("fd53:414c:4c59::/64")};
     },
     Wrong::kPlace, "198.16.0.0 lives in nowhere"},
    {"a port in another segment", nothing,
     [](Gateway& g) {
       std::swap(g.segments[1].members[1], g.segments[2].members[0]);
       g.devices[1].where = g.devices[0].where;
       g.devices[2].where = g.devices[0].where;
       g.devices[3].where = g.segments[2].members[0];
     },
     Wrong::kIdentity, "belong to other segments"},
    {"one VLAN more", nothing, [](Gateway& g) { g.segments[1].members.push_back({"lan3", 9}); },
     Wrong::kIdentity, "belong to other segments"},
    {"one segment more", nothing,
     [](Gateway& g) {
       model::Segment extra;
       extra.name = "extra";
       g.segments.push_back(extra);
     },
     Wrong::kIdentity, "more segments than configured"},
    {"another role", nothing, [](Gateway& g) { g.segments[2].role = model::Role::kManagement; },
     Wrong::kIdentity, "segment office is not as configured"},
    {"another next hop", nothing,
     [](Gateway& g) { g.segments[0].gateways[0] = testing::ip("192.0.2.9"); }, Wrong::kIdentity,
     "segment uplink is not as configured"},
    {"a chosen MAC that is another",
     [](Gateway& g) { g.segments[1].mac = testing::mac("02:00:00:00:00:09"); },
     [](Gateway& g) { g.segments[1].mac = testing::mac("02:00:00:00:00:08"); }, Wrong::kIdentity,
     "segment field is not as configured"},
    {"a MAC made up that is no host's own", nothing,
     [](Gateway& g) { g.segments[1].mac = testing::mac("00:11:22:33:44:55"); }, Wrong::kIdentity,
     "segment field is not as configured"},
    {"the operator's word made up", nothing, [](Gateway& g) { g.segments[1].isolated = true; },
     Wrong::kIdentity, "segment field is not as configured"},
    {"a service told to the host stack", nothing,
     [](Gateway& g) { g.segments[1].services &= static_cast<std::uint16_t>(~model::kDhcp); },
     Wrong::kIdentity, "segment field is not as configured"},

    {"a listener that asks for no certificate", listener,
     [](Gateway& g) { g.conduits[0].terminate->client_auth = model::ClientAuth::kNone; },
     Wrong::kTermination, "credential"},
    {"a listener with another's CA", listener,
     [](Gateway& g) { g.conduits[0].terminate->client_ca = "other"; }, Wrong::kTermination,
     "credential"},
    {"a listener with another's certificate", listener,
     [](Gateway& g) { g.conduits[0].terminate->certificate = "other"; }, Wrong::kTermination,
     "credential"},
    {"a listener without inspection", inspected,
     [](Gateway& g) { g.conduits[0].inspect.modbus->functions = {3, 6}; }, Wrong::kTermination,
     "its inspection"},
    {"another unit behind the inspection", inspected,
     [](Gateway& g) { g.conduits[0].inspect.modbus->units = {}; }, Wrong::kTermination,
     "its inspection"},
    {"no inspection at all", listener,
     [](Gateway& g) { g.conduits[0].inspect.modbus = model::ModbusInspect{{3}, {}}; },
     Wrong::kTermination, "its inspection"},
    {"a relay instead of TLS", listener,
     [](Gateway& g) {
       g.conduits[0].terminate.reset();
       g.conduits[0].inspect.modbus = model::ModbusInspect{{3}, {}};
     },
     Wrong::kTermination, "its TLS side"},
    {"another server behind a listener", listener,
     [](Gateway& g) { g.conduits[0].to = device("camera"); }, Wrong::kTermination, "its server"},
    {"another port of the server", listener, [](Gateway& g) { g.conduits[0].service = tcp(503); },
     Wrong::kTermination, "its server"},
    {"another bound of handshakes", listener,
     [](Gateway& g) { g.conduits[0].admission.inflight = 65; }, Wrong::kTermination,
     "its bound of handshakes"},
    {"a listener in another segment", listener,
     [](Gateway& g) { g.conduits[0].from = segment("office"); }, Wrong::kTermination,
     "where it listens"},
    {"another server's name", dialler,
     [](Gateway& g) { g.conduits[0].terminate->server_name = "evil.example"; }, Wrong::kTermination,
     "its server"},
    {"another server's CA", dialler,
     [](Gateway& g) { g.conduits[0].terminate->server_ca = "evil-ca"; }, Wrong::kTermination,
     "credential"},
    {"another server's address", dialler,
     [](Gateway& g) { g.conduits[0].terminate->server_address = testing::ip("203.0.113.66"); },
     Wrong::kTermination, "its server"},
    {"the name of another question",
     [](Gateway& g) {
       add_conduit(g, "c", device("meter"), testing::name("a.example"), tcp(1883)).terminate =
           testing::outbound("b.example", 8883);
     },
     [](Gateway& g) { g.conduits[0].to = testing::name("z.example"); }, Wrong::kTermination,
     "the name that it answers for"},
    {"a question answered in another segment",
     [](Gateway& g) {
       add_conduit(g, "c", device("meter"), testing::name("a.example"), tcp(1883)).terminate =
           testing::outbound("b.example", 8883);
     },
     [](Gateway& g) { g.conduits[0].from = device("scada"); }, Wrong::kTermination,
     "a.example has no virtual IPv4 address in field"},
    {"another resolver",
     [](Gateway& g) {
       add_conduit(g, "c", device("gateway"), testing::addresses({"203.0.113.53"}),
                   testing::udp(53));
     },
     [](Gateway& g) { g.conduits[0].to = testing::addresses({"203.0.113.54"}); },
     Wrong::kTermination, "DNS servers"},
};

TEST(Prove, FindsWhatTheModelDoesNotSay) {
  for (const Fault& f : kFaults) {
    Gateway meant = testing::bare_gateway();
    f.common(meant);
    Gateway made = meant;
    f.fault(made);
    const Proof proof = proof_of(made, meant);
    const bool found =
        std::any_of(proof.differences.begin(), proof.differences.end(), [&](const Difference& d) {
          return d.wrong == f.wrong && d.text.find(f.says) != std::string::npos;
        });
    EXPECT_TRUE(found) << f.name << "\n" << to_text(proof);
  }
}

TEST(Prove, CountsReviewsByTheSameDayAsTheCompiler) {
  Gateway g = testing::bare_gateway();
  add_conduit(g, "c", device("scada"), device("camera"), tcp(80));
  const std::int32_t end = g.conduits[0].review->expires_day;
  for (const std::int32_t day : {end, end + 1, end + 30, end + 31}) {
    compile::CompileInput input;
    input.today = day;
    const auto compiled = testing::compiled(g, input);
    EXPECT_TRUE(prove(testing::view_of(compiled), g, day).holds()) << day;
    const bool other = day > end + 30;
    EXPECT_EQ(prove(testing::view_of(compiled), g, other ? end : end + 31).holds(), false) << day;
  }
}

TEST(Prove, SaysWhatCannotBeEnforced) {
  Gateway g = testing::bare_gateway();
  const Proof proof = proof_of(g, g);
  ASSERT_EQ(proof.not_enforceable.size(), 1U);
  EXPECT_THAT(to_text(proof), HasSubstr("not enforceable: meter, camera share port lan2"));
  // A VLAN each: the gateway stands between them.
  g.segments[1].members.push_back({"lan2", 5});
  g.devices[2].where = {"lan2", 5};
  EXPECT_TRUE(proof_of(g, g).not_enforceable.empty());
  g.devices[1].where = {"lan2", 5};
  EXPECT_THAT(to_text(proof_of(g, g)),
              HasSubstr("not enforceable: meter, camera share port lan2 VLAN 5"));
  g.segments[1].isolated = true;
  EXPECT_TRUE(proof_of(g, g).not_enforceable.empty());
}

TEST(Prove, ARefusalNamesTheFaultThePacketAndHowToAskForIt) {
  const Gateway meant = testing::bare_gateway();
  EXPECT_TRUE(refusal(proof_of(meant, meant)).empty());
  Gateway made = meant;
  made.segments[2].services |= model::kDns;
  const model::Diagnostics refused = refusal(proof_of(made, meant));
  const auto at = std::find_if(refused.begin(), refused.end(),
                               [](const auto& d) { return d.code == "proof-undescribed"; });
  ASSERT_NE(at, refused.end());
  EXPECT_THAT(at->message, HasSubstr("builtin:dns:office"));
  EXPECT_THAT(at->message, HasSubstr("tcp 10.30.0.5:40000 > 10.30.0.1:53 in office"));
  EXPECT_THAT(at->hint, HasSubstr("explain --candidate FILE --in office 10.30.0.5:40000 "
                                  "10.30.0.1:53 tcp"));
}

// More than can be shown is still refused.
TEST(Prove, ManyDifferencesAreCountedAndSomeShown) {
  Gateway meant = testing::bare_gateway();
  for (int n = 0; n < 200; ++n)
    add_conduit(meant, "c" + std::to_string(n), device("scada"), device("camera"),
                tcp(static_cast<std::uint16_t>(1000 + 2 * n)));
  Gateway made = meant;
  for (model::Conduit& c : made.conduits) c.service.ports.last = c.service.ports.first += 1;
  const Proof proof = proof_of(made, meant);
  EXPECT_EQ(proof.differences.size(), kMaxDifferences);
  EXPECT_EQ(proof.differences.size() + proof.differences_omitted, 800U);
  EXPECT_FALSE(proof.holds());
  EXPECT_THAT(to_text(proof), HasSubstr("and 736 more"));
}

// An end that nobody has: no packet shows it, and it is refused all the same.
TEST(Prove, WhatNobodyCanSendTodayIsRefusedWithoutAPacket) {
  Gateway meant = testing::bare_gateway();
  add_conduit(meant, "c", segment("office", {"10.30.0.0/28"}), device("camera"), tcp(80));
  Gateway made = meant;
  std::get<model::SegmentEnd>(made.conduits[0].from).prefixes = {testing::prefix("10.30.0.0/27")};
  const Proof proof = proof_of(made, meant);
  ASSERT_EQ(proof.differences.size(), 1U) << to_text(proof);
  EXPECT_EQ(proof.differences[0].wrong, Wrong::kUndescribed);
  EXPECT_FALSE(proof.differences[0].witness);
  EXPECT_THAT(proof.differences[0].text, HasSubstr("tcp 10.30.0.16 > 10.20.0.7 port 80"));
  // So is what a device could only send to itself.
  meant.conduits[0] = {};
  meant.conduits.clear();
  made = meant;
  add_conduit(made, "c", device("scada"), device("scada"), tcp(80));
  meant = made;
  made.conduits[0].service = tcp(81);
  const Proof itself = proof_of(made, meant);
  ASSERT_EQ(itself.differences.size(), 4U) << to_text(itself);
  for (const Difference& d : itself.differences) EXPECT_FALSE(d.witness) << d.text;
}

TEST(Prove, JsonSaysTheSame) {
  const Gateway meant = testing::bare_gateway();
  Gateway made = meant;
  made.segments[1].services &= static_cast<std::uint16_t>(~model::kDns);
  const Proof proof = proof_of(made, meant);
  const auto json = nlohmann::json::parse(to_json(proof));
  EXPECT_FALSE(json["holds"]);
  ASSERT_EQ(json["differences"].size(), proof.differences.size());
  const auto& last = json["differences"].back();
  EXPECT_EQ(last["wrong"], "missing");
  EXPECT_EQ(last["witness"]["destination_port"], 53);
  EXPECT_EQ(last["witness"]["explain"], proof.differences.back().command);
  EXPECT_EQ(json["not_enforceable"][0]["devices"][0], "meter");
}

}  // namespace
}  // namespace sallyport::prove
