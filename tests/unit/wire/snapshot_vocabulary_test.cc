// What a well-formed snapshot may not say: presence, counts, slots, names and references
// (policy/wire/verify_meaning.cc). One case for each way of failing each check, and cases at the
// bounds that must pass, so that no check can be removed or moved by one unseen. As long as that
// list.
#include <gtest/gtest.h>

#include "tests/support/policy/draft_tables.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/wire/verdicts.h"

namespace sallyport::wire {
namespace {

using testing::Draft;

using testing::ip;
using testing::verdict;

draft::Address address(std::string_view text) {
  const IpAddress a = ip(text);
  return draft::Address(flatbuffers::span<const std::uint8_t, 16>(a.bytes().data(), 16));
}
draft::Mac mac(std::uint8_t first) {
  const std::array<std::uint8_t, 6> bytes = {first, 0, 0, 0, 0, 0};
  return draft::Mac(flatbuffers::span<const std::uint8_t, 6>(bytes.data(), 6));
}
template <class T>
std::unique_ptr<T> copy(const std::unique_ptr<T>& other) {
  return std::make_unique<T>(*other);
}

// Slots of the sample: segments 0 uplink, 1 field, 2 office; ports 0 wan to 3 lan3 (VLAN 7);
// devices 0 press4, 1 meter, 2 camera, 3 scada; conduit 0 is terminated inbound, 1 outbound by
// name.
const Case kCounts[] = {
    {"a digest of 31 bytes", [](Draft& d) { d.config_sha256.pop_back(); }, "is not 32 bytes"},
    {"a digest of 33 bytes", [](Draft& d) { d.config_sha256.push_back(0); },
     "config_sha256: 33 entries, at most 32"},
    {"a file name that drives a terminal", [](Draft& d) { d.config_name = "a\x1b[2J"; },
     "config_name is not text"},
    {"a file name with a delete", [](Draft& d) { d.config_name = "a\x7f"; },
     "config_name is not text"},
    {"a file name of 1025 bytes", [](Draft& d) { d.config_name.assign(1025, 'a'); },
     "config_name is not text"},
    {"a file name of 1024 bytes", [](Draft& d) { d.config_name.assign(1024, 'a'); }, kAccepted},
    {"a device without a name", [](Draft& d) { d.device_names.pop_back(); },
     "device_names and devices differ in length"},
    {"a rule without a name", [](Draft& d) { d.rule_names.pop_back(); },
     "rule_names and rules differ in length"},
};

const Case kPorts[] = {
    {"slot 256", [](Draft& d) { d.ports.back()->slot = 256; }, "ports: slot 256 out of range"},
    {"slots out of order", [](Draft& d) { std::swap(d.ports[1], d.ports[2]); },
     "ports: slots are not ascending at 1"},
    {"one slot twice", [](Draft& d) { d.ports[2]->slot = 1; },
     "ports: slots are not ascending at 1"},
    {"a name with a slash", [](Draft& d) { d.ports[1]->name = "la/n1"; },
     "ports: slot 1 has no valid name"},
    {"a name of 13 bytes", [](Draft& d) { d.ports[1]->name = "abcdefghijklm"; },
     "ports: slot 1 has no valid name"},
    {"a name of 12 bytes", [](Draft& d) { d.ports[1]->name = "abcdefghijkl"; }, kAccepted},
    {"a name twice", [](Draft& d) { d.ports[2]->name = "lan1"; }, "ports: name lan1 twice"},
    {"a device that drives a terminal", [](Draft& d) { d.ports[1]->device = "\x1b"; },
     "port lan1: device is not text"},
};

const Case kSegments[] = {
    {"slot 256", [](Draft& d) { d.segments.back()->slot = 256; },
     "segments: slot 256 out of range"},
    {"slots out of order", [](Draft& d) { std::swap(d.segments[0], d.segments[1]); },
     "segments: slots are not ascending at 0"},
    {"a name that drives a terminal", [](Draft& d) { d.segments[0]->name = "\x1b"; },
     "segments: slot 0 has no valid name"},
    {"a name twice", [](Draft& d) { d.segments[1]->name = "uplink"; },
     "segments: name uplink twice"},
    {"a role that is none", [](Draft& d) { d.segments[2]->role = static_cast<draft::Role>(3); },
     "segment office: unknown role"},
    {"the last role", [](Draft& d) { d.segments[2]->role = draft::Role::Management; }, kAccepted},
    {"a group MAC", [](Draft& d) { *d.segments[1]->mac = mac(0x01); },
     "segment field: its MAC is no host's"},
    {"no MAC", [](Draft& d) { *d.segments[1]->mac = mac(0); },
     "segment field: its MAC is no host's"},
    {"a service that is none", [](Draft& d) { d.segments[1]->services = 16; },
     "segment field: unknown service"},
    {"65 addresses",
     [](Draft& d) { d.segments[1]->addresses.resize(65, d.segments[1]->addresses[0]); },
     "segment field: too many addresses"},
    {"an unspecified address",
     [](Draft& d) { d.segments[1]->addresses[0] = {address("0.0.0.0"), 24}; },
     "segment field: an address is no host's"},
    {"a multicast address",
     [](Draft& d) { d.segments[1]->addresses[1] = {address("ff02::1"), 64}; },
     "segment field: an address is no host's"},
    {"a loopback address", [](Draft& d) { d.segments[1]->addresses[1] = {address("::1"), 64}; },
     "segment field: an address is no host's"},
    {"prefix length 0", [](Draft& d) { d.segments[1]->addresses[0].mutate_prefix_length(0); },
     "segment field: a prefix length is out of range"},
    {"prefix length 33 in IPv4",
     [](Draft& d) { d.segments[1]->addresses[0].mutate_prefix_length(33); },
     "segment field: a prefix length is out of range"},
    {"prefix length 129 in IPv6",
     [](Draft& d) { d.segments[1]->addresses[1].mutate_prefix_length(129); },
     "segment field: a prefix length is out of range"},
    {"prefix lengths 32 and 128",
     [](Draft& d) {
       d.segments[1]->addresses[0].mutate_prefix_length(32);
       d.segments[1]->addresses[1].mutate_prefix_length(128);
     },
     kAccepted},
    {"a next hop that is no host", [](Draft& d) { d.segments[0]->gateways[0] = address("::1"); },
     "segment uplink: a next hop is no host's address"},
    {"two IPv4 next hops",
     [](Draft& d) { d.segments[0]->gateways.push_back(address("192.0.2.9")); },
     "segment uplink: more than one next hop of a version"},
    {"two IPv6 next hops",
     [](Draft& d) { d.segments[0]->gateways.push_back(address("2001:db8::9")); },
     "segment uplink: more than one next hop of a version"},
    {"NAPT44 inside", [](Draft& d) { d.segments[1]->napt44 = true; },
     "segment field: NAPT44 outside an uplink"},
    {"NAPT44 without an IPv4 address",
     [](Draft& d) {
       d.segments[0]->napt44 = true;
       // The first one is the IPv4 address.
       d.segments[0]->addresses.erase(d.segments[0]->addresses.begin());
     },
     "segment uplink: NAPT44 without an IPv4 address"},
    {"NAPT44 on three uplinks",
     [](Draft& d) {
       for (auto& segment : d.segments) {
         segment->role = draft::Role::Uplink;
         segment->napt44 = true;
       }
     },
     "too many uplinks have NAPT44"},
    {"an MTU that IPv6 cannot live with", [](Draft& d) { d.segments[1]->mtu = 1279; },
     "segment field: its MTU is out of range"},
    {"an MTU that no frame holds", [](Draft& d) { d.segments[1]->mtu = 1501; },
     "segment field: its MTU is out of range"},
    {"the least and the greatest MTU",
     [](Draft& d) {
       d.segments[0]->mtu = 1280;
       d.segments[1]->mtu = 1500;
     },
     kAccepted},
    {"a next hop inside", [](Draft& d) { d.segments[1]->gateways.push_back(address("10.20.0.9")); },
     "segment field: next hop outside an uplink"},
};

const Case kMembers[] = {
    {"of no segment", [](Draft& d) { d.members[0].mutate_segment(200); },
     "members: no segment 200"},
    {"of no port", [](Draft& d) { d.members[3].mutate_port(99); }, "members: no port 99"},
    {"out of order", [](Draft& d) { std::swap(d.members[0], d.members[1]); },
     "members: not sorted by port and VLAN"},
    {"one port and VLAN twice", [](Draft& d) { d.members.push_back(d.members.back()); },
     "members: not sorted by port and VLAN"},
    {"VLAN 4095", [](Draft& d) { d.members[3].mutate_vlan(4095); },
     "members: VLAN 4095 out of range"},
    {"VLAN 4094",
     [](Draft& d) {
       d.members[3].mutate_vlan(4094);
       d.devices[3].mutate_vlan(4094);
     },
     kAccepted},
};

const Case kDevices[] = {
    {"a flag that is neither", [](Draft& d) { d.devices[0].mutate_valid(2); },
     "device slot 0: a flag is neither 0 nor 1"},
    {"a follow flag that is neither", [](Draft& d) { d.devices[0].mutate_slaac_follow(2); },
     "device slot 0: a flag is neither 0 nor 1"},
    {"that follows", [](Draft& d) { d.devices[0].mutate_slaac_follow(1); }, kAccepted},
    {"a hole with a name",
     [](Draft& d) {
       d.devices.emplace_back();
       d.device_names.emplace_back("ghost");
     },
     "device slot 4: a hole has a name"},
    // Whatever else stands in a hole means nothing: nobody counts its addresses.
    {"a hole",
     [](Draft& d) {
       d.devices.emplace_back();
       d.devices.back().mutate_address_count(5);
       d.device_names.emplace_back();
     },
     kAccepted},
    {"a name with a slash", [](Draft& d) { d.device_names[0] = "press/4"; },
     "device slot 0: no valid name"},
    {"a name of 64 bytes", [](Draft& d) { d.device_names[0].assign(64, 'a'); },
     "device slot 0: no valid name"},
    {"a name of 63 bytes", [](Draft& d) { d.device_names[0].assign(63, 'a'); }, kAccepted},
    {"in no segment", [](Draft& d) { d.devices[0].mutate_segment(77); },
     "device slot 0: no such segment"},
    {"on the uplink",
     [](Draft& d) {
       d.devices[0].mutate_segment(0);
       d.devices[0].mutate_port(0);
     },
     "device slot 0: enrolled on an uplink"},
    {"on no port", [](Draft& d) { d.devices[0].mutate_port(99); },
     "device slot 0: its port and VLAN are not its segment's"},
    {"on another VLAN", [](Draft& d) { d.devices[0].mutate_vlan(7); },
     "device slot 0: its port and VLAN are not its segment's"},
    {"on another segment's port", [](Draft& d) { d.devices[0].mutate_port(0); },
     "device slot 0: its port and VLAN are not its segment's"},
    {"with a group MAC", [](Draft& d) { d.devices[0].mutable_mac() = mac(0x01); },
     "device slot 0: its MAC is no host's"},
    {"without a MAC", [](Draft& d) { d.devices[0].mutable_mac() = mac(0); },
     "device slot 0: its MAC is no host's"},
    {"addresses from past the end",
     [](Draft& d) {
       d.devices[0].mutate_first_address(9);
       d.devices[0].mutate_address_count(0);
     },
     "device slot 0: addresses out of range"},
    {"addresses to past the end", [](Draft& d) { d.devices[3].mutate_address_count(3); },
     "device slot 3: addresses out of range"},
    {"addresses to where numbers overflow",
     [](Draft& d) {
       d.devices[3].mutate_first_address(2);
       d.devices[3].mutate_address_count(0xffffffffU);
     },
     "device slot 3: addresses out of range"},
    {"65 addresses",
     [](Draft& d) {
       d.devices[0].mutate_first_address(static_cast<std::uint32_t>(d.device_addresses.size()));
       d.devices[0].mutate_address_count(65);
       d.device_addresses.resize(d.device_addresses.size() + 65, address("10.20.0.5"));
     },
     "device slot 0: too many addresses"},
    {"a multicast address", [](Draft& d) { d.device_addresses[0] = address("224.0.0.1"); },
     "device slot 0: an address is no host's"},
};

const Case kConduits[] = {
    {"slot 65536", [](Draft& d) { d.conduits.back()->slot = 65536; },
     "conduits: slot 65536 out of range"},
    {"slots out of order", [](Draft& d) { std::swap(d.conduits[0], d.conduits[1]); },
     "conduits: slots are not ascending at 0"},
    {"a name of 64 bytes", [](Draft& d) { d.conduits[3]->name.assign(64, 'a'); },
     "conduits: slot 3 has no valid name"},
    {"a name twice", [](Draft& d) { d.conduits[3]->name = d.conduits[4]->name; }, "twice"},
    {"a summary that drives a terminal", [](Draft& d) { d.conduits[3]->summary = "\x1b"; },
     "conduit office-sees-camera: summary is not text"},
    {"a name asked that is none", [](Draft& d) { d.conduits[1]->name_asked = "a b"; },
     "conduit meter-to-cloud: the name asked is no host name"},
    {"virtual addresses without a name", [](Draft& d) { d.conduits[1]->name_asked.clear(); },
     "virtual addresses without a name, or a name without them"},
    {"a name without virtual addresses", [](Draft& d) { d.conduits[1]->virtual_addresses.clear(); },
     "virtual addresses without a name, or a name without them"},
    {"a name of no segment", [](Draft& d) { d.conduits[1]->name_segment = 200; },
     "conduit meter-to-cloud: no name segment"},
    {"a segment without a name means nothing", [](Draft& d) { d.conduits[3]->name_segment = 200; },
     kAccepted},
    // Its rules go as well: they would be refused first.
    {"terminated without review",
     [](Draft& d) {
       auto extra = copy(d.conduits[0]);
       extra->slot = 9;
       extra->name = "extra";
       extra->termination->listener_port = 41000;
       extra->reviewed = false;
       d.conduits.push_back(std::move(extra));
     },
     "conduit extra: terminated without review"},
};

draft::TerminationT& inbound(Draft& d) { return *d.conduits[0]->termination; }

const Case kTerminations[] = {
    {"a side that is none", [](Draft& d) { inbound(d).side = static_cast<draft::Side>(2); },
     "conduit scada-reads-press4: unknown side"},
    {"a client authentication that is none",
     [](Draft& d) { inbound(d).client_auth = static_cast<draft::ClientAuth>(3); },
     "conduit scada-reads-press4: unknown side"},
    {"a port below the terminator's", [](Draft& d) { inbound(d).listener_port = 39999; },
     "listener port out of range"},
    {"a port above the terminator's", [](Draft& d) { inbound(d).listener_port = 49152; },
     "listener port out of range"},
    {"the terminator's last port",
     [](Draft& d) {
       for (draft::Rule& r : d.rules)
         if (r.listener_port() == inbound(d).listener_port) r.mutate_listener_port(49151);
       inbound(d).listener_port = 49151;
     },
     kAccepted},
    {"another's port",
     [](Draft& d) { inbound(d).listener_port = d.conduits[1]->termination->listener_port; },
     "listener port is another's"},
    {"listens nowhere", [](Draft& d) { inbound(d).listen_segments.clear(); }, "listens nowhere"},
    {"listens in no segment", [](Draft& d) { inbound(d).listen_segments = {77}; },
     "listens in a segment without an address"},
    {"listens in a segment without an address",
     [](Draft& d) {
       auto extra = copy(d.segments[2]);
       extra->slot = 9;
       extra->name = "bare";
       extra->addresses.clear();
       d.segments.push_back(std::move(extra));
       inbound(d).listen_segments = {0, 9};
     },
     "listens in a segment without an address"},
    {"no server segment", [](Draft& d) { inbound(d).server_segment = 77; }, "no server segment"},
    {"no server port", [](Draft& d) { inbound(d).server_port = 0; }, "no server port"},
    {"a server name that is none", [](Draft& d) { inbound(d).server_name = "a b"; },
     "server name is no host name"},
    {"no server", [](Draft& d) { inbound(d).server_addresses.clear(); }, "no server"},
    {"a server that is no host",
     [](Draft& d) { inbound(d).server_addresses[0] = address("224.0.0.1"); },
     "a server address is no host's"},
    {"a client CA with a line end", [](Draft& d) { inbound(d).client_ca = "a\nb"; },
     "a credential's name has no valid form"},
    {"a certificate with a line end", [](Draft& d) { inbound(d).certificate = "a\nb"; },
     "a credential's name has no valid form"},
    {"a server CA with a line end", [](Draft& d) { inbound(d).server_ca = "a\nb"; },
     "a credential's name has no valid form"},
};

draft::Rule& rule(Draft& d, RuleKind kind, bool of_conduit = true) {
  for (draft::Rule& r : d.rules)
    if (r.valid() != 0 && r.kind() == static_cast<draft::RuleKind>(kind) &&
        (r.conduit() != kNoConduit) == of_conduit)
      return r;
  ADD_FAILURE() << "no such rule in the sample";
  return d.rules[0];
}

void say(draft::Rule& r, Silence which, std::uint16_t seconds) {
  r.mutable_silence_s()->Mutate(static_cast<std::uint32_t>(which), seconds);
}

const Case kRules[] = {
    {"a flag that is neither", [](Draft& d) { d.rules[0].mutate_valid(2); },
     "rule slot 0: a flag is neither 0 nor 1"},
    {"a hole with a name",
     [](Draft& d) {
       d.rules.emplace_back();
       d.rule_names.emplace_back("ghost");
     },
     "a hole has a name"},
    {"a hole",
     [](Draft& d) {
       d.rules.emplace_back();
       d.rule_names.emplace_back();
     },
     kAccepted},
    {"a name that drives a terminal", [](Draft& d) { d.rule_names[0] = "\x1b"; },
     "rule slot 0: no valid name"},
    {"a kind that is none",
     [](Draft& d) {
       rule(d, RuleKind::HostService, false).mutate_kind(static_cast<draft::RuleKind>(4));
     },
     "unknown kind"},
    {"direct with a listener port",
     [](Draft& d) { rule(d, RuleKind::Direct).mutate_listener_port(40000); },
     "a listener port belongs to a terminated conduit and to nothing else"},
    {"leg A without a listener port",
     [](Draft& d) { rule(d, RuleKind::Terminate).mutate_listener_port(0); },
     "a listener port belongs to a terminated conduit and to nothing else"},
    {"leg A with another's listener port",
     [](Draft& d) { rule(d, RuleKind::Terminate).mutate_listener_port(41000); },
     "its listener port is not its conduit's"},
    {"silent for less than a class may be",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kOpen, 4); },
     "a silence out of bounds"},
    {"silent for more than a class may be",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kOpen, 64'811); },
     "a silence out of bounds"},
    {"ending for less than it may",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kTransitory, 9); },
     "a silence out of bounds"},
    {"ending for more than it may",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kTransitory, 3'611); },
     "a silence out of bounds"},
    {"half-open for less than it may",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kHalfOpen, 4); },
     "a silence out of bounds"},
    {"half-open for more than it may",
     [](Draft& d) { say(rule(d, RuleKind::Direct), Silence::kHalfOpen, 611); },
     "a silence out of bounds"},
    {"silent at the bounds",
     [](Draft& d) {
       say(rule(d, RuleKind::Direct), Silence::kOpen, 5);
       say(rule(d, RuleKind::Direct), Silence::kTransitory, 3'600);
       say(rule(d, RuleKind::Direct), Silence::kHalfOpen, 600);
     },
     kAccepted},
    {"leg A that may end before its conversation",
     [](Draft& d) { say(rule(d, RuleKind::Terminate), Silence::kOpen, 900); },
     "its flows do not end after their conversation"},
    {"leg B that may end before its conversation",
     [](Draft& d) { say(rule(d, RuleKind::LegB), Silence::kTransitory, 60); },
     "its flows do not end after their conversation"},
    {"a conversation that outlives its legs", [](Draft& d) { inbound(d).idle_s = 7'200; },
     "its flows do not end after their conversation"},
    {"one half of which outlives its legs", [](Draft& d) { inbound(d).half_closed_s = 300; },
     "its flows do not end after their conversation"},
    {"direct of no conduit", [](Draft& d) { rule(d, RuleKind::Direct).mutate_conduit(kNoConduit); },
     "no conduit"},
    {"of a conduit that is not there",
     [](Draft& d) { rule(d, RuleKind::Direct).mutate_conduit(200); }, "no reviewed conduit"},
    {"of a conduit without review", [](Draft& d) { d.conduits[3]->reviewed = false; },
     "no reviewed conduit"},
    {"direct for a terminated conduit",
     [](Draft& d) { rule(d, RuleKind::LegB).mutate_kind(draft::RuleKind::Direct); },
     "its kind is not its conduit's"},
    {"leg B for a direct conduit",
     [](Draft& d) { rule(d, RuleKind::Direct).mutate_kind(draft::RuleKind::LegB); },
     "its kind is not its conduit's"},
};

const Case kNames[] = {
    {"a resolver that is no host", [](Draft& d) { d.resolvers.push_back(address("::1")); },
     "a resolver is no host's address"},
    {"a name with a slash", [](Draft& d) { d.names[0]->name = "a/b"; }, "names: not a host name"},
    {"names out of order", [](Draft& d) { std::swap(d.names[0], d.names[1]); },
     "names: not sorted at broker.example"},
    {"a name twice", [](Draft& d) { d.names[1]->name = d.names[0]->name; },
     "names: not sorted at broker.example"},
    {"a name without a class", [](Draft& d) { d.names[0]->destination_class = 0; },
     "names: broker.example has no class"},
};

TEST(SnapshotVocabulary, FixedSizesAndFileName) { judge(kCounts); }
TEST(SnapshotVocabulary, Ports) { judge(kPorts); }
TEST(SnapshotVocabulary, Segments) { judge(kSegments); }
TEST(SnapshotVocabulary, Members) { judge(kMembers); }
TEST(SnapshotVocabulary, Devices) { judge(kDevices); }
TEST(SnapshotVocabulary, Conduits) { judge(kConduits); }
TEST(SnapshotVocabulary, Terminations) { judge(kTerminations); }
TEST(SnapshotVocabulary, Rules) { judge(kRules); }
TEST(SnapshotVocabulary, NamesAndResolvers) { judge(kNames); }

// As many as may be: what the compiler makes of a plant at its bounds is accepted.
TEST(SnapshotVocabulary, DevicesAndSegmentsAtTheirBounds) {
  model::Gateway gateway = testing::bare_gateway();
  gateway.segments[1].addresses.clear();
  for (unsigned n = 1; n <= kMaxAddressesPerSegment; ++n)
    gateway.segments[1].addresses.push_back(testing::own("10.20.0." + std::to_string(n), 16));
  for (model::Device& d : gateway.devices) d.addresses.clear();
  for (unsigned n = 0; n < kMaxAddressesPerDevice; ++n)
    gateway.devices[0].addresses.push_back(ip("10.20.1." + std::to_string(n)));
  const auto compiled = testing::compiled(gateway);
  EXPECT_EQ(verdict(compiled.snapshot), kAccepted);
  // The last of the list, and nobody's: a device without addresses starts where the list ends.
  EXPECT_EQ(testing::view_of(compiled).devices()[2].first_address(), kMaxAddressesPerDevice);
}

TEST(SnapshotVocabulary, APlantOfNothingIsAccepted) {
  EXPECT_EQ(verdict(testing::compiled(model::Gateway()).snapshot), kAccepted);
}

}  // namespace
}  // namespace sallyport::wire
