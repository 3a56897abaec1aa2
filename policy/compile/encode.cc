#include "policy/compile/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

namespace sallyport::compile {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// Handshakes in flight when the conduit says nothing.
constexpr std::uint32_t kDefaultInflight = 64;

class Encoder {
 public:
  Encoder(const EncodeInput& input, SlotBook& slots, Report& report)
      : in_(input), gateway_(input.plan_input.gateway), slots_(slots), report_(report) {}

  std::vector<std::uint8_t> run();

 private:
  template <class T>
  auto structs(const std::vector<T>& items) {
    return out_.CreateVectorOfStructs(items);
  }
  template <class T>
  auto tables(const std::map<std::uint32_t, Offset<T>>& by_slot) {
    std::vector<Offset<T>> items;
    for (const auto& [slot, item] : by_slot) items.push_back(item);
    return out_.CreateVector(items);
  }
  auto strings(const std::vector<std::string>& items) {
    std::vector<Offset<flatbuffers::String>> offsets;
    for (const std::string& item : items) offsets.push_back(out_.CreateSharedString(item));
    return out_.CreateVector(offsets);
  }
  auto addresses(const std::vector<IpAddress>& items) {
    std::vector<wire::Address> out;
    for (const IpAddress& a : items) out.push_back(wire::to_wire(a));
    return structs(out);
  }
  std::uint32_t given(std::optional<std::uint32_t> slot, const std::string& name) {
    if (!slot)
      report_.error({}, "too-complex", fmt::format("no slot is left for {}", name),
                    "apply the removal of others first");
    return slot.value_or(0);
  }
  std::uint16_t segment_slot(std::size_t index) const {
    return static_cast<std::uint16_t>(segment_slots_[index]);
  }

  void assign_slots();
  Offset<wire::Segment> segment(std::size_t index);
  wire::Mac mac_of(const model::Segment& segment) const;
  std::vector<wire::Member> members() const;
  void devices();
  std::vector<wire::BindSlot> bind_table();
  void intervals();
  void rules();
  std::vector<Offset<wire::Name>> names();
  Offset<wire::Conduit> conduit(const PlannedConduit& planned);
  Offset<wire::Termination> termination(const PlannedConduit& planned);
  Offset<wire::ModbusInspect> modbus(const model::Conduit& conduit);

  const EncodeInput& in_;
  const model::Gateway& gateway_;
  SlotBook& slots_;
  Report& report_;
  FlatBufferBuilder out_{1 << 20};

  std::vector<std::uint32_t> port_slots_, segment_slots_, device_slots_;
  std::map<std::string_view, std::uint32_t> port_slot_by_name_;
  std::vector<wire::Device> devices_;
  std::vector<std::string> device_names_;
  std::vector<wire::Address> device_addresses_;
  std::vector<wire::Interval4> intervals4_;
  std::vector<wire::Interval6> intervals6_;
  std::vector<wire::Rule> rules_;
  std::vector<std::string> rule_names_;
};

void Encoder::assign_slots() {
  for (const model::Port& p : gateway_.ports) {
    port_slots_.push_back(given(slots_.port(p.name), p.name));
    port_slot_by_name_.emplace(p.name, port_slots_.back());
  }
  for (const model::Segment& s : gateway_.segments)
    segment_slots_.push_back(given(slots_.segment(s.name), s.name));
  for (const model::Device& d : gateway_.devices)
    device_slots_.push_back(given(slots_.device(d.name), d.name));
}

// Locally administered, unicast, the same for a unit and a name for ever.
wire::Mac Encoder::mac_of(const model::Segment& segment) const {
  if (segment.mac) return wire::to_wire(*segment.mac);
  const wire::Digest digest =
      wire::sha256(fmt::format("mac {} {}", in_.compile.unit_id, segment.name));
  std::array<std::uint8_t, 6> bytes{};
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfc) | 0x02);
  return wire::to_wire(MacAddress(bytes));
}

Offset<wire::Segment> Encoder::segment(std::size_t index) {
  const model::Segment& s = gateway_.segments[index];
  std::vector<wire::InterfaceAddress> own;
  for (const model::InterfaceAddress& a : s.addresses)
    own.emplace_back(wire::to_wire(a.address), static_cast<std::uint8_t>(a.subnet.length()));
  const auto name = out_.CreateString(s.name);
  const auto own_offset = structs(own);
  const auto gateways = addresses(s.gateways);
  const wire::Mac mac = mac_of(s);
  return wire::CreateSegment(out_, segment_slot(index), name, static_cast<wire::Role>(s.role), &mac,
                             own_offset, gateways, s.services, s.isolated, s.napt44, s.mtu);
}

