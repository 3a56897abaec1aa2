// Names, slots and references of a snapshot (tables: verify_tables.cc).
#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <initializer_list>
#include <set>
#include <string_view>
#include <vector>

#include "policy/base/mtu.h"
#include "policy/base/timeouts.h"
#include "policy/model/model.h"
#include "policy/model/names.h"
#include "policy/wire/verify.h"

namespace sallyport::wire {
namespace {

constexpr std::size_t kMaxText = 1024;  // summaries, file names
constexpr std::uint16_t kAllServices = model::kDhcp | model::kDns | model::kNtp | model::kPing;

// Text for people: no control character, so nothing in it can drive a terminal.
bool is_shown_text(std::string_view value) {
  return value.size() <= kMaxText && std::all_of(value.begin(), value.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
         });
}

// Tables with slot and name: slots strictly ascending and below `bound`, names formed and unique.
template <class Tables>
Fault slots_and_names_fault(const char* what, const Tables& tables, std::size_t bound,
                            std::size_t max_name) {
  std::set<std::string_view> seen;
  std::optional<std::uint32_t> previous;
  for (const auto* table : tables) {
    if (table->slot() >= bound) return fmt::format("{}: slot {} out of range", what, table->slot());
    if (previous && table->slot() <= *previous)
      return fmt::format("{}: slots are not ascending at {}", what, table->slot());
    previous = table->slot();
    const std::string_view name = text(table->name());
    if (!model::is_name(name, max_name))
      return fmt::format("{}: slot {} has no valid name", what, table->slot());
    if (!seen.insert(name).second) return fmt::format("{}: name {} twice", what, name);
  }
  return std::nullopt;
}

bool is_host_address(const IpAddress& a) {
  return !a.is_multicast() && !a.is_unspecified() && !a.is_loopback();
}

Fault segment_fault(const Segment& segment) {
  const auto wrong = [&](const char* what) {
    return Fault(fmt::format("segment {}: {}", text(segment.name()), what));
  };
  if (segment.role() > Role::MAX) return wrong("unknown role");
  const MacAddress mac = to_mac(*segment.mac());
  if (mac.is_group() || mac.is_zero()) return wrong("its MAC is no host's");
  if ((segment.services() & ~kAllServices) != 0) return wrong("unknown service");
  if (segment.addresses() == nullptr || segment.gateways() == nullptr)
    return wrong("a vector is missing");
  if (segment.addresses()->size() > kMaxAddressesPerSegment) return wrong("too many addresses");
  for (const InterfaceAddress* a : *segment.addresses()) {
    const IpAddress address = to_ip(a->address());
    if (!is_host_address(address)) return wrong("an address is no host's");
    if (a->prefix_length() == 0 || a->prefix_length() > (address.is_v4() ? 32 : 128))
      return wrong("a prefix length is out of range");
  }
  unsigned v4 = 0;
  unsigned v6 = 0;
  for (const Address* g : *segment.gateways()) {
    if (!is_host_address(to_ip(*g))) return wrong("a next hop is no host's address");
    ++(to_ip(*g).is_v4() ? v4 : v6);
  }
  if (v4 > 1 || v6 > 1) return wrong("more than one next hop of a version");
  if (v4 + v6 > 0 && segment.role() != Role::Uplink) return wrong("next hop outside an uplink");
  if (segment.mtu() < kLeastMtu || segment.mtu() > kMostMtu)
    return wrong("its MTU is out of range");
  if (!segment.napt44()) return std::nullopt;
  if (segment.role() != Role::Uplink) return wrong("NAPT44 outside an uplink");
  const auto is_v4 = [](const InterfaceAddress* a) { return to_ip(a->address()).is_v4(); };
  if (std::none_of(segment.addresses()->begin(), segment.addresses()->end(), is_v4))
    return wrong("NAPT44 without an IPv4 address");
  return std::nullopt;
}

Fault members_fault(const SnapshotView& view) {
  const Member* previous = nullptr;
  for (const Member& m : view.members()) {
    if (m.vlan() > 4094) return fmt::format("members: VLAN {} out of range", m.vlan());
    if (view.port(m.port()) == nullptr) return fmt::format("members: no port {}", m.port());
    if (view.segment(m.segment()) == nullptr)
      return fmt::format("members: no segment {}", m.segment());
    if (previous != nullptr &&
        std::pair(previous->port(), previous->vlan()) >= std::pair(m.port(), m.vlan()))
      return std::string("members: not sorted by port and VLAN");
    previous = &m;
  }
  return std::nullopt;
}

bool is_member(const SnapshotView& view, const Device& d) {
  return std::any_of(view.members().begin(), view.members().end(), [&](const Member& m) {
    return m.port() == d.port() && m.vlan() == d.vlan() && m.segment() == d.segment();
  });
}

Fault device_fault(const SnapshotView& view, std::uint32_t slot) {
  const Device& d = view.devices()[slot];
  const std::string_view name = view.device_name(slot);
  const auto wrong = [&](const char* what) {
    return Fault(fmt::format("device slot {}: {}", slot, what));
  };
  if (d.valid() > 1 || d.slaac_follow() > 1) return wrong("a flag is neither 0 nor 1");
  if (d.valid() == 0) return name.empty() ? Fault() : wrong("a hole has a name");
  if (!model::is_name(name, model::kMaxLongName)) return wrong("no valid name");
  const Segment* segment = view.segment(d.segment());
  if (segment == nullptr) return wrong("no such segment");
  if (segment->role() == Role::Uplink) return wrong("enrolled on an uplink");
  if (!is_member(view, d)) return wrong("its port and VLAN are not its segment's");
  const MacAddress mac = to_mac(d.mac());
  if (mac.is_group() || mac.is_zero()) return wrong("its MAC is no host's");
  const std::size_t addresses = view.device_addresses().size();
  if (d.first_address() > addresses || d.address_count() > addresses - d.first_address())
    return wrong("addresses out of range");
  if (d.address_count() > kMaxAddressesPerDevice) return wrong("too many addresses");
  for (const Address& a : view.device_addresses().subspan(d.first_address(), d.address_count()))
    if (!is_host_address(to_ip(a))) return wrong("an address is no host's");
  return std::nullopt;
}

// A silence is nothing said, or what some class of timeout may be.
bool is_silence(std::uint32_t seconds, std::initializer_list<TimeoutClass> classes) {
  return seconds == 0 || std::ranges::any_of(classes, [&](TimeoutClass of) {
           const TimeoutInfo& info = timeout_info(of);
           return seconds >= info.least_s && seconds <= info.most_s + kConversationEndsFirst_s;
         });
}

Fault silence_fault(const SnapshotView& view, const Rule& r) {
  using enum TimeoutClass;
  const auto of = [&](Silence which) {
    return std::uint32_t{r.silence_s()->Get(static_cast<std::uint32_t>(which))};
  };
  if (!is_silence(of(Silence::kOpen), {kEstablished, kUdp, kIcmp}) ||
      !is_silence(of(Silence::kTransitory), {kTransitory}) ||
      !is_silence(of(Silence::kHalfOpen), {kHalfOpen}))
    return std::string("a silence out of bounds");
  const Conduit* conduit = view.conduit(r.conduit());
  const Termination* t = conduit == nullptr ? nullptr : conduit->termination();
  if (t == nullptr) return std::nullopt;
  // Nothing said on either side: the terminator's own times are the shorter ones.
  const auto outlived = [](std::uint32_t flow, std::uint32_t conversation) {
    return flow == (conversation == 0 ? 0 : conversation + kConversationEndsFirst_s);
  };
  if (!outlived(of(Silence::kOpen), t->idle_s()) ||
      !outlived(of(Silence::kTransitory), t->half_closed_s()))
    return std::string("its flows do not end after their conversation");
  return std::nullopt;
}

Fault rule_fault(const SnapshotView& view, std::uint32_t slot) {
  const Rule& r = view.rules()[slot];
  const auto wrong = [&](const char* what) {
    return Fault(fmt::format("rule slot {}: {}", slot, what));
  };
  if (r.valid() > 1) return wrong("a flag is neither 0 nor 1");
  const std::string_view name = view.rule_name(slot);
  if (r.valid() == 0) return name.empty() ? Fault() : wrong("a hole has a name");
  if (!model::is_plain_text(name, kMaxText)) return wrong("no valid name");
  if (r.kind() > RuleKind::MAX) return wrong("unknown kind");
  if ((r.listener_port() != 0) != (r.kind() == RuleKind::Terminate))
    return wrong("a listener port belongs to a terminated conduit and to nothing else");
  if (const Fault fault = silence_fault(view, r)) return wrong(fault->c_str());
  if (r.conduit() == kNoConduit)
    return r.kind() == RuleKind::HostService ? Fault() : wrong("no conduit");
  const Conduit* conduit = view.conduit(r.conduit());
  if (conduit == nullptr || !conduit->reviewed()) return wrong("no reviewed conduit");
  const bool terminated = r.kind() == RuleKind::Terminate || r.kind() == RuleKind::LegB;
  if (terminated != (conduit->termination() != nullptr))
    return wrong("its kind is not its conduit's");
  if (r.kind() == RuleKind::Terminate &&
      r.listener_port() != conduit->termination()->listener_port())
    return wrong("its listener port is not its conduit's");
  return std::nullopt;
}

Fault termination_fault(const SnapshotView& view, const Termination& t) {
  if (t.side() > Side::MAX || t.client_auth() > ClientAuth::MAX) return "unknown side";
  if (t.listener_port() < kFirstListenerPort || t.listener_port() > kLastListenerPort)
    return "listener port out of range";
  if (t.listen_segments() == nullptr || t.server_addresses() == nullptr)
    return "a vector is missing";
  if (t.listen_segments()->size() == 0) return "listens nowhere";
  for (const std::uint16_t slot : *t.listen_segments()) {
    const Segment* segment = view.segment(slot);
    if (segment == nullptr || segment->addresses()->size() == 0)
      return "listens in a segment without an address";
  }
  if (view.segment(t.server_segment()) == nullptr) return "no server segment";
  if (t.server_port() == 0) return "no server port";
  const std::string_view name = text(t.server_name());
  if (!name.empty() && !model::is_host_name(name)) return "server name is no host name";
  if (name.empty() && t.server_addresses()->size() == 0) return "no server";
  for (const Address* a : *t.server_addresses())
    if (!is_host_address(to_ip(*a))) return "a server address is no host's";
  for (const auto* credential : {t.client_ca(), t.certificate(), t.server_ca()})
    if (!text(credential).empty() && !model::is_plain_text(text(credential), model::kMaxLongName))
      return "a credential's name has no valid form";
  return std::nullopt;
}

Fault conduit_fault(const SnapshotView& view, const Conduit& c) {
  if (!is_shown_text(text(c.summary()))) return "summary is not text";
  if (c.virtual_addresses() == nullptr) return "a vector is missing";
  const std::string_view asked = text(c.name_asked());
  if (!asked.empty() && !model::is_host_name(asked)) return "the name asked is no host name";
  if (asked.empty() != (c.virtual_addresses()->size() == 0))
    return "virtual addresses without a name, or a name without them";
  if (!asked.empty() && view.segment(c.name_segment()) == nullptr) return "no name segment";
  if (c.termination() == nullptr) return std::nullopt;
  if (!c.reviewed()) return "terminated without review";
  return termination_fault(view, *c.termination());
}

Fault conduits_fault(const SnapshotView& view) {
  std::bitset<65536> listeners;
  for (const Conduit* c : *view.root().conduits()) {
    if (auto fault = conduit_fault(view, *c))
      return fmt::format("conduit {}: {}", text(c->name()), *fault);
    if (c->termination() == nullptr) continue;
    if (listeners.test(c->termination()->listener_port()))
      return fmt::format("conduit {}: listener port is another's", text(c->name()));
    listeners.set(c->termination()->listener_port());
  }
  return std::nullopt;
}

Fault names_fault(const Snapshot& root) {
  std::string_view previous;
  for (const Name* n : *root.names()) {
    const std::string_view name = text(n->name());
    if (!model::is_host_name(name)) return std::string("names: not a host name");
    if (name <= previous) return fmt::format("names: not sorted at {}", name);
    if (n->destination_class() == 0) return fmt::format("names: {} has no class", name);
    previous = name;
  }
  return std::nullopt;
}

}  // namespace

