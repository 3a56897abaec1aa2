// What differs from the model is found wherever it stands. Here differences are made by compiling a
// configuration that is not the proven one: that is what a faulty compiler would have made of it.
// planted_test.cc makes the compiler faulty, bits_test.cc the bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "policy/prove/prove.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using model::Gateway;
using testing::add_conduit;
using testing::device;
using testing::segment;
using testing::tcp;

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
  g.conduits[0].timeouts.seconds = {900, 60, 10, 0, 0};
}
void datagrams(Gateway& g) {
  add_conduit(g, "c", device("scada"), device("camera"), testing::udp(80)).timeouts.seconds[3] = 30;
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
    {"a rule whose flows may be silent for longer", direct,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[0] = 901; }, Wrong::kTermination,
     "rule c: its flows may not be silent"},
    {"a rule whose flows may take longer to end", direct,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[1] = 0; }, Wrong::kTermination,
     "rule c: its flows may not be silent"},
    {"a rule whose flows may take longer to begin", direct,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[2] = 11; }, Wrong::kTermination,
     "rule c: its flows may not be silent"},
    {"a rule with another time of UDP", datagrams,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[3] = 31; }, Wrong::kTermination,
     "rule c: its flows may not be silent"},
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
    {"NAPT44 that nobody asked for", nothing, [](Gateway& g) { g.segments[0].napt44 = true; },
     Wrong::kIdentity, "segment uplink is not as configured"},
    {"another MTU", nothing, [](Gateway& g) { g.segments[0].mtu = 1400; }, Wrong::kIdentity,
     "segment uplink is not as configured"},
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
    {"a conversation that may be silent for longer", listener,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[0] = 900; }, Wrong::kTermination,
     "how long it may be silent"},
    {"a conversation that may end more slowly", listener,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[1] = 90; }, Wrong::kTermination,
     "how long it may be silent"},
    {"a leg that may be silent for longer", listener,
     [](Gateway& g) { g.conduits[0].timeouts.seconds[2] = 20; }, Wrong::kTermination,
     "rule c: its flows may not be silent"},
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

TEST(OtherConfiguration, IsFoundWhereverItDiffers) {
  for (const Fault& f : kFaults) {
    Gateway meant = testing::bare_gateway();
    f.common(meant);
    Gateway made = meant;
    f.fault(made);
    const auto compiled = testing::compiled(made);
    const Proof proof = prove(testing::view_of(compiled), meant, std::nullopt);
    const bool found =
        std::any_of(proof.differences.begin(), proof.differences.end(), [&](const Difference& d) {
          return d.wrong == f.wrong && d.text.find(f.says) != std::string::npos;
        });
    EXPECT_TRUE(found) << f.name << "\n" << to_text(proof);
  }
}

}  // namespace
}  // namespace sallyport::prove