std::vector<wire::Member> Encoder::members() const {
  std::vector<wire::Member> out;
  for (std::size_t s = 0; s < gateway_.segments.size(); ++s)
    for (const model::Member& m : gateway_.segments[s].members)
      out.emplace_back(static_cast<std::uint16_t>(port_slot_by_name_.at(m.port)), m.vlan,
                       segment_slot(s));
  std::sort(out.begin(), out.end(), [](const wire::Member& a, const wire::Member& b) {
    return std::pair(a.port(), a.vlan()) < std::pair(b.port(), b.vlan());
  });
  return out;
}

void Encoder::devices() {
  std::size_t size = 0;
  for (const std::uint32_t slot : device_slots_) size = std::max<std::size_t>(size, slot + 1);
  devices_.resize(size);
  device_names_.resize(size);
  for (std::size_t d = 0; d < gateway_.devices.size(); ++d) {
    const model::Device& device = gateway_.devices[d];
    const auto first = static_cast<std::uint32_t>(device_addresses_.size());
    for (const IpAddress& a : device.addresses) device_addresses_.push_back(wire::to_wire(a));
    devices_[device_slots_[d]] =
        wire::Device(wire::to_wire(device.mac), 1, device.slaac_follow ? 1 : 0,
                     segment_slot(in_.plan_input.directory.segments.at(device.segment)),
                     static_cast<std::uint16_t>(port_slot_by_name_.at(device.where.port)),
                     device.where.vlan, first, static_cast<std::uint32_t>(device.addresses.size()));
    device_names_[device_slots_[d]] = device.name;
  }
}

std::vector<wire::BindSlot> Encoder::bind_table() {
  if (gateway_.devices.empty()) return {};
  const wire::BindSlot empty(wire::Mac(), 0, wire::kNoDevice);
  std::vector<wire::BindSlot> out;
  for (std::size_t size = std::bit_ceil(2 * gateway_.devices.size());; size *= 2) {
    out.assign(size, empty);
    const std::size_t mask = size - 1;
    bool placed = true;
    for (std::size_t d = 0; d < gateway_.devices.size(); ++d) {
      const MacAddress& mac = gateway_.devices[d].mac;
      std::size_t at = wire::mac_hash(mac.bytes()) & mask;
      std::size_t steps = 0;
      for (; out[at].device() != wire::kNoDevice; at = (at + 1) & mask) ++steps;
      placed &= steps < wire::kMaxProbe;
      out[at] = wire::BindSlot(wire::to_wire(mac), 0, device_slots_[d]);
    }
    if (placed) return out;
  }
}

void Encoder::intervals() {
  for (const ClassTable::Interval& i : in_.classes.intervals) {
    const std::uint16_t segment = i.segment      ? segment_slot(*i.segment)
                                  : i.is_virtual ? wire::kVirtual
                                                 : wire::kNowhere;
    const std::uint32_t device = i.gateway  ? wire::kGatewayHost
                                 : i.device ? device_slots_[*i.device]
                                            : wire::kNoDevice;
    if (is_v4(i.first)) {
      intervals4_.emplace_back(static_cast<std::uint32_t>(i.first), device, i.source_class,
                               i.destination_class, segment, std::uint16_t{0});
      // Among IPv6 addresses the mapped ones are one gap.
      if (i.first != kAllV4.first) continue;
      intervals6_.emplace_back(std::uint64_t{0}, static_cast<std::uint64_t>(i.first),
                               wire::kNoDevice, 0U, 0U, wire::kNowhere, std::uint16_t{0});
      continue;
    }
    intervals6_.emplace_back(static_cast<std::uint64_t>(i.first >> 64),
                             static_cast<std::uint64_t>(i.first), device, i.source_class,
                             i.destination_class, segment, std::uint16_t{0});
  }
  if (intervals4_.size() > wire::kMaxIntervals || intervals6_.size() > wire::kMaxIntervals)
    report_.error({}, "too-complex", "too many addresses are told apart",
                  "name prefixes instead of single addresses");
}

std::uint64_t meaning_of(const PlannedRule& rule) {
  const wire::Digest digest =
      wire::sha256(fmt::format("{}\n{}", rule.behaviour, rule.listener_port));
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out = out << 8 | digest[i];
  return out | 1;  // never 0, which flows may use for "none"
}

