// What the compiler says about mistakes: code, place, both parties.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "policy/compile/compile.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::compile {
namespace {

using model::Diagnostic;
using model::Diagnostics;
using model::Gateway;
using testing::add_conduit;
using testing::addresses;
using testing::device;
using ::testing::HasSubstr;
using testing::inbound;
using testing::name;
using testing::outbound;
using testing::segment;
using testing::tcp;
using testing::udp;

Diagnostics errors_of(const Gateway& gateway) {
  const auto out = compile(gateway, {});
  return out ? Diagnostics{} : out.error();
}

const Diagnostic* find(const Diagnostics& all, std::string_view code) {
  for (const Diagnostic& d : all)
    if (d.code == code) return &d;
  return nullptr;
}

std::string codes(const Diagnostics& all) {
  std::string out;
  for (const Diagnostic& d : all) out += model::to_string(d) + "\n";
  return out;
}

struct Case {
  const char* name;
  std::function<void(Gateway&)> mistake;
  const char* code;
  std::uint32_t line;
  const char* says;
};

void conduit(Gateway& g, model::End from, model::End to, model::ServiceSpec service) {
  add_conduit(g, "c" + std::to_string(g.conduits.size()), std::move(from), std::move(to),
              std::move(service));
}
void terminated(Gateway& g, model::End from, model::End to, model::Terminate how) {
  add_conduit(g, "c" + std::to_string(g.conduits.size()), std::move(from), std::move(to), tcp(502))
      .terminate = std::move(how);
}

const Case kCases[] = {
    {"name with a capital", [](Gateway& g) { g.devices[0].name = "Press"; }, "bad-name", 20,
     "\"Press\""},
    {"segment's name too long", [](Gateway& g) { g.segments[1].name = "thirteen-chars"; },
     "bad-name", 11, "thirteen-chars"},
    {"two devices of one name", [](Gateway& g) { g.devices[1].name = "press4"; }, "duplicate-name",
     21, "line 20"},
    {"a device named gateway", [](Gateway& g) { g.devices[0].name = "gateway"; }, "reserved-name",
     20, "gateway"},
    {"unknown port", [](Gateway& g) { g.segments[1].members[0].port = "lan11"; }, "unknown-port",
     11, "lan11"},
    {"port in two segments", [](Gateway& g) { g.segments[2].members = {{"lan1", 0}}; },
     "port-in-two-segments", 12, "field"},
    {"VLAN 4095", [](Gateway& g) { g.segments[2].members[0].vlan = 4095; }, "bad-vlan", 12, "4095"},
    {"subnets overlap",
     [](Gateway& g) { g.segments[2].addresses[0] = testing::own("10.20.0.129", 25); },
     "subnet-overlap", 12, "field (line 11)"},
    {"subnet inside the virtual range",
     [](Gateway& g) { g.segments[2].addresses[0] = testing::own("198.18.5.1", 24); },
     "virtual-range-overlap", 12, "198.18.0.0/15"},
    {"gateway has the network's address",
     [](Gateway& g) { g.segments[2].addresses[0] = testing::own("10.30.0.0", 24); }, "bad-address",
     12, "10.30.0.0"},
    {"gateway has a multicast address",
     [](Gateway& g) { g.segments[2].addresses[1] = testing::own("ff02::1", 64); }, "bad-address",
     12, "ff02::1"},
    {"next hop inside", [](Gateway& g) { g.segments[1].gateways = {testing::ip("10.20.0.9")}; },
     "next-hop-inside", 11, "field"},
    {"next hop elsewhere", [](Gateway& g) { g.segments[0].gateways = {testing::ip("192.0.3.1")}; },
     "bad-next-hop", 10, "192.0.3.1"},
    {"an MTU that IPv6 cannot live with", [](Gateway& g) { g.segments[1].mtu = 1279; }, "bad-mtu",
     11, "1280 to 1500"},
    {"an MTU that no frame holds", [](Gateway& g) { g.segments[1].mtu = 1501; }, "bad-mtu", 11,
     "1280 to 1500"},
    {"NAPT44 inside", [](Gateway& g) { g.segments[1].napt44 = true; }, "nat-inside", 11, "field"},
    {"NAPT44 without an IPv4 address",
     [](Gateway& g) {
       g.segments[0].napt44 = true;
       g.segments[0].addresses.erase(g.segments[0].addresses.begin());
       g.segments[0].gateways.erase(g.segments[0].gateways.begin());
     },
     "nat-without-address", 10, "uplink"},
    {"NAPT44 on three uplinks",
     [](Gateway& g) {
       g.devices.clear();
       for (model::Segment& s : g.segments) {
         s.role = model::Role::kUplink;
         s.napt44 = true;
       }
     },
     "too-complex", 10, "napt44"},
    {"a listener among the ports of NAPT44",
     [](Gateway& g) {
       g.segments[0].napt44 = true;
       terminated(g, segment("uplink"), device("press4"), inbound(20000));
     },
     "nat-ports", 100, "10240 to 32767"},
    {"a service of the gateway among the ports of NAPT44",
     [](Gateway& g) {
       g.segments[0].napt44 = true;
       conduit(g, segment("uplink"), device("gateway"), tcp(32000, 33000));
     },
     "nat-ports", 100, "10240 to 32767"},
    {"two default routes",
     [](Gateway& g) {
       g.segments[2].role = model::Role::kUplink;
       g.segments[2].gateways = {testing::ip("10.30.0.9")};
       g.devices.pop_back();
     },
     "two-default-routes", 12, "uplink (line 10)"},
    {"device in no segment", [](Gateway& g) { g.devices[0].segment = "feild"; }, "unknown-segment",
     20, "feild"},
    {"device on the uplink",
     [](Gateway& g) {
       g.devices[0].segment = "uplink";
       g.devices[0].where = {"wan", 0};
     },
     "device-on-uplink", 20, "press4"},
    {"device on another segment's port", [](Gateway& g) { g.devices[0].where = {"lan3", 7}; },
     "device-off-segment", 20, "lan3"},
    {"device outside its subnet",
     [](Gateway& g) { g.devices[0].addresses[0] = testing::ip("10.21.0.5"); }, "address-off-subnet",
     20, "10.21.0.5"},
    {"device with the broadcast address",
     [](Gateway& g) { g.devices[0].addresses[0] = testing::ip("10.20.0.255"); },
     "address-off-subnet", 20, "10.20.0.255"},
    {"device with the gateway's address",
     [](Gateway& g) { g.devices[0].addresses[0] = testing::ip("10.20.0.1"); }, "duplicate-address",
     20, "the gateway on segment field"},
    {"two devices with one address",
     [](Gateway& g) { g.devices[1].addresses[0] = testing::ip("10.20.0.5"); }, "duplicate-address",
     21, "press4"},
    {"two devices with one MAC", [](Gateway& g) { g.devices[1].mac = g.devices[0].mac; },
     "duplicate-mac", 21, "press4"},
    {"group MAC", [](Gateway& g) { g.devices[0].mac = testing::mac("01:00:5e:00:00:01"); },
     "bad-mac", 20, "01:00:5e"},
    {"port device is no text", [](Gateway& g) { g.ports[0].device = "a\nb"; }, "bad-device", 2,
     "wan"},

    {"unknown device", [](Gateway& g) { conduit(g, device("pres4"), device("meter"), tcp(80)); },
     "unknown-device", 100, "pres4"},
    {"unknown segment", [](Gateway& g) { conduit(g, segment("filed"), device("meter"), tcp(80)); },
     "unknown-segment", 100, "filed"},
    {"prefix of another segment",
     [](Gateway& g) { conduit(g, segment("field", {"10.30.0.0/24"}), device("scada"), tcp(80)); },
     "prefix-off-segment", 100, "10.30.0.0/24"},
    {"name as source", [](Gateway& g) { conduit(g, name("a.example"), device("meter"), tcp(80)); },
     "name-as-source", 100, "a.example"},
    {"name that is none", [](Gateway& g) { conduit(g, device("meter"), name("a b"), tcp(80)); },
     "bad-host-name", 100, "a b"},
    {"address nowhere",
     [](Gateway& g) { conduit(g, device("meter"), addresses({"127.0.0.1"}), tcp(80)); },
     "address-nowhere", 100, "127.0.0.1"},
    {"gateway by its address",
     [](Gateway& g) { conduit(g, device("meter"), addresses({"10.20.0.1"}), tcp(80)); },
     "gateway-by-address", 100, "`to`"},
    {"gateway's address as source",
     [](Gateway& g) { conduit(g, addresses({"10.20.0.1"}), device("meter"), tcp(80)); },
     "gateway-by-address", 100, "`from`"},
    {"gateway to itself",
     [](Gateway& g) { conduit(g, device("gateway"), device("gateway"), tcp(80)); },
     "gateway-to-itself", 100, "both ends"},
    {"port zero", [](Gateway& g) { conduit(g, device("meter"), device("camera"), tcp(0, 5)); },
     "bad-service", 100, "0-5"},
    {"ports the wrong way round",
     [](Gateway& g) { conduit(g, device("meter"), device("camera"), tcp(9, 5)); }, "bad-service",
     100, "9-5"},
    {"gateway's listener ports",
     [](Gateway& g) { conduit(g, device("scada"), device("gateway"), tcp(39999, 40000)); },
     "listener-ports", 100, "40000"},

    {"same box, other timeouts",
     [](Gateway& g) {
       conduit(g, device("scada"), device("camera"), tcp(80));
       conduit(g, device("scada"), device("camera"), tcp(80));
       g.conduits[1].timeouts.seconds[0] = 900;
     },
     "conduit-overlap", 101, "c0"},

    {"partial overlap",
     [](Gateway& g) {
       conduit(g, device("scada"), device("camera"), tcp(80, 90));
       conduit(g, segment("office"), device("camera"), tcp(85));
     },
     "conduit-overlap", 101, "c0 (line 100) and c1 (line 101)"},
    {"overlap names a packet",
     [](Gateway& g) {
       conduit(g, device("scada"), device("camera"), tcp(80, 90));
       conduit(g, device("scada"), segment("field"), tcp(85, 99));
     },
     "conduit-overlap", 101, "tcp 10.30.0.5 > 10.20.0.7 port 85"},
    {"same box, another treatment",
     [](Gateway& g) {
       conduit(g, device("scada"), device("camera"), tcp(80));
       conduit(g, device("scada"), device("camera"), tcp(80));
       g.conduits[1].admission.inflight = 5;
     },
     "conduit-overlap", 101, "c0"},
    {"listener claimed twice",
     [](Gateway& g) {
       terminated(g, segment("uplink", {"192.0.2.8/32"}), device("press4"), inbound(802));
       terminated(g, segment("uplink", {"192.0.2.9/32"}), device("meter"), inbound(802));
     },
     "listener-claimed", 101, "c0 (line 100)"},
    {"listener in place of a service",
     [](Gateway& g) { terminated(g, device("camera"), device("press4"), inbound(53)); },
     "listener-hides-service", 100, "builtin:dns:field"},
    {"listener among the listener ports",
     [](Gateway& g) { terminated(g, device("scada"), device("press4"), inbound(40001)); },
     "listener-ports", 100, "40000 to 49151"},
    {"inbound to a whole segment",
     [](Gateway& g) { terminated(g, device("scada"), segment("field"), inbound(802)); },
     "terminate-without-server", 100, "segment"},
    {"inbound without certificate",
     [](Gateway& g) {
       terminated(g, device("scada"), device("press4"), inbound(802));
       g.conduits[0].terminate->certificate.clear();
     },
     "terminate-certificate", 100, "certificate"},
    {"client certificates without CA",
     [](Gateway& g) {
       terminated(g, device("scada"), device("press4"), inbound(802));
       g.conduits[0].terminate->client_ca.clear();
     },
     "terminate-client-ca", 100, "CA"},
    {"outbound without name",
     [](Gateway& g) { terminated(g, device("meter"), name("a.example"), outbound("", 8883)); },
     "terminate-server-name", 100, "verify"},
    {"outbound without CA",
     [](Gateway& g) {
       terminated(g, device("meter"), name("a.example"), outbound("a.example", 8883));
       g.conduits[0].terminate->server_ca.clear();
     },
     "terminate-server-ca", 100, "vouch"},
    {"terminated range",
     [](Gateway& g) {
       terminated(g, device("scada"), device("press4"), inbound(802));
       g.conduits[0].service = tcp(502, 503);
     },
     "terminate-one-port", 100, "one TCP or UDP port"},
    {"gateway's own traffic terminated",
     [](Gateway& g) {
       terminated(g, device("gateway"), name("a.example"), outbound("a.example", 8883));
     },
     "terminate-own-traffic", 100, "own traffic"},
    {"name answered both ways",
     [](Gateway& g) {
       terminated(g, device("meter"), name("a.example"), outbound("a.example", 8883));
       conduit(g, device("camera"), name("a.example"), tcp(443));
     },
     "name-both-ways", 101, "c0 (line 100)"},
    {"plaintext to the uplink",
     [](Gateway& g) {
       conduit(g, device("meter"), addresses({"203.0.113.9"}), tcp(1883));
       g.conduits[0].service.plaintext = true;
     },
     "plaintext-on-uplink", 100, "plaintext"},
    {"plaintext to a name",
     [](Gateway& g) {
       conduit(g, device("meter"), name("a.example"), tcp(1883));
       g.conduits[0].service.plaintext = true;
     },
     "plaintext-on-uplink", 100, "plaintext"},
    {"plaintext from the uplink",
     [](Gateway& g) {
       conduit(g, segment("uplink"), device("press4"), tcp(502));
       g.conduits[0].service.plaintext = true;
     },
     "plaintext-on-uplink", 100, "plaintext"},
    {"inspected but still plaintext",
     [](Gateway& g) {
       conduit(g, segment("uplink"), device("press4"), tcp(502));
       g.conduits[0].service.plaintext = true;
       g.conduits[0].inspect.modbus = model::ModbusInspect{{3}, {}};
     },
     "plaintext-on-uplink", 100, "plaintext"},
    {"no uplink to a name",
     [](Gateway& g) {
       g.segments[0].gateways.clear();
       terminated(g, device("meter"), name("a.example"), outbound("a.example", 8883));
     },
     "no-uplink", 100, "a.example"},
};

TEST(Diagnostics, NameCodePlaceAndBothParties) {
  for (const Case& c : kCases) {
    Gateway gateway = testing::bare_gateway();
    c.mistake(gateway);
    const Diagnostics errors = errors_of(gateway);
    const Diagnostic* found = find(errors, c.code);
    ASSERT_NE(found, nullptr) << c.name << ":\n" << codes(errors);
    EXPECT_EQ(found->at.line, c.line) << c.name;
    EXPECT_THAT(found->message, HasSubstr(c.says)) << c.name;
    EXPECT_FALSE(found->hint.empty()) << c.name;
  }
}

TEST(Diagnostics, TheSampleHasNone) {
  const auto out = compile(testing::sample_gateway(), {});
  ASSERT_TRUE(out);
  EXPECT_EQ(codes(out->warnings), "");
  EXPECT_EQ(codes(errors_of(testing::bare_gateway())), "");
  EXPECT_EQ(codes(errors_of(Gateway())), "");
}

TEST(Diagnostics, AllMistakesAreFoundInOrderOfLines) {
  Gateway gateway = testing::bare_gateway();
  gateway.devices[1].mac = gateway.devices[0].mac;
  gateway.segments[1].members[0].port = "lan11";
  conduit(gateway, device("pres4"), device("camera"), tcp(80));
  conduit(gateway, device("meter"), addresses({"127.0.0.1"}), tcp(80));
  const Diagnostics errors = errors_of(gateway);
  EXPECT_GE(errors.size(), 4U);
  EXPECT_TRUE(std::is_sorted(errors.begin(), errors.end(),
                             [](const auto& a, const auto& b) { return a.at.line < b.at.line; }));
  EXPECT_THAT(find(errors, "unknown-device")->hint, HasSubstr("did you mean press4?"));
}

TEST(Diagnostics, WhatTheDesignAllowsIsNoConflict) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80));
  conduit(gateway, device("scada"), device("camera"), tcp(80));  // the same twice
  conduit(gateway, device("scada"), device("camera"), udp(80));
  terminated(gateway, device("scada"), device("press4"), inbound(802));
  terminated(gateway, segment("uplink"), device("press4"), inbound(802));  // another segment
  // Two devices that dial one broker, each by a conduit of its own.
  terminated(gateway, device("meter"), name("b.example"), outbound("b.example", 8883));
  terminated(gateway, device("camera"), name("b.example"), outbound("b.example", 8883));
  conduit(gateway, segment("uplink"), device("gateway"), tcp(443));
  gateway.conduits.back().service.plaintext = true;
  gateway.conduits.back().plaintext_accepted = true;
  EXPECT_EQ(codes(errors_of(gateway)), "");
}

