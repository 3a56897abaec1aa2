#include "dataplane/stages/bind.h"

#include "dataplane/stages/ethernet.h"
#include "dataplane/stages/fields.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/telemetry/stages.h"

namespace sallyport::dataplane {
namespace {

using Reason = std::optional<Drop>;

Drop spoofed(const Headers& h) {
  if (h.message == Message::kArp) return Drop::kArpSpoofed;
  return h.is_neighbour() ? Drop::kNdSpoofed : Drop::kSpoofedSource;
}

// What may be sent from the unspecified address: RFC 2131, RFC 4862 §5.4, RFC 5227, RFC 3590.
bool before_address(const Headers& h) {
  switch (h.message) {
    case Message::kArp:
      return h.arp_operation == 1;
    case Message::kNeighbourSolicitation:
    case Message::kRouterSolicitation:
    case Message::kMulticastReport:
      return true;
    case Message::kUdp:
      return h.source.is_v4() && h.source_port == 68 && h.destination_port == 67;
    default:
      return false;
  }
}

[[gnu::noinline]] Drop stolen(const PacketMeta& meta, const Tables& tables, DeviceSlot owner,
                              Events& events, Instant now) {
  const wire::Device* home = tables.classifier().device(owner);
  events.add({.kind = EventKind::kStolenIdentity,
              .device = owner,
              .home_port = home == nullptr ? kNoPort : home->port(),
              .seen_port = meta.port,
              .seen_vlan = meta.headers.vlan,
              .mac = meta.headers.source_mac,
              .address = meta.headers.source,
              .when = now});
  return Drop::kStolenIdentity;
}

// An enrolled device's listed address, of which device; kNoDevice if it is none.
DeviceSlot owner_of(const IpAddress& address, const Tables& tables) {
  if (!tables.enrolled().may_be(address)) return kNoDevice;
  const decide::Location place = tables.classifier().locate(address);
  return place.is_device() ? place.device : kNoDevice;
}

DeviceSlot device_of(const MacAddress& mac, const Tables& tables) {
  if (!tables.enrolled().may_be(mac)) return kNoDevice;
  DeviceSlot slot = kNoDevice;
  return tables.likely_sender(mac_word(mac), slot) != nullptr
             ? slot
             : tables.classifier().device_by_mac(mac);
}

// The MAC may be anybody's, also the thief's own: then the address tells.
Reason bind_device(PacketMeta& meta, const Tables& tables, Events& events, Instant now) {
  const Headers& h = meta.headers;
  const decide::Classifier& classifier = tables.classifier();
  const auto unless_stolen = [&](Drop reason) {
    const DeviceSlot owner = owner_of(h.source, tables);
    return owner != kNoDevice ? stolen(meta, tables, owner, events, now) : reason;
  };
  const DeviceSlot slot = device_of(h.source_mac, tables);
  const wire::Device* device = slot == kNoDevice ? nullptr : classifier.device(slot);
  if (device == nullptr) return unless_stolen(Drop::kUnknownDevice);
  if (device->port() != meta.port || device->vlan() != h.vlan ||
      device->segment() != meta.segment) {
    return stolen(meta, tables, slot, events, now);
  }
  meta.device = slot;
  if (h.message == Message::kArp && h.link_layer != h.source_mac) return Drop::kArpSpoofed;
  if (h.is_neighbour() && h.is_ip() && !h.link_layer.is_zero() && h.link_layer != h.source_mac) {
    return Drop::kNdSpoofed;
  }
  meta.source_place = classifier.place_of(slot, h.source);
  if (meta.source_place != decide::kNoPlace || classifier.owns(slot, h.source)) [[likely]]
    return std::nullopt;
  if (h.source.is_unspecified()) {
    return before_address(h) ? std::nullopt : Reason(spoofed(h));
  }
  return unless_stolen(spoofed(h));
}

Reason bind_uplink(PacketMeta& meta, const SegmentInfo& segment, const Tables& tables) {
  const Headers& h = meta.headers;
  if (h.source.is_unspecified()) {
    return h.is_neighbour() && before_address(h) ? std::nullopt : Reason(spoofed(h));
  }
  if (segment.owns(h.source)) return h.is_neighbour() ? spoofed(h) : Drop::kReversePath;
  if (h.is_neighbour() || h.message == Message::kRouterSolicitation) {
    const bool near = segment.on_link(h.source) || (h.is_ip() && h.source.is_link_local());
    if (h.message == Message::kArp && h.link_layer != h.source_mac) return Drop::kArpSpoofed;
    return near ? std::nullopt : Reason(spoofed(h));
  }
  if (h.source.is_link_local()) return Drop::kLinkLocalForward;
  meta.source_place = tables.classifier().find(h.source);
  const decide::Location place = tables.classifier().at(meta.source_place, h.source);
  if (place.nowhere()) return Drop::kMartianSource;
  if (place.segment != segment.slot || place.is_gateway()) return Drop::kReversePath;
  return std::nullopt;
}

Reason bind_wire(PacketMeta& meta, const Tables& tables, Events& events, Instant now) {
  const Headers& h = meta.headers;
  meta.segment = tables.classifier().segment_of(meta.port, h.vlan);
  const SegmentInfo* segment = tables.segment(meta.segment);
  if (segment == nullptr) return Drop::kSegmentMismatch;
  if (same_mac(h.source_mac, segment->mac) || same_mac(h.source_mac, kFixedMac))
    return Drop::kBadSourceMac;
  const Reason unknown = segment->devices_only() ? bind_device(meta, tables, events, now)
                                                 : bind_uplink(meta, *segment, tables);
  if (unknown) return unknown;
  if (h.destination_mac.is_group()) {
    // RFC 1122 §3.3.6: a unicast packet in a group frame is nobody's.
    if (h.is_ip() && !h.destination.is_multicast() &&
        !(h.destination.is_v4() && h.destination.v4_value() == 0xffffffff)) {
      return Drop::kNoBroadcast;
    }
  } else if (!same_mac(h.destination_mac, segment->mac)) {
    return Drop::kNotEnforceable;
  }
  return std::nullopt;
}

Reason bind_host(const PacketMeta& meta, const Tables& tables) {
  const SegmentInfo* segment = tables.segment(meta.segment);
  const Headers& h = meta.headers;
  if (segment == nullptr || h.source_mac != segment->mac) return Drop::kHostStackDenied;
  if (h.source.is_unspecified() ? !before_address(h) : !segment->owns(h.source)) {
    return Drop::kHostStackDenied;
  }
  return std::nullopt;
}

}  // namespace

Outcome<ParsedPacket> Parse::run(Packet&& packet) noexcept {
  PacketMeta& meta = packet.meta();
  meta.stages |= stage_bit(Stage::kParse);
  if (meta.fault != RxFault::kNone) {
    meta.headers = Headers{};
    return dropped(std::move(packet),
                   meta.fault == RxFault::kChained ? Drop::kGiant : Drop::kVlanInvalid);
  }
  if (const auto bad = parse_frame(packet.bytes(), meta.headers)) {
    return dropped(std::move(packet), *bad);
  }
  return ParsedPacket(std::move(packet));
}

Outcome<ParsedPacket> Parse::run_datagram(Packet&& packet) noexcept {
  PacketMeta& meta = packet.meta();
  const std::uint32_t id = meta.headers.fragment_id;
  const auto bad = parse_datagram(packet.bytes(), meta.headers);
  meta.headers.fragment_id = id;
  if (bad) return dropped(std::move(packet), *bad);
  if (!transport_sum_right(packet)) return dropped(std::move(packet), Drop::kBadTransportChecksum);
  return ParsedPacket(std::move(packet));
}

std::optional<BoundPacket> Bind::run_by_flow(ParsedPacket& parsed, const FlowMatch& match,
                                             const Tables& tables) noexcept {
  const Flow& flow = *match.flow;
  const bool from_client = match.direction == Direction::kFromClient;
  const Headers& h = parsed.headers();
  const FlowEnd from = flow.from(match.direction);
  const SegmentSlot slot = from.segment();
  const SegmentInfo* segment = tables.segment(slot);
  if (flow.checked != tables.mark() || segment == nullptr ||
      (flow.flags & (from_client ? kClientIsHost : kServerIsHost)) != 0 ||
      parsed.meta().origin != Origin::kWire || !same_mac(h.destination_mac, segment->mac))
    return std::nullopt;
  const DeviceSlot end = from.device();
  if (end != kNoDevice) {
    const wire::Device* device = tables.classifier().device(end);
    if (device == nullptr || !same_mac(device->mac(), h.source_mac) ||
        device->port() != parsed.meta().port || device->vlan() != h.vlan ||
        device->segment() != slot)
      return std::nullopt;
  } else if (segment->devices_only() || same_mac(h.source_mac, segment->mac) ||
             same_mac(h.source_mac, kFixedMac) ||
             tables.classifier().segment_of(parsed.meta().port, h.vlan) != slot) {
    return std::nullopt;
  }
  return note(std::move(parsed).release(), slot, end, decide::kNoPlace);
}

std::optional<LinkSender> Bind::by_link(ConstBytes frame, const PlainFrame& plain, PortSlot port,
                                        const Tables& tables, decide::Location& at) noexcept {
  const auto ends = fixed<kEthernetSize>(frame, 0);
  const std::uint64_t sender = field<std::uint64_t, 6>(ends) << 16;
  DeviceSlot slot = kNoDevice;
  const DeviceLink* link = tables.likely_sender(sender >> 16, slot);
  if (link == nullptr || link->own != (sender | port) ||
      link->gateway != (field<std::uint64_t, 0>(ends) << 16 | plain.vlan) ||
      !tables.classifier().lives_at(slot, plain.key.source, at))
    return std::nullopt;
  return LinkSender(link->segment, slot);
}

// An address that is plausible() is not the device's link-local one.
std::optional<Refused> Bind::refuses(ConstBytes frame, const PlainFrame& plain, PortSlot port,
                                     const Tables& tables) noexcept {
  if (tables.enrolled().may_be(plain.key.source) || !plausible(frame, plain)) return std::nullopt;
  MacAddress sender;
  read_mac<6>(fixed<kEthernetSize>(frame, 0), sender);
  const std::uint64_t mac = mac_word(sender);
  if (tables.enrolled().may_be(sender)) {
    DeviceSlot slot = kNoDevice;
    const DeviceLink* link = tables.likely_sender(mac, slot);
    if (link == nullptr || link->port() != port || link->vlan() != plain.vlan) return std::nullopt;
    return Refused{slot, link->segment, Drop::kSpoofedSource};
  }
  const SegmentSlot slot = tables.classifier().segment_of(port, plain.vlan);
  const SegmentInfo* segment = tables.segment(slot);
  if (segment == nullptr || !segment->devices_only() || mac == mac_word(segment->mac) ||
      mac == mac_word(kFixedMac))
    return std::nullopt;
  return Refused{kNoDevice, slot, Drop::kUnknownDevice};
}

Outcome<BoundPacket> Bind::run(ParsedPacket&& parsed, const Tables& tables, Events& events,
                               Instant now) noexcept {
  Packet packet = std::move(parsed).release();
  PacketMeta& meta = packet.meta();
  meta.stages |= stage_bit(Stage::kBind);
  meta.source_place = decide::kNoPlace;
  const Reason refused = meta.origin == Origin::kHostStack ? bind_host(meta, tables)
                                                           : bind_wire(meta, tables, events, now);
  if (refused) return dropped(std::move(packet), *refused);
  return BoundPacket(std::move(packet));
}

}  // namespace sallyport::dataplane