// The conversation of a terminated conduit ends before its flows do.
std::array<std::uint16_t, wire::kSilences> silence_of(const PlannedRule& rule) {
  if (rule.conduit == nullptr) return {};
  const model::Timeouts& t = rule.conduit->timeouts;
  const bool terminated =
      rule.kind == wire::RuleKind::Terminate || rule.kind == wire::RuleKind::LegB;
  const auto longer = [&](TimeoutClass of) {
    const std::uint32_t seconds = t.of(of);
    return static_cast<std::uint16_t>(
        terminated && seconds != 0 ? seconds + kConversationEndsFirst_s : seconds);
  };
  switch (rule.conduit->service.protocol) {
    case IpProtocol::kTcp:
      return {longer(TimeoutClass::kEstablished), longer(TimeoutClass::kTransitory),
              static_cast<std::uint16_t>(t.of(TimeoutClass::kHalfOpen))};
    case IpProtocol::kUdp:
      return {longer(TimeoutClass::kUdp), 0, 0};
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmp6:
      return {longer(TimeoutClass::kIcmp), 0, 0};
  }
  return {};
}

void Encoder::rules() {
  std::size_t size = 0;
  for (const PlannedRule& r : in_.plan.rules) size = std::max<std::size_t>(size, r.slot + 1);
  rules_.resize(size);
  rule_names_.resize(size);
  std::map<const model::Conduit*, std::uint32_t> conduit_slots;
  for (const PlannedConduit& c : in_.plan.conduits) conduit_slots.emplace(c.conduit, c.slot);
  for (const PlannedRule& r : in_.plan.rules) {
    const model::AdmissionSpec admission =
        r.conduit == nullptr ? model::AdmissionSpec{} : r.conduit->admission;
    const bool leg_a = r.kind == wire::RuleKind::Terminate;
    rules_[r.slot] = wire::Rule(
        meaning_of(r), r.conduit == nullptr ? wire::kNoConduit : conduit_slots.at(r.conduit),
        admission.rate_per_s, admission.per_device_per_s,
        static_cast<std::uint16_t>(leg_a && admission.inflight == 0 ? kDefaultInflight
                                                                    : admission.inflight),
        silence_of(r), r.listener_port, r.kind, 1);
    rule_names_[r.slot] = r.name;
  }
}

std::vector<Offset<wire::Name>> Encoder::names() {
  std::map<std::string, ClassId> sorted;
  for (ClassId c = 0; c < in_.classes.destinations.size(); ++c)
    if (!in_.classes.destinations[c].name.empty())
      sorted.emplace(in_.classes.destinations[c].name, c);
  if (sorted.size() > wire::kMaxNames)
    report_.error({}, "too-complex", fmt::format("{} DNS names", sorted.size()),
                  fmt::format("at most {} fit", wire::kMaxNames));
  std::vector<Offset<wire::Name>> out;
  for (const auto& [name, id] : sorted)
    out.push_back(wire::CreateNameDirect(out_, name.c_str(), id));
  return out;
}

Offset<wire::Termination> Encoder::termination(const PlannedConduit& planned) {
  if (!planned.termination) return 0;
  const PlannedTermination& t = *planned.termination;
  const model::Conduit& c = *planned.conduit;
  const model::Terminate tls = c.terminate.value_or(model::Terminate{});
  std::vector<std::uint16_t> listen;
  for (const std::size_t s : t.listen_segments) listen.push_back(segment_slot(s));
  const auto client_ca = out_.CreateString(tls.client_ca);
  const auto certificate = out_.CreateString(tls.certificate);
  const auto server_ca = out_.CreateString(tls.server_ca);
  const auto server_name = out_.CreateString(t.server_name);
  const auto servers = addresses(t.server_addresses);
  const auto listen_offset = out_.CreateVector(listen);
  wire::TerminationBuilder builder(out_);
  builder.add_side(static_cast<wire::Side>(t.side));
  builder.add_listener_port(t.listener_port);
  builder.add_listen_segments(listen_offset);
  builder.add_tls_listener(t.tls_listener);
  builder.add_tls_server(t.tls_server);
  builder.add_client_auth(static_cast<wire::ClientAuth>(tls.client_auth));
  builder.add_client_ca(client_ca);
  builder.add_certificate(certificate);
  builder.add_server_ca(server_ca);
  builder.add_server_name(server_name);
  builder.add_server_addresses(servers);
  builder.add_server_port(t.server_port);
  builder.add_server_segment(segment_slot(t.server_segment));
  builder.add_inflight(c.admission.inflight == 0 ? kDefaultInflight : c.admission.inflight);
  const bool tcp = c.service.protocol == IpProtocol::kTcp;
  builder.add_idle_s(static_cast<std::uint16_t>(
      c.timeouts.of(tcp ? TimeoutClass::kEstablished : TimeoutClass::kUdp)));
  builder.add_half_closed_s(static_cast<std::uint16_t>(c.timeouts.of(TimeoutClass::kTransitory)));
  return builder.Finish();
}

