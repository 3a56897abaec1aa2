// Whatever a reviewer has seen, changed one by one: each change voids the review and is named.
#include <gtest/gtest.h>

#include <functional>

#include "policy/review/judge.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/review/reviewers.h"

namespace sallyport::review {
namespace {

using model::Gateway;

const Authorities kAuthorities = {{"plant-ca", std::string(64, 'a')},
                                  {"cloud-ca", std::string(64, 'b')}};

model::Conduit& conduit(Gateway& g, std::string_view name) {
  for (model::Conduit& c : g.conduits)
    if (c.name == name) return c;
  throw std::out_of_range("conduit");
}
model::Device& device(Gateway& g, std::string_view name) {
  for (model::Device& d : g.devices)
    if (d.name == name) return d;
  throw std::out_of_range("device");
}
model::Segment& segment(Gateway& g, std::string_view name) {
  for (model::Segment& s : g.segments)
    if (s.name == name) return s;
  throw std::out_of_range("segment");
}

struct Change {
  const char* name;
  const char* conduit;
  std::function<void(Gateway&, Authorities&)> make;
  const char* told;  // part of what the operator reads; nullptr: the review stands
};

const Change kChanges[] = {
    {"its MAC", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "camera").mac = testing::mac("02:00:00:00:20:99"); },
     "mac of camera changed from 02:00:00:00:20:07 to 02:00:00:00:20:99"},
    {"an address", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "camera").addresses[0] = testing::ip("10.20.0.9"); },
     "address of camera changed from 10.20.0.7 fd00:20::7 to 10.20.0.9 fd00:20::7"},
    {"one more address", "office-sees-camera",
     [](Gateway& g, Authorities&) {
       device(g, "scada").addresses.push_back(testing::ip("10.30.0.6"));
     },
     "address of scada changed"},
    {"its port", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "camera").where.port = "lan1"; },
     "port of camera changed from lan2 to lan1"},
    {"its VLAN", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "scada").where.vlan = 8; },
     "port of scada changed from lan3.7 to lan3.8"},
    {"its segment", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "camera").segment = "office"; },
     "segment of camera changed from field to office"},
    {"addresses that it may make itself", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "camera").slaac_follow = true; },
     "slaac of camera changed from off to follow"},
    {"hardware", "office-sees-camera",
     [](Gateway& g, Authorities&) { g.ports[2].device = "net_af_packet9,iface=eth9"; },
     "hardware of lan2 changed from net_af_packet1,iface=eth2 to net_af_packet9,iface=eth9"},
    {"a segment's subnet", "office-sees-camera",
     [](Gateway& g, Authorities&) {
       segment(g, "field").addresses[0] = testing::own("10.20.0.1", 16);
     },
     "subnets of field changed from 10.20.0.1/24 fd00:20::1/64 to 10.20.0.1/16"},
    {"a segment's ports", "office-sees-camera",
     [](Gateway& g, Authorities&) { segment(g, "field").members.push_back({"lan3", 9}); },
     "ports of field changed from lan1 lan2 to lan1 lan2 lan3.9"},
    {"a segment's role", "office-sees-camera",
     [](Gateway& g, Authorities&) { segment(g, "office").role = model::Role::kManagement; },
     "role of office changed from devices to management"},
    {"the way to the outside", "camera-time",
     [](Gateway& g, Authorities&) { segment(g, "uplink").gateways[0] = testing::ip("192.0.2.9"); },
     "next hops of uplink changed from 192.0.2.1 2001:db8::1 to 192.0.2.9"},
    {"the way to a literal address", "gateway-dns",
     [](Gateway& g, Authorities&) { segment(g, "uplink").gateways.pop_back(); },
     "next hops of uplink changed"},
    {"one more device of a segment", "scada-pings",
     [](Gateway& g, Authorities&) {
       model::Device fresh = device(g, "camera");
       fresh.name = "camera2";
       fresh.mac = testing::mac("02:00:00:00:20:08");
       fresh.addresses = {testing::ip("10.20.0.8")};
       g.devices.push_back(fresh);
     },
     "devices of field all changed"},
    {"a device of a segment", "scada-pings",
     [](Gateway& g, Authorities&) { device(g, "meter").mac = testing::mac("02:00:00:00:20:99"); },
     "devices of field all changed"},
    {"an uplink's sources", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").from = testing::segment("uplink", {"192.0.2.0/25"});
     },
     "from changed from segment uplink 192.0.2.0/24 2001:db8::/64 to segment uplink 192.0.2.0/25"},
    {"one end", "office-sees-camera",
     [](Gateway& g, Authorities&) {
       conduit(g, "office-sees-camera").from = testing::device("meter");
     },
     "from changed from device scada to device meter"},
    {"the other end", "office-sees-camera",
     [](Gateway& g, Authorities&) {
       conduit(g, "office-sees-camera").to = testing::device("press4");
     },
     "to changed from device camera to device press4"},
    {"a name", "meter-to-cloud",
     [](Gateway& g, Authorities&) {
       conduit(g, "meter-to-cloud").to = testing::name("evil.example");
     },
     "to changed from name broker.example to name evil.example"},
    {"an address that is dialled", "meter-to-fixed",
     [](Gateway& g, Authorities&) {
       conduit(g, "meter-to-fixed").to = testing::addresses({"203.0.113.10"});
     },
     "to changed from address 203.0.113.9 to address 203.0.113.10"},
    {"who has the address that is dialled", "meter-to-fixed",
     [](Gateway& g, Authorities&) {
       device(g, "camera").addresses.push_back(testing::ip("203.0.113.9"));
     },
     "device at 203.0.113.9 changed from none to camera"},
    {"a port of the service", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").service.ports.last = 82; },
     "service changed from tcp/80-81 to tcp/80-82"},
    {"the protocol", "office-sees-camera",
     [](Gateway& g, Authorities&) {
       conduit(g, "office-sees-camera").service.protocol = IpProtocol::kUdp;
     },
     "service changed from tcp/80-81 to udp/80-81"},
    {"plaintext", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").plaintext_accepted = true; },
     "plaintext changed from no to accepted"},
    {"a function code", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").inspect.modbus->functions.push_back(16);
     },
     "inspection changed from modbus functions 1 2 3 4 units 1 to modbus functions 1 2 3 4 16"},
    {"a unit", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").inspect.modbus->units.clear();
     },
     "units all"},
    {"no inspection", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").inspect.modbus.reset(); },
     "to none"},
    {"handshakes in flight", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").admission.inflight = 33; },
     "admission changed from inflight 32 rate 200 per-device 1 to inflight 33"},
    {"a rate", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").admission.rate_per_s = 0; },
     "rate 0"},
    {"a device's rate", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").admission.per_device_per_s = 9;
     },
     "per-device 9"},
    {"how long it may be silent", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").timeouts.seconds = {900, 0, 10, 0, 0};
     },
     "timeouts is new: established 15m half-open 10s"},
    {"no termination", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").terminate.reset(); },
     "termination changed from inbound to none"},
    {"the port that clients dial", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").terminate->listen_port = 803;
     },
     "listen changed from gateway port 802 to gateway port 803"},
    {"the address that clients dial", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       model::Terminate& t = *conduit(g, "scada-reads-press4").terminate;
       t.listen_gateway = false;
       t.listen_address = testing::ip("10.20.0.5");
     },
     "listen changed from gateway port 802 to 10.20.0.5 port 802"},
    {"whether clients prove who they are", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").terminate->client_auth = model::ClientAuth::kOptional;
     },
     "client-auth changed from required to optional"},
    {"the CA's name", "scada-reads-press4",
     [](Gateway& g, Authorities& a) {
       conduit(g, "scada-reads-press4").terminate->client_ca = "other-ca";
       a["other-ca"] = std::string(64, 'c');
     },
     "client-ca changed from plant-ca to other-ca"},
    {"the CA's file", "scada-reads-press4",
     [](Gateway&, Authorities& a) { a["plant-ca"] = std::string(64, 'c'); },
     "hash of plant-ca changed from aaaa"},
    {"a CA that is gone", "scada-reads-press4",
     [](Gateway&, Authorities& a) { a.erase("plant-ca"); }, "hash of plant-ca is not known here"},
    {"the certificate's name", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       conduit(g, "scada-reads-press4").terminate->certificate = "gw2";
     },
     "certificate changed from gw to gw2"},
    {"the server's name", "meter-to-cloud",
     [](Gateway& g, Authorities&) {
       conduit(g, "meter-to-cloud").terminate->server_name = "evil.example";
     },
     "server changed from broker.example at its addresses port 8883 to evil.example"},
    {"the server's address", "meter-to-cloud",
     [](Gateway& g, Authorities&) {
       conduit(g, "meter-to-cloud").terminate->server_address = testing::ip("203.0.113.66");
     },
     "to broker.example at 203.0.113.66 port 8883"},
    {"the server's port", "meter-to-cloud",
     [](Gateway& g, Authorities&) { conduit(g, "meter-to-cloud").terminate->server_port = 8884; },
     "port 8884"},
    {"the server's CA", "meter-to-cloud",
     [](Gateway&, Authorities& a) { a["cloud-ca"] = std::string(64, 'c'); },
     "hash of cloud-ca changed"},
    {"the name of the server's CA", "meter-to-cloud",
     [](Gateway& g, Authorities&) {
       conduit(g, "meter-to-cloud").terminate->server_ca = "plant-ca";
     },
     "server-ca changed from cloud-ca to plant-ca"},
    {"virtual addresses", "meter-to-cloud",
     [](Gateway& g, Authorities&) { g.virtual_ranges = {testing::prefix("198.18.0.0/16")}; },
     "virtual range changed from built-in to 198.18.0.0/16"},
    {"who reviewed it", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").review->by = "intern"; },
     "by changed from plant-security to intern"},
    {"the day of the review", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").review->on_day = 20100; },
     "on changed from 2024-10-04 to 2025-01-12"},
    {"its end", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").review->expires_day = 40000; },
     "expires changed from 2025-10-04 to 2079-07-08"},
    {"its reason", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").review->reason = "fun"; },
     "reason changed from needed to fun"},
    {"the conduit's name", "office-sees-camera",
     [](Gateway& g, Authorities&) { conduit(g, "office-sees-camera").name = "renamed"; },
     "conduit changed from office-sees-camera to renamed"},
    // What the reviewer did not look at.
    {"another device", "office-sees-camera",
     [](Gateway& g, Authorities&) { device(g, "meter").mac = testing::mac("02:00:00:00:20:99"); },
     nullptr},
    {"another CA", "office-sees-camera",
     [](Gateway&, Authorities& a) { a["plant-ca"] = std::string(64, 'c'); }, nullptr},
    {"the order of addresses, members and function codes", "scada-reads-press4",
     [](Gateway& g, Authorities&) {
       std::swap(device(g, "press4").addresses[0], device(g, "press4").addresses[1]);
       std::swap(segment(g, "field").members[0], segment(g, "field").members[1]);
       std::swap(g.devices[0], g.devices[3]);
       std::swap(g.segments[0], g.segments[2]);
       conduit(g, "scada-reads-press4").inspect.modbus->functions = {4, 3, 2, 1, 1};
     },
     nullptr},
    {"how the service is written", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").service.text = "modbus"; },
     nullptr},
    {"the place in the file", "scada-reads-press4",
     [](Gateway& g, Authorities&) { conduit(g, "scada-reads-press4").at = {1, 1}; }, nullptr},
};

