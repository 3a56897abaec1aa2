// Faults planted in the compiler's stages and in its tables: the proof finds each with a packet,
// and `explain` and that packet, sent through the real pipeline under the faulty tables, say the
// same (confirm.h).
#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <string>

#include "policy/prove/prove.h"
#include "tests/support/policy/draft_tables.h"
#include "tests/support/policy/faulty_compiler.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/prove/confirm.h"

namespace sallyport::prove {
namespace {

using compile::AddressRange;
using compile::AddressSet;
using testing::Bytes;
using testing::Draft;
using testing::Faults;
using testing::ip;
using testing::prefix;
using wire::RuleKind;

// The bare plant with one conduit of each kind, so that each fault has something to be in.
model::Gateway meant() {
  model::Gateway g = testing::bare_gateway();
  testing::add_conduit(g, "see", testing::device("scada"), testing::device("camera"),
                       testing::tcp(80, 90));
  testing::add_conduit(g, "poll", testing::segment("uplink", {"203.0.113.0/24", "2001:db8:1::/64"}),
                       testing::device("press4"), testing::udp(502));
  testing::add_conduit(g, "ping", testing::device("scada"), testing::device("press4"),
                       testing::echo());
  testing::add_conduit(g, "in", testing::segment("uplink"), testing::device("press4"),
                       testing::tcp(502))
      .terminate = testing::inbound(802);
  testing::add_conduit(g, "in-meter", testing::segment("uplink"), testing::device("meter"),
                       testing::tcp(502))
      .terminate = testing::inbound(803);
  testing::add_conduit(g, "out", testing::device("meter"), testing::name("broker.example"),
                       testing::tcp(1883))
      .terminate = testing::outbound("broker.example", 8883);
  testing::add_conduit(g, "time", testing::device("camera"), testing::name("time.example"),
                       testing::udp(123));
  testing::add_conduit(g, "dns", testing::device("gateway"), testing::addresses({"203.0.113.53"}),
                       testing::udp(53));
  return g;
}

struct Fault {
  const char* name;
  Faults faults;
  Wrong wrong;
  const char* says;  // in the text of a difference of that kind
};

Faults in_plan(std::function<void(const compile::PlanInput&, compile::Plan&)> fault) {
  return {.plan = std::move(fault), .classes = {}, .pairs = {}, .snapshot = {}};
}
Faults in_classes(std::function<void(const compile::Plan&, compile::ClassTable&)> fault) {
  return {.plan = {}, .classes = std::move(fault), .pairs = {}, .snapshot = {}};
}
Faults in_pairs(std::function<void(compile::PairTables&)> fault) {
  return {.plan = {}, .classes = {}, .pairs = std::move(fault), .snapshot = {}};
}
Faults in_snapshot(std::function<void(Draft&)> fault) {
  return {.plan = {}, .classes = {}, .pairs = {}, .snapshot = std::move(fault)};
}

compile::PlannedRule& builtin(compile::Plan& plan, const char* name) {
  return testing::rule_of(plan, name, RuleKind::HostService);
}
AddressSet set_of(std::initializer_list<const char*> texts) {
  AddressSet out;
  for (const char* text : texts) out = out.unite(AddressSet::of(ip(text)));
  return out;
}
void only_v4(compile::Plan& plan, compile::PlannedRule& rule) {
  std::erase_if(rule.boxes, [&](const compile::Box& box) {
    return plan.sets.addresses(box.source).of_version(IpVersion::k4).empty();
  });
  for (compile::Box& box : rule.boxes)
    box.source = plan.sets.intern(plan.sets.addresses(box.source).of_version(IpVersion::k4));
}

const Fault kFaults[] = {
    // --- the six of the requirement
    {"a widened mask", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::set_sources(plan, testing::rule_of(plan, "poll", RuleKind::Direct),
                            AddressSet::of(prefix("203.0.112.0/23"))
                                .unite(AddressSet::of(prefix("2001:db8:1::/64"))));
     }),
     Wrong::kUndescribed, "udp 203.0.112.0 > 10.20.0.5 port 502: permitted by poll"},
    {"a widened IPv6 mask", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::set_sources(plan, testing::rule_of(plan, "poll", RuleKind::Direct),
                            AddressSet::of(prefix("203.0.113.0/24"))
                                .unite(AddressSet::of(prefix("2001:db8:1::/63"))));
     }),
     Wrong::kUndescribed, "> fd00:20::5 port 502: permitted by poll"},
    {"a swapped range", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       std::swap(testing::rule_of(plan, "see", RuleKind::Direct).transports[0].ports,
                 testing::rule_of(plan, "poll", RuleKind::Direct).transports[0].ports);
     }),
     Wrong::kMissing, "tcp 10.30.0.5 > 10.20.0.7 port 80: described by see but denied"},
    {"IPv6 forgotten", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       only_v4(plan, testing::rule_of(plan, "see", RuleKind::Direct));
     }),
     Wrong::kMissing, "tcp fd00:30::5 > fd00:20::7 port 80: described by see but denied"},
    {"IPv4 forgotten in a leg", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       auto& boxes = testing::rule_of(plan, "in", RuleKind::Terminate).boxes;
       boxes.erase(boxes.begin());
     }),
     Wrong::kMissing, "> 192.0.2.2 port 802: described by in but denied"},
    {"a built-in service for another segment",
     in_plan([](const compile::PlanInput& input, compile::Plan& plan) {
       testing::set_sources(plan, builtin(plan, "builtin:dns:field"),
                            input.geography.hosts(1).unite(input.geography.hosts(2)));
     }),
     Wrong::kUndescribed, "10.30.0.5 > 10.20.0.1 port 53: permitted by builtin:dns:field"},
    {"a built-in service on more ports", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       builtin(plan, "builtin:ntp:field").transports[0].ports = {123, 124};
     }),
     Wrong::kUndescribed, "port 124: permitted by builtin:ntp:field"},
    {"a built-in service at another segment's address",
     in_plan([](const compile::PlanInput& input, compile::Plan& plan) {
       testing::set_destinations(plan, builtin(plan, "builtin:dns:field"),
                                 input.geography.own(1).unite(input.geography.own(2)));
     }),
     Wrong::kUndescribed, "> 10.30.0.1 port 53: permitted by builtin:dns:field"},
    {"a leg-B box to the whole segment",
     in_plan([](const compile::PlanInput& input, compile::Plan& plan) {
       testing::set_destinations(plan, testing::rule_of(plan, "in", RuleKind::LegB),
                                 input.geography.hosts(1));
     }),
     Wrong::kUndescribed, "tcp 10.20.0.1 > 10.20.0.7 port 502: permitted by in"},
    {"a leg-B box on more ports", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::rule_of(plan, "in", RuleKind::LegB).transports[0].ports = {500, 502};
     }),
     Wrong::kUndescribed, "tcp 10.20.0.1 > 10.20.0.5 port 500: permitted by in"},
    {"a leg-B box from every host stack",
     in_plan([](const compile::PlanInput& input, compile::Plan& plan) {
       testing::set_sources(plan, testing::rule_of(plan, "in", RuleKind::LegB),
                            input.geography.own(1).unite(input.geography.own(2)));
     }),
     Wrong::kUndescribed, "tcp 10.30.0.1 > 10.20.0.5 port 502: permitted by in"},

    // --- other ways of compiling wrongly
    {"a range that begins one too early", in_pairs([](compile::PairTables& pairs) {
       for (wire::RangeRule& r : pairs.ranges)
         if (r.first_port() == 80) r = {79, r.last_port(), r.rule()};
     }),
     Wrong::kUndescribed, "port 79: permitted by see"},
    {"a range that ends one too early", in_pairs([](compile::PairTables& pairs) {
       for (wire::RangeRule& r : pairs.ranges)
         if (r.last_port() == 90) r = {r.first_port(), 89, r.rule()};
     }),
     Wrong::kMissing, "port 90: described by see but denied"},
    {"the last port of all", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::rule_of(plan, "see", RuleKind::Direct)
           .transports.push_back({IpProtocol::kTcp, {0xffff, 0xffff}});
     }),
     Wrong::kUndescribed, "port 65535: permitted by see"},
    {"another protocol", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::rule_of(plan, "see", RuleKind::Direct).transports[0].protocol = IpProtocol::kUdp;
     }),
     Wrong::kUndescribed, "udp 10.30.0.5 > 10.20.0.7 port 80: permitted by see"},
    {"an echo in one version only", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       testing::rule_of(plan, "ping", RuleKind::Direct).transports.pop_back();
     }),
     Wrong::kMissing, "icmpv6 fd00:30::5 > fd00:20::5 port 128: described by ping but denied"},
    {"both ends turned round", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       for (compile::Box& box : testing::rule_of(plan, "see", RuleKind::Direct).boxes)
         std::swap(box.source, box.destination);
     }),
     Wrong::kUndescribed, "tcp 10.20.0.7 > 10.30.0.5 port 80: permitted by see"},
    {"two devices' classes exchanged",
     in_classes([](const auto& /*plan*/, compile::ClassTable& table) {
       compile::ClassTable::Interval* meter = nullptr;
       compile::ClassTable::Interval* camera = nullptr;
       for (auto& i : table.intervals) {
         if (i.device == 1U && compile::is_v4(i.first)) meter = &i;
         if (i.device == 2U && compile::is_v4(i.first)) camera = &i;
       }
       std::swap(meter->destination_class, camera->destination_class);
     }),
     Wrong::kUndescribed, "tcp 10.30.0.5 > 10.20.0.6 port 80: permitted by see"},
    {"a prefix that begins one address late",
     in_classes([](const auto& /*plan*/, compile::ClassTable& table) {
       for (auto& i : table.intervals)
         if (i.first == compile::to_number(ip("203.0.113.0"))) ++i.first;
     }),
     Wrong::kMissing, "udp 203.0.113.0 > 10.20.0.5 port 502: described by poll but denied"},
    {"a prefix that ends one address late",
     in_classes([](const auto& /*plan*/, compile::ClassTable& table) {
       for (auto& i : table.intervals)
         if (i.first == compile::to_number(ip("203.0.114.0"))) ++i.first;
     }),
     Wrong::kUndescribed, "udp 203.0.114.0 > 10.20.0.5 port 502: permitted by poll"},
    {"two names in one class", in_classes([](const auto& /*plan*/, compile::ClassTable& table) {
       std::swap(table.destinations[table.destinations.size() - 1].name,
                 table.destinations[table.destinations.size() - 2].name);
     }),
     Wrong::kUndescribed, "broker.example port 123: permitted by time"},
    {"a conduit without review in force", in_plan([](const auto& /*input*/, compile::Plan& plan) {
       // As if "see" were another's rule: its own conduit is not described for these ends.
       testing::set_destinations(plan, testing::rule_of(plan, "see", RuleKind::Direct),
                                 set_of({"10.20.0.6", "fd00:20::6"}));
     }),
     Wrong::kUndescribed, "tcp 10.30.0.5 > 10.20.0.6 port 80: permitted by see"},
    {"leg A as a direct rule", in_snapshot([](Draft& d) {
       // Relayed straight to the gateway's own stack instead of to the terminator.
       const std::uint32_t service = testing::first_rule(d, draft::RuleKind::HostService);
       for (draft::RangeRule& r : d.ranges)
         if (r.first_port() == 802) r.mutate_rule(service);
     }),
     Wrong::kOtherRule, "described as in (leg-a)"},
    {"two listeners exchanged", in_snapshot([](Draft& d) {
       std::uint32_t a = 0;
       std::uint32_t b = 0;
       for (std::uint32_t r = 0; r < d.rules.size(); ++r) {
         if (d.rule_names[r] == "in" && d.rules[r].listener_port() != 0) a = r;
         if (d.rule_names[r] == "in-meter" && d.rules[r].listener_port() != 0) b = r;
       }
       for (draft::RangeRule& r : d.ranges) {
         if (r.rule() == a)
           r.mutate_rule(b);
         else if (r.rule() == b)
           r.mutate_rule(a);
       }
     }),
     Wrong::kOtherRule, "permitted as in-meter (leg-a), described as in (leg-a)"},
    {"a device where another is",
     in_snapshot([](Draft& d) { std::swap(d.device_names[0], d.device_names[1]); }),
     Wrong::kIdentity, "device press4 is not bound as enrolled"},
    {"a device on another port", in_snapshot([](Draft& d) { d.devices[0].mutate_port(2); }),
     Wrong::kIdentity, "device press4 is not bound as enrolled"},
    {"a subnet's host beyond the uplink", in_snapshot([](Draft& d) {
       draft::Interval4& hosts = testing::after(d, testing::interval_of(d, 2));
       hosts.mutate_segment(0);
     }),
     Wrong::kPlace, "10.20.0.8 lives in uplink , the configuration says field"},
};

