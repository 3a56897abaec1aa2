// Each check of the compiler one step inside and one step outside: what must compile compiles, what
// must not is refused under its own name. diagnostics_test.cc judges what the messages say.
// One table of cases, hence one file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "policy/compile/compile.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/compile/conduits.h"

namespace sallyport::compile {
namespace {

using model::Gateway;
using testing::addresses;
using testing::device;
using testing::echo;
using testing::inbound;
using testing::ip;
using testing::name;
using testing::outbound;
using testing::own;
using testing::segment;
using testing::tcp;
using testing::udp;

// nullptr: compiles.
struct Case {
  const char* name;
  std::function<void(Gateway&)> change;
  const char* code;
};
constexpr const char* kCompiles = nullptr;

model::Segment bare_segment(const char* of) {
  model::Segment out;
  out.name = of;
  out.at = {13, 3};
  return out;
}
// A device in a segment where the gateway has no address.
void mute_segment(Gateway& g) {
  g.ports.push_back({"lan4", "net_null0", {6, 3}});
  model::Segment mute = bare_segment("mute");
  mute.members = {{"lan4", 0}};
  g.segments.push_back(mute);
  g.devices.push_back({.name = "dumb",
                       .segment = "mute",
                       .where = {"lan4", 0},
                       .mac = testing::mac("02:00:00:00:40:01"),
                       .addresses = {},
                       .slaac_follow = false,
                       .at = {24, 3}});
}
void plaintext(model::Conduit& c) { c.service.plaintext = true; }

const Case kPlants[] = {
    {"a point-to-point subnet of two hosts",
     [](Gateway& g) {
       g.segments[2].addresses = {own("10.30.0.4", 31)};
       g.devices[3].addresses = {ip("10.30.0.5")};
     },
     kCompiles},
    {"the network's address in a subnet of four",
     [](Gateway& g) {
       g.segments[2].addresses = {own("10.30.0.4", 30)};
       g.devices[3].addresses = {};
     },
     "bad-address"},
    {"an IPv6 subnet's first and last addresses",
     [](Gateway& g) {
       g.devices[0].addresses = {ip("fd00:20::"), ip("fd00:20::ffff:ffff:ffff:ffff")};
     },
     kCompiles},
    {"an address with the whole space for subnet",
     [](Gateway& g) {
       g.segments = {g.segments[2]};
       g.segments[0].addresses = {own("10.30.0.1", 0)};
       g.devices = {};
     },
     "bad-address"},
    {"two addresses of the gateway side by side, and of a device",
     [](Gateway& g) {
       g.segments[1].addresses.push_back(own("10.20.0.2", 24));
       g.devices[0].addresses = {ip("10.20.0.5"), ip("10.20.0.9"), ip("10.20.0.10")};
     },
     kCompiles},
    {"two segments in one subnet",
     [](Gateway& g) { g.segments[2].addresses[0] = own("10.20.0.2", 24); }, "subnet-overlap"},
    {"two subnets of one segment, one inside the other",
     [](Gateway& g) { g.segments[2].addresses.push_back(own("10.30.0.130", 25)); },
     "subnet-overlap"},
    {"one address of the gateway twice",
     [](Gateway& g) { g.segments[1].addresses.push_back(own("10.20.0.1", 24)); },
     "duplicate-address"},
    {"two next hops of one version",
     [](Gateway& g) { g.segments[0].gateways.push_back(ip("192.0.2.7")); }, "bad-next-hop"},
    {"the gateway as its own next hop",
     [](Gateway& g) { g.segments[0].gateways = {ip("192.0.2.2")}; }, "bad-next-hop"},
    {"a next hop for each version on its own uplink",
     [](Gateway& g) {
       model::Segment second = g.segments[0];
       second.name = "uplink6";
       second.members = {{"lan1", 9}};
       second.addresses = {own("2001:db8:2::2", 64)};
       second.gateways = {ip("2001:db8:2::1")};
       g.segments[0].gateways.pop_back();
       g.segments.push_back(second);
     },
     kCompiles},
    {"VLAN 4094",
     [](Gateway& g) {
       g.segments[2].members[0].vlan = 4094;
       g.devices[3].where.vlan = 4094;
     },
     kCompiles},
    {"64 addresses of a device",
     [](Gateway& g) {
       g.devices[0].addresses.clear();
       for (int n = 0; n < 64; ++n)
         g.devices[0].addresses.push_back(ip("10.20.0." + std::to_string(100 + n)));
     },
     kCompiles},
    {"65 addresses of a device",
     [](Gateway& g) {
       g.devices[0].addresses.clear();
       for (int n = 0; n < 65; ++n)
         g.devices[0].addresses.push_back(ip("10.20.0." + std::to_string(100 + n)));
     },
     "too-complex"},
    {"64 addresses of a segment",
     [](Gateway& g) {
       for (int n = 0; n < 62; ++n)
         g.segments[1].addresses.push_back(own("10.20.0." + std::to_string(100 + n), 24));
     },
     kCompiles},
    {"65 addresses of a segment",
     [](Gateway& g) {
       for (int n = 0; n < 63; ++n)
         g.segments[1].addresses.push_back(own("10.20.0." + std::to_string(100 + n), 24));
     },
     "too-complex"},
    {"4096 memberships of ports",
     [](Gateway& g) {
       for (std::uint16_t n = 0; n < 4092; ++n)
         g.segments[1].members.push_back({"wan", static_cast<std::uint16_t>(1 + n)});
     },
     kCompiles},
    {"4097 memberships of ports",
     [](Gateway& g) {
       for (std::uint16_t n = 0; n < 4093; ++n)
         g.segments[1].members.push_back({"wan", static_cast<std::uint16_t>(1 + n)});
     },
     "too-complex"},
    {"256 ports",
     [](Gateway& g) {
       while (g.ports.size() < 256)
         g.ports.push_back({"p" + std::to_string(g.ports.size()), "x", {}});
     },
     kCompiles},
    {"257 ports",
     [](Gateway& g) {
       while (g.ports.size() < 257)
         g.ports.push_back({"p" + std::to_string(g.ports.size()), "x", {}});
     },
     "too-complex"},
    {"a segment with a chosen MAC",
     [](Gateway& g) { g.segments[1].mac = testing::mac("02:00:00:00:00:77"); }, kCompiles},
    {"a segment with a group MAC",
     [](Gateway& g) { g.segments[1].mac = testing::mac("01:00:00:00:00:77"); }, "bad-mac"},
    {"a segment with no MAC",
     [](Gateway& g) { g.segments[1].mac = testing::mac("00:00:00:00:00:00"); }, "bad-mac"},
    {"a segment with a device's MAC", [](Gateway& g) { g.segments[1].mac = g.devices[0].mac; },
     "duplicate-mac"},
    {"a device with the plumbing's MAC",
     [](Gateway& g) { g.devices[0].mac = testing::mac("02:53:50:00:00:01"); }, "duplicate-mac"},
    {"a device with no MAC",
     [](Gateway& g) { g.devices[0].mac = testing::mac("00:00:00:00:00:00"); }, "bad-mac"},
    {"a service where the gateway has no address",
     [](Gateway& g) {
       mute_segment(g);
       g.segments.back().services = model::kNtp;
     },
     "segment-without-address"},
    {"a conduit of a device whose segment is not there",
     [](Gateway& g) {
       g.devices[0].segment = "nowhere";
       conduit(g, device("press4"), device("scada"), tcp(80));
       conduit(g, device("scada"), device("press4"), tcp(80));
     },
     "unknown-segment"},
};

const Case kConduits[] = {
    {"the first and the last port",
     [](Gateway& g) { conduit(g, device("scada"), device("camera"), tcp(1, 65535)); }, kCompiles},
    {"a protocol that is not carried",
     [](Gateway& g) {
       conduit(g, device("scada"), device("camera"), tcp(80)).service.protocol =
           static_cast<IpProtocol>(2);
     },
     "bad-service"},
    {"no address at all",
     [](Gateway& g) { conduit(g, device("scada"), model::AddressEnd{}, tcp(80)); }, "no-address"},
    {"from the gateway to its own address",
     [](Gateway& g) { conduit(g, device("gateway"), addresses({"10.20.0.1"}), tcp(80)); },
     "gateway-to-itself"},
    {"from the gateway to where it has no address",
     [](Gateway& g) {
       mute_segment(g);
       conduit(g, device("gateway"), device("dumb"), tcp(80));
     },
     "segment-without-address"},
    {"to the gateway from where it has no address",
     [](Gateway& g) {
       mute_segment(g);
       conduit(g, device("dumb"), device("gateway"), tcp(80));
     },
     "segment-without-address"},
    {"from the gateway to a name without an uplink",
     [](Gateway& g) {
       g.segments[0].gateways.clear();
       conduit(g, device("gateway"), name("a.example"), tcp(443));
     },
     "no-uplink"},
    {"from the gateway to a name",
     [](Gateway& g) { conduit(g, device("gateway"), name("a.example"), tcp(443)); }, kCompiles},
    {"to the gateway just below its listener ports",
     [](Gateway& g) { conduit(g, device("scada"), device("gateway"), tcp(39990, 39999)); },
     kCompiles},
    {"to the gateway on its last listener port",
     [](Gateway& g) { conduit(g, device("scada"), device("gateway"), tcp(49151, 49160)); },
     "listener-ports"},
    {"to the gateway just above its listener ports",
     [](Gateway& g) { conduit(g, device("scada"), device("gateway"), tcp(49152, 65535)); },
     kCompiles},
    {"an echo to the gateway",
     [](Gateway& g) {
       g.segments[2].services = 0;
       conduit(g, device("scada"), device("gateway"), echo());
     },
     kCompiles},
    {"an echo that the segment's own service answers as well",
     [](Gateway& g) { conduit(g, device("scada"), device("gateway"), echo()); }, kCompiles},
    {"what leg B of another conduit repeats",
     [](Gateway& g) {
       inspect(conduit(g, device("scada"), device("press4"), tcp(502)));
       conduit(g, device("gateway"), device("press4"), tcp(500, 510));
     },
     kCompiles},
    {"legs B of two conduits to one server",
     [](Gateway& g) {
       listener(g);
       inspect(conduit(g, device("scada"), device("press4"), tcp(502)));
     },
     kCompiles},
};

const Case kTerminated[] = {
    {"Modbus over UDP",
     [](Gateway& g) { inspect(conduit(g, device("scada"), device("press4"), udp(502))); },
     "inspect-protocol"},
    {"an inspected echo",
     [](Gateway& g) { inspect(conduit(g, device("scada"), device("press4"), echo())); },
     "terminate-one-port"},
    {"UDP relayed",
     [](Gateway& g) {
       conduit(g, device("meter"), name("a.example"), udp(5683)).terminate =
           outbound("a.example", 5684);
     },
     kCompiles},
    {"a service of the gateway's",
     [](Gateway& g) {
       conduit(g, device("scada"), device("gateway"), tcp(80)).terminate = inbound(443);
     },
     "terminate-own-service"},
    {"a certificate's name with a line end",
     [](Gateway& g) { listener(g).terminate->certificate = "a\nb"; }, "bad-credential-name"},
    {"a CA's name of 64 bytes",
     [](Gateway& g) { listener(g).terminate->client_ca.assign(64, 'a'); }, "bad-credential-name"},
    {"a listener without port", [](Gateway& g) { listener(g, 0); }, "terminate-listen-port"},
    {"a listener that asks nobody for certificates",
     [](Gateway& g) {
       model::Conduit& c = listener(g);
       c.terminate->client_auth = model::ClientAuth::kNone;
       c.terminate->client_ca.clear();
     },
     kCompiles},
    {"a listener without address",
     [](Gateway& g) { listener(g).terminate->listen_gateway = false; }, "terminate-listen-address"},
    {"a listener at an address nowhere",
     [](Gateway& g) {
       model::Conduit& c = listener(g);
       c.terminate->listen_gateway = false;
       c.terminate->listen_address = ip("127.0.0.1");
     },
     "address-nowhere"},
    {"a listener at the device's own address",
     [](Gateway& g) {
       model::Conduit& c = listener(g);
       c.terminate->listen_gateway = false;
       c.terminate->listen_address = ip("10.20.0.5");
     },
     kCompiles},
    {"a listener just below the terminator's ports", [](Gateway& g) { listener(g, 39999); },
     kCompiles},
    {"a listener on the terminator's first port", [](Gateway& g) { listener(g, 40000); },
     "listener-ports"},
    {"a listener on the terminator's last port", [](Gateway& g) { listener(g, 49151); },
     "listener-ports"},
    {"a listener just above the terminator's ports", [](Gateway& g) { listener(g, 49152); },
     kCompiles},
    {"what a device dials elsewhere on such a port",
     [](Gateway& g) {
       model::Conduit& c = dialler(g, addresses({"203.0.113.9"}));
       c.service = tcp(40000);
     },
     kCompiles},
    {"a listener where a device dials",
     [](Gateway& g) {
       model::Conduit& c = conduit(g, device("camera"), device("press4"), tcp(502));
       c.terminate = inbound(1883);
       c.terminate->listen_gateway = false;
       c.terminate->listen_address = ip("203.0.113.9");
       dialler(g, addresses({"203.0.113.9"}));
     },
     "listener-claimed"},
    {"a device that dials where a listener is",
     [](Gateway& g) {
       dialler(g, addresses({"203.0.113.9"}));
       model::Conduit& c = conduit(g, device("camera"), device("press4"), tcp(502));
       c.terminate = inbound(1883);
       c.terminate->listen_gateway = false;
       c.terminate->listen_address = ip("203.0.113.9");
     },
     "listener-claimed"},
    {"two that dial one server",
     [](Gateway& g) {
       dialler(g, addresses({"203.0.113.9"}));
       model::Conduit& c = conduit(g, device("camera"), addresses({"203.0.113.9"}), tcp(1883));
       c.terminate = outbound("a.example", 8883);
     },
     kCompiles},
    {"an unreviewed listener claims nothing",
     [](Gateway& g) {
       listener(g).review.reset();
       listener(g);
     },
     kCompiles},
    {"a server's port 0", [](Gateway& g) { dialler(g).terminate->server_port = 0; },
     "terminate-server-port"},
    {"a server that is the gateway",
     [](Gateway& g) { dialler(g).terminate->server_address = ip("192.0.2.2"); }, "bad-server"},
    {"a server nowhere", [](Gateway& g) { dialler(g).terminate->server_address = ip("127.0.0.1"); },
     "bad-server"},
    {"a server of two segments",
     [](Gateway& g) {
       inspect(conduit(g, device("meter"), addresses({"10.30.0.5", "203.0.113.9"}), tcp(502)));
     },
     "bad-server"},
    {"a server of one segment",
     [](Gateway& g) {
       inspect(conduit(g, device("meter"), addresses({"10.30.0.5", "fd00:30::5"}), tcp(502)));
     },
     kCompiles},
    {"a name with an uplink of IPv6 only",
     [](Gateway& g) {
       g.segments[0].gateways = {ip("2001:db8::1")};
       dialler(g);
     },
     kCompiles},
    {"a name asked for in two segments",
     [](Gateway& g) { dialler(g).from = addresses({"10.20.0.6", "10.30.0.5"}); },
     "name-in-two-segments"},
    {"clients where the gateway has no address",
     [](Gateway& g) {
       mute_segment(g);
       conduit(g, device("dumb"), device("press4"), tcp(502)).terminate = inbound(802);
     },
     "segment-without-address"},
    {"a server where the gateway has no address",
     [](Gateway& g) {
       // Hosts there have addresses by way of the default route.
       g.segments[0].addresses.clear();
       g.segments[0].gateways.clear();
       model::Segment wide = g.segments[2];
       g.segments[2].addresses = {own("10.30.0.1", 24)};
       dialler(g, addresses({"203.0.113.9"}));
     },
     "address-nowhere"},
    {"a virtual range with no address left",
     [](Gateway& g) {
       g.virtual_ranges = {testing::prefix("198.18.0.1/32"), testing::prefix("fd53::1/128")};
       dialler(g);
       dialler(g, name("b.example"));
     },
     "virtual-range-full"},
    {"a virtual range of one address for one name",
     [](Gateway& g) {
       g.virtual_ranges = {testing::prefix("198.18.0.1/32"), testing::prefix("fd53::1/128")};
       dialler(g);
     },
     kCompiles},
    {"a virtual range of one version only",
     [](Gateway& g) {
       g.virtual_ranges = {testing::prefix("198.18.0.1/32")};
       dialler(g);
     },
     "virtual-range-full"},
};

// 2.4.7.13, .14: what is plain on an uplink's wire needs the operator's word, and nothing else
// does.
const Case kPlaintext[] = {
    {"plain inside",
     [](Gateway& g) { plaintext(conduit(g, device("scada"), device("camera"), tcp(80))); },
     kCompiles},
    {"plain to the uplink with the operator's word",
     [](Gateway& g) {
       model::Conduit& c = conduit(g, device("meter"), addresses({"203.0.113.9"}), tcp(1883));
       plaintext(c);
       c.plaintext_accepted = true;
     },
     kCompiles},
    {"TLS to an inside device from the uplink",
     [](Gateway& g) {
       model::Conduit& c = conduit(g, segment("uplink"), device("press4"), tcp(502));
       plaintext(c);
       c.terminate = inbound(802);
     },
     kCompiles},
    {"TLS from an inside device to the uplink", [](Gateway& g) { plaintext(dialler(g)); },
     kCompiles},
    {"relayed plain to a name",
     [](Gateway& g) {
       model::Conduit& c = conduit(g, device("meter"), name("a.example"), tcp(502));
       inspect(c);
       plaintext(c);
     },
     "plaintext-on-uplink"},
    {"relayed plain inside",
     [](Gateway& g) {
       model::Conduit& c = conduit(g, device("scada"), device("press4"), tcp(502));
       inspect(c);
       plaintext(c);
     },
     kCompiles},
    {"plain from the gateway to the uplink",
     [](Gateway& g) {
       plaintext(conduit(g, device("gateway"), addresses({"203.0.113.53"}), udp(53)));
     },
     "plaintext-on-uplink"},
    {"plain to the gateway from the uplink",
     [](Gateway& g) { plaintext(conduit(g, segment("uplink"), device("gateway"), tcp(80))); },
     "plaintext-on-uplink"},
};

void judge(std::span<const Case> cases) {
  for (const Case& c : cases) {
    Gateway gateway = testing::bare_gateway();
    c.change(gateway);
    const auto out = compile(gateway, {});
    std::string said;
    bool named = false;
    if (!out) {
      for (const model::Diagnostic& d : out.error()) {
        said += model::to_string(d) + "\n";
        named |= c.code != nullptr && d.code == c.code;
        EXPECT_FALSE(d.hint.empty()) << c.name << ": " << d.code;
        EXPECT_NE(d.code, "compiler-bug") << c.name << ": " << d.message;
      }
    }
    EXPECT_EQ(out.has_value(), c.code == nullptr) << c.name << "\n" << said;
    EXPECT_TRUE(c.code == nullptr || named) << c.name << ", not " << c.code << "\n" << said;
  }
}

TEST(Edges, OfPlants) { judge(kPlants); }
TEST(Edges, OfConduits) { judge(kConduits); }
TEST(Edges, OfTerminatedConduits) { judge(kTerminated); }
TEST(Edges, OfPlaintext) { judge(kPlaintext); }

TEST(Edges, AnOverlapIsToldOnceForTwoConduitsAndAHundredTimesInAll) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80, 90));
  conduit(gateway, segment("office"), segment("field"), tcp(85, 95));
  const auto once = compile(gateway, {});
  ASSERT_FALSE(once);
  EXPECT_EQ(once.error().size(), 1U) << "in both versions, and told once";
  for (std::uint16_t n = 0; n < 150; ++n)
    conduit(gateway, segment("office"), segment("field"),
            tcp(static_cast<std::uint16_t>(85 + n % 5), static_cast<std::uint16_t>(200 + n)));
  const auto many = compile(gateway, {});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().size(), 100U);
}

TEST(Edges, AnOverlapOfEchosIsToldAsOne) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), echo());
  conduit(gateway, device("scada"), segment("field"), echo());
  const auto out = compile(gateway, {});
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().front().message, ::testing::HasSubstr("icmp 10.30.0.5 > 10.20.0.7 echo"));
  gateway.devices[3].addresses = {ip("fd00:30::5")};
  const auto six = compile(gateway, {});
  ASSERT_FALSE(six);
  EXPECT_THAT(six.error().front().message,
              ::testing::HasSubstr("icmpv6 fd00:30::5 > fd00:20::7 echo"));
}

}  // namespace
}  // namespace sallyport::compile