Fault presence_fault(const Snapshot& root) {
  const auto check = [](const char* what, const auto* vector, std::size_t bound) -> Fault {
    if (vector == nullptr) return fmt::format("{} is missing", what);
    if (vector->size() > bound)
      return fmt::format("{}: {} entries, at most {}", what, vector->size(), bound);
    return std::nullopt;
  };
  for (const Fault& fault : {
           check("ports", root.ports(), kMaxPorts),
           check("segments", root.segments(), kMaxSegments),
           check("members", root.members(), kMaxMembers),
           check("devices", root.devices(), kMaxDevices),
           check("device_names", root.device_names(), kMaxDevices),
           check("device_addresses", root.device_addresses(), kMaxDeviceAddresses),
           check("bind_table", root.bind_table(), kMaxTableSlots),
           check("intervals4", root.intervals4(), kMaxIntervals),
           check("intervals6", root.intervals6(), kMaxIntervals),
           check("pairs", root.pairs(), kMaxTableSlots),
           check("ranges", root.ranges(), kMaxRanges),
           check("rules", root.rules(), kMaxRules),
           check("rule_names", root.rule_names(), kMaxRules),
           check("names", root.names(), kMaxNames),
           check("conduits", root.conduits(), kMaxConduits),
           check("resolvers", root.resolvers(), kMaxNames),
           check("config_sha256", root.config_sha256(), 32),
       })
    if (fault) return fault;
  if (root.config_sha256()->size() != 32) return std::string("config_sha256 is not 32 bytes");
  if (!is_shown_text(text(root.config_name()))) return std::string("config_name is not text");
  if (root.device_names()->size() != root.devices()->size())
    return std::string("device_names and devices differ in length");
  if (root.rule_names()->size() != root.rules()->size())
    return std::string("rule_names and rules differ in length");
  return std::nullopt;
}