class Planted : public ::testing::TestWithParam<Fault> {};

TEST_P(Planted, IsFoundWithAPacketThatExplainAndTheWireConfirm) {
  const Fault& fault = GetParam();
  const model::Gateway gateway = meant();
  compile::CompileInput input;
  input.revision = 2;
  input.unit_id = 1;
  const Bytes snapshot = testing::compile_with(gateway, fault.faults, input);
  const auto view = *wire::SnapshotView::verify(snapshot);
  const Proof proof = prove(view, gateway, std::nullopt);
  EXPECT_FALSE(proof.holds());
  bool found = false;
  for (const Difference& d : proof.differences) {
    if (d.wrong == fault.wrong && d.text.find(fault.says) != std::string::npos) {
      EXPECT_TRUE(d.witness) << d.text;
      found = true;
    }
    if (d.witness) confirm(fault.name, gateway, snapshot, view, d);
  }
  EXPECT_TRUE(found) << fault.name << "\n" << to_text(proof);
}

INSTANTIATE_TEST_SUITE_P(Faults, Planted, ::testing::ValuesIn(kFaults), [](const auto& fault) {
  std::string out;
  for (const char* c = fault.param.name; *c != '\0'; ++c) {
    const bool starts = c == fault.param.name || c[-1] == ' ' || c[-1] == '-' || c[-1] == '\'';
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0)
      out += static_cast<char>(starts ? std::toupper(*c) : *c);
  }
  return out;
});

