// The meaning of a rule: the same for what is the same, another for whatever permits or does
// something else. A flow that lives across a revision is judged by nothing but this number.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::compile {
namespace {

using model::Gateway;
using testing::device;
using testing::tcp;

std::map<std::string, std::uint64_t> meanings_of(const Gateway& gateway) {
  const Compiled compiled = testing::compiled(gateway);
  const wire::SnapshotView view = testing::view_of(compiled);
  std::map<std::string, std::uint64_t> out;
  for (std::uint32_t slot = 0; slot < view.rules().size(); ++slot)
    if (view.rules()[slot].valid() != 0)
      out[rule_key(view.rule_name(slot), view.rules()[slot].kind())] = view.rules()[slot].meaning();
  return out;
}

// A direct conduit, one terminated each way, an inspected one.
Gateway plant() {
  Gateway g = testing::bare_gateway();
  testing::add_conduit(g, "direct", device("scada"), device("camera"), tcp(80)).admission = {5, 6,
                                                                                             7};
  testing::add_conduit(g, "in", testing::segment("uplink"), device("press4"), tcp(502)).terminate =
      testing::inbound(802);
  testing::add_conduit(g, "out", device("meter"), testing::name("a.example"), tcp(1883)).terminate =
      testing::outbound("b.example", 8883);
  testing::add_conduit(g, "seen", device("scada"), device("press4"), tcp(503)).inspect.modbus =
      model::ModbusInspect{{3, 4}, {1}};
  return g;
}

struct Change {
  const char* name;
  std::function<void(Gateway&)> change;
  std::vector<const char*> rules;  // whose meaning must change; all others' must not
};

model::Terminate& tls(Gateway& g, std::size_t conduit) { return *g.conduits[conduit].terminate; }

const Change kChanges[] = {
    {"nothing", [](Gateway&) {}, {}},
    {"a review", [](Gateway& g) { g.conduits[0].review->by = "another"; }, {}},
    {"a reason", [](Gateway& g) { g.conduits[0].review->reason = "another"; }, {}},
    {"a line", [](Gateway& g) { g.conduits[0].at.line = 7; }, {}},
    {"a service's spelling", [](Gateway& g) { g.conduits[0].service.text = "http"; }, {}},
    {"ports", [](Gateway& g) { g.conduits[0].service = tcp(80, 81); }, {"direct/direct"}},
    {"a protocol", [](Gateway& g) { g.conduits[0].service = testing::udp(80); }, {"direct/direct"}},
    {"a source",
     [](Gateway& g) { g.conduits[0].from = testing::segment("office"); },
     {"direct/direct"}},
    {"a destination", [](Gateway& g) { g.conduits[0].to = device("meter"); }, {"direct/direct"}},
    {"a device's address",
     [](Gateway& g) { g.devices[2].addresses[0] = testing::ip("10.20.0.77"); },
     {"direct/direct"}},
    {"a bound in flight",
     [](Gateway& g) { g.conduits[0].admission.inflight = 9; },
     {"direct/direct"}},
    {"a rate", [](Gateway& g) { g.conduits[0].admission.rate_per_s = 9; }, {"direct/direct"}},
    {"a rate for each device",
     [](Gateway& g) { g.conduits[0].admission.per_device_per_s = 9; },
     {"direct/direct"}},
    {"how long it may be silent",
     [](Gateway& g) { g.conduits[0].timeouts.seconds[0] = 900; },
     {"direct/direct"}},
    {"how long its conversations may be silent",
     [](Gateway& g) { g.conduits[1].timeouts.seconds[1] = 60; },
     {"in/leg-a", "in/leg-b"}},
    {"the operator's word",
     [](Gateway& g) { g.conduits[0].plaintext_accepted = true; },
     {"direct/direct"}},
    {"a listener's port",
     [](Gateway& g) { tls(g, 1).listen_port = 803; },
     {"in/leg-a", "in/leg-b"}},
    {"a listener's address",
     [](Gateway& g) {
       tls(g, 1).listen_gateway = false;
       tls(g, 1).listen_address = testing::ip("10.20.0.5");
     },
     {"in/leg-a", "in/leg-b"}},
    {"client certificates",
     [](Gateway& g) { tls(g, 1).client_auth = model::ClientAuth::kOptional; },
     {"in/leg-a", "in/leg-b"}},
    {"a client CA", [](Gateway& g) { tls(g, 1).client_ca = "other"; }, {"in/leg-a", "in/leg-b"}},
    {"a certificate",
     [](Gateway& g) { tls(g, 1).certificate = "other"; },
     {"in/leg-a", "in/leg-b"}},
    {"the device behind a listener",
     [](Gateway& g) { g.conduits[1].to = device("meter"); },
     {"in/leg-a", "in/leg-b"}},
    {"a server's name",
     [](Gateway& g) { tls(g, 2).server_name = "c.example"; },
     {"out/leg-a", "out/leg-b"}},
    {"a server's port",
     [](Gateway& g) { tls(g, 2).server_port = 8884; },
     {"out/leg-a", "out/leg-b"}},
    {"a server's address",
     [](Gateway& g) { tls(g, 2).server_address = testing::ip("203.0.113.9"); },
     {"out/leg-a", "out/leg-b"}},
    {"a server's CA",
     [](Gateway& g) { tls(g, 2).server_ca = "other"; },
     {"out/leg-a", "out/leg-b"}},
    {"the name that is asked for",
     [](Gateway& g) { g.conduits[2].to = testing::addresses({"203.0.113.8"}); },
     {"out/leg-a"}},
    {"an inspected function",
     [](Gateway& g) { g.conduits[3].inspect.modbus->functions = {3, 5}; },
     {"seen/leg-a", "seen/leg-b"}},
    {"an inspected unit",
     [](Gateway& g) { g.conduits[3].inspect.modbus->units = {2}; },
     {"seen/leg-a", "seen/leg-b"}},
    {"an address of the gateway's",
     [](Gateway& g) { g.segments[1].addresses[0] = testing::own("10.20.0.2", 24); },
     {"in/leg-b", "seen/leg-b", "builtin:dns:field/host", "builtin:ntp:field/host"}},
};

TEST(Meaning, ChangesWithWhateverIsPermittedOrDoneAndWithNothingElse) {
  const auto before = meanings_of(plant());
  for (const Change& c : kChanges) {
    Gateway changed = plant();
    c.change(changed);
    const auto after = meanings_of(changed);
    ASSERT_EQ(after.size(), before.size()) << c.name;
    for (const auto& [rule, meaning] : before) {
      const bool named = std::any_of(c.rules.begin(), c.rules.end(),
                                     [&](const char* name) { return rule == name; });
      EXPECT_EQ(after.at(rule) != meaning, named) << c.name << ": " << rule;
    }
  }
}

TEST(Meaning, IsNeverZeroAndNeverTheSameForTwoRules) {
  std::map<std::uint64_t, std::string> seen;
  for (const auto& [rule, meaning] : meanings_of(plant())) {
    EXPECT_NE(meaning, 0U) << rule;
    EXPECT_TRUE(seen.emplace(meaning, rule).second) << rule << " and " << seen[meaning];
  }
}

// Leg A ends at a listener: another listener is another meaning, though nothing else changed.
TEST(Meaning, FollowsTheListenersPort) {
  CompileInput input;
  input.previous.listener_ports = {{"in", 41000}};
  const auto of = [](const Compiled& compiled) {
    const wire::SnapshotView view = testing::view_of(compiled);
    for (const wire::Rule& r : view.rules())
      if (r.valid() != 0 && r.kind() == wire::RuleKind::Terminate) return r.meaning();
    return std::uint64_t{0};
  };
  EXPECT_NE(of(testing::compiled(plant())), of(testing::compiled(plant(), input)));
}

}  // namespace
}  // namespace sallyport::compile