Fault vocabulary_fault(const SnapshotView& view) {
  const Snapshot& root = view.root();
  if (auto fault = slots_and_names_fault("ports", *root.ports(), kMaxPorts, model::kMaxShortName))
    return fault;
  for (const Port* p : *root.ports())
    if (!model::is_plain_text(text(p->device()), 255))
      return fmt::format("port {}: device is not text", text(p->name()));
  if (auto fault =
          slots_and_names_fault("segments", *root.segments(), kMaxSegments, model::kMaxShortName))
    return fault;
  for (const Segment* s : *root.segments())
    if (auto fault = segment_fault(*s)) return fault;
  if (std::count_if(root.segments()->begin(), root.segments()->end(), [](const Segment* s) {
        return s->napt44();
      }) > static_cast<std::ptrdiff_t>(kMaxNatUplinks))
    return std::string("too many uplinks have NAPT44");
  if (auto fault = members_fault(view)) return fault;
  for (std::uint32_t slot = 0; slot < view.devices().size(); ++slot)
    if (auto fault = device_fault(view, slot)) return fault;
  if (auto fault =
          slots_and_names_fault("conduits", *root.conduits(), kMaxConduits, model::kMaxLongName))
    return fault;
  if (auto fault = conduits_fault(view)) return fault;
  for (std::uint32_t slot = 0; slot < view.rules().size(); ++slot)
    if (auto fault = rule_fault(view, slot)) return fault;
  for (const Address* a : *root.resolvers())
    if (!is_host_address(to_ip(*a))) return std::string("a resolver is no host's address");
  return names_fault(root);
}

}  // namespace sallyport::wire