// An overlap needs two conduits that differ; a compiler that kept silent about it would give the
// packet to one of them.
TEST(PlantedOverlap, ResolvedSilentlyIsFound) {
  enum class Differ { kInPorts, kInBounds, kInTimeouts };
  for (const Differ differ : {Differ::kInPorts, Differ::kInBounds, Differ::kInTimeouts}) {
    model::Gateway gateway = testing::bare_gateway();
    testing::add_conduit(gateway, "a", testing::device("scada"), testing::device("camera"),
                         testing::tcp(80, 90));
    testing::add_conduit(gateway, "b", testing::device("scada"), testing::device("camera"),
                         differ == Differ::kInPorts ? testing::tcp(85) : testing::tcp(80, 90));
    if (differ == Differ::kInBounds) gateway.conduits[1].admission.inflight = 5;
    if (differ == Differ::kInTimeouts) gateway.conduits[1].timeouts.seconds[0] = 900;
    ASSERT_FALSE(compile::compile(gateway, {}));
    compile::CompileInput input;
    input.revision = 2;
    input.unit_id = 1;
    const Bytes snapshot =
        testing::compile_with(gateway, in_plan([](const auto& /*input*/, compile::Plan& plan) {
                                for (compile::PlannedRule& rule : plan.rules)
                                  rule.behaviour = "the same";
                              }),
                              input);
    const auto view = *wire::SnapshotView::verify(snapshot);
    const Proof proof = prove(view, gateway, std::nullopt);
    ASSERT_FALSE(proof.holds());
    for (const Difference& d : proof.differences) {
      EXPECT_EQ(d.wrong, Wrong::kAmbiguous) << d.text;
      EXPECT_NE(d.text.find("a was chosen, a and b differ"), std::string::npos) << d.text;
      ASSERT_TRUE(d.witness);
      confirm("an overlap", testing::bare_gateway(), snapshot, view, d);
    }
  }
}

TEST(FaultyCompiler, WithoutFaultsIsTheCompiler) {
  compile::CompileInput input;
  input.revision = 7;
  for (const model::Gateway& g : {meant(), testing::sample_gateway(), model::Gateway()})
    EXPECT_EQ(testing::compile_with(g, {}, input), testing::compiled(g, input).snapshot);
}

TEST(FaultyCompiler, WhatIsMeantIsProven) {
  const Bytes snapshot = testing::compile_with(meant(), {});
  const Proof proof = prove(*wire::SnapshotView::verify(snapshot), meant(), std::nullopt);
  EXPECT_TRUE(proof.holds()) << to_text(proof);
}

}  // namespace
}  // namespace sallyport::prove