Offset<wire::ModbusInspect> Encoder::modbus(const model::Conduit& conduit) {
  if (!conduit.inspect.modbus) return 0;
  return wire::CreateModbusInspectDirect(out_, &conduit.inspect.modbus->functions,
                                         &conduit.inspect.modbus->units);
}

Offset<wire::Conduit> Encoder::conduit(const PlannedConduit& planned) {
  const model::Conduit& c = *planned.conduit;
  const bool answers = !planned.virtual_addresses.empty();
  const auto name = out_.CreateString(c.name);
  const auto summary = out_.CreateString(planned.summary);
  const auto termination_offset = termination(planned);
  const auto modbus_offset = modbus(c);
  const auto virtual_offset = addresses(planned.virtual_addresses);
  const auto asked = out_.CreateString(answers ? planned.name_asked : std::string());
  wire::ConduitBuilder builder(out_);
  builder.add_slot(planned.slot);
  builder.add_name(name);
  builder.add_line(c.at.line);
  builder.add_column(c.at.column);
  builder.add_reviewed(planned.enforced);
  builder.add_summary(summary);
  if (!termination_offset.IsNull()) builder.add_termination(termination_offset);
  if (!modbus_offset.IsNull()) builder.add_modbus(modbus_offset);
  builder.add_virtual_addresses(virtual_offset);
  builder.add_name_asked(asked);
  builder.add_name_segment(answers ? segment_slot(planned.name_segment) : std::uint16_t{0});
  return builder.Finish();
}

std::vector<std::uint8_t> Encoder::run() {
  assign_slots();
  if (report_.failed()) return {};
  devices();
  intervals();
  rules();
  std::map<std::uint32_t, Offset<wire::Port>> ports;
  for (std::size_t p = 0; p < gateway_.ports.size(); ++p)
    ports[port_slots_[p]] =
        wire::CreatePortDirect(out_, static_cast<std::uint16_t>(port_slots_[p]),
                               gateway_.ports[p].name.c_str(), gateway_.ports[p].device.c_str());
  std::map<std::uint32_t, Offset<wire::Segment>> segments;
  for (std::size_t s = 0; s < gateway_.segments.size(); ++s)
    segments[segment_slots_[s]] = segment(s);
  std::map<std::uint32_t, Offset<wire::Conduit>> conduits;
  for (const PlannedConduit& c : in_.plan.conduits) conduits[c.slot] = conduit(c);

  const auto sha = out_.CreateVector(in_.compile.config_sha256.data(), 32);
  const auto config_name = out_.CreateString(in_.compile.config_name);
  const auto ports_offset = tables(ports);
  const auto segments_offset = tables(segments);
  const auto conduits_offset = tables(conduits);
  const auto names_offset = out_.CreateVector(names());
  const auto members_offset = structs(members());
  const auto devices_offset = structs(devices_);
  const auto device_names = strings(device_names_);
  const auto device_addresses = structs(device_addresses_);
  const auto bind = structs(bind_table());
  const auto intervals4 = structs(intervals4_);
  const auto intervals6 = structs(intervals6_);
  const auto pairs = structs(in_.pairs.pairs);
  const auto ranges = structs(in_.pairs.ranges);
  const auto rules_offset = structs(rules_);
  const auto rule_names = strings(rule_names_);
  const auto resolvers = addresses(in_.plan.resolvers);
  wire::FinishSnapshotBuffer(
      out_,
      wire::CreateSnapshot(out_, in_.compile.revision, sha, config_name, ports_offset,
                           segments_offset, members_offset, devices_offset, device_names,
                           device_addresses, bind, intervals4, intervals6, pairs, ranges,
                           rules_offset, rule_names, names_offset, conduits_offset, resolvers));
  return wire::seal_snapshot(in_.compile.revision, {out_.GetBufferPointer(), out_.GetSize()});
}

}  // namespace

std::vector<std::uint8_t> encode(const EncodeInput& input, SlotBook& slots, Report& report) {
  return Encoder(input, slots, report).run();
}

}  // namespace sallyport::compile