TEST(Reviews, UnreviewedAndLapsedPermitNothingAndAreReported) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80));
  conduit(gateway, device("scada"), device("camera"), tcp(81));
  gateway.conduits[1].review.reset();
  const auto rules_at = [&](std::optional<std::int32_t> today) {
    CompileInput input;
    input.today = today;
    const Compiled out = testing::compiled(gateway, input);
    std::string said;
    for (const Diagnostic& d : out.warnings) said += d.code + " ";
    return std::to_string(out.slots.rules.size()) + " " + said;
  };
  // Built-in services of the bare plant: dns and ntp in field, ping in office.
  EXPECT_EQ(rules_at(std::nullopt), "4 conduit-unreviewed ");
  EXPECT_EQ(rules_at(20365), "4 conduit-unreviewed ");
  EXPECT_EQ(rules_at(20366), "4 review-expired conduit-unreviewed ");
  EXPECT_EQ(rules_at(20365 + kReviewGraceDays), "4 review-expired conduit-unreviewed ");
  EXPECT_EQ(rules_at(20366 + kReviewGraceDays), "3 review-lapsed conduit-unreviewed ");
}

TEST(Reviews, AnUnreviewedConduitMayOverlapAnything) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80));
  conduit(gateway, segment("office"), device("camera"), tcp(80, 90));
  gateway.conduits[1].review.reset();
  EXPECT_EQ(codes(errors_of(gateway)), "");
}

}  // namespace
}  // namespace sallyport::compile