class Changes : public ::testing::TestWithParam<Change> {};

TEST_P(Changes, VoidTheReviewAndAreNamed) {
  const Change& change = GetParam();
  Gateway g = testing::sample_gateway();
  g.review_rules = testing::rules(0);
  Authorities authorities = kAuthorities;
  testing::sign_review(g, change.conduit, "anna", authorities);
  ASSERT_TRUE(settle(g, authorities).warnings.empty());
  ASSERT_TRUE(conduit(g, change.conduit).review->stands);

  const auto place = static_cast<std::size_t>(&conduit(g, change.conduit) - g.conduits.data());
  change.make(g, authorities);
  const Settled settled = settle(g, authorities);
  EXPECT_EQ(g.conduits[place].review->stands, change.told == nullptr);
  EXPECT_EQ(settled.warnings.empty(), change.told == nullptr);
  if (change.told == nullptr) return;
  const Verdict verdict =
      judge(g.conduits[place], settled.standings[place], g.review_rules, std::nullopt);
  EXPECT_EQ(verdict.state, State::kVoid);
  EXPECT_NE(verdict.why.find(change.told), std::string::npos) << verdict.why;
}

INSTANTIATE_TEST_SUITE_P(All, Changes, ::testing::ValuesIn(kChanges),
                         [](const auto& one) { return "change" + std::to_string(one.index); });

}  // namespace
}  // namespace sallyport::review
