#include "dataplane/stages/dhcp.h"

#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/rewrite.h"
#include "policy/decide/plausible.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint8_t kBootRequest = 1;
constexpr std::uint8_t kEthernetType = 1;
constexpr std::uint8_t kEthernetLength = 6;
constexpr std::size_t kHardwareAddress = 28;  // chaddr, RFC 2131 §2

bool asks(const Headers& h) {
  return decide::asks_for_address(h.version(), h.source_port, h.destination_port);
}
bool answers(const Headers& h) {
  return decide::answers_with_address(h.version(), h.source_port, h.destination_port);
}
ConstBytes payload_of(const Packet& packet) {
  const Headers& h = packet.meta().headers;
  return packet.bytes().subspan(h.payload, static_cast<std::size_t>(h.end - h.payload));
}

// Nothing when it is too short, or no BOOTP message of this kind over Ethernet.
std::optional<MacAddress> hardware_of(ConstBytes message, std::uint8_t operation) {
  Cursor cursor(message);
  if (cursor.u8() != operation || cursor.u8() != kEthernetType || cursor.u8() != kEthernetLength ||
      !cursor.skip(kHardwareAddress - 3))
    return std::nullopt;
  return cursor.object<MacAddress>();
}

// RFC 8415 §7.3: what a client sends; the others are servers' and relays'.
bool is_client_message(ConstBytes message) {
  if (message.empty()) return false;
  switch (message[0]) {
    case 1:   // solicit
    case 3:   // request
    case 4:   // confirm
    case 5:   // renew
    case 6:   // rebind
    case 8:   // release
    case 9:   // decline
    case 11:  // information-request
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Dhcp::concerns(const Headers& h, Origin origin, const SegmentInfo& segment) noexcept {
  if (h.message != Message::kUdp) return false;
  if (answers(h)) return true;
  if (!asks(h)) return false;
  return origin == Origin::kHostStack || h.destination.is_multicast() ||
         (h.destination.is_v4() && h.destination.v4_value() == 0xffffffff) ||
         segment.owns(h.destination);
}

void Dhcp::receive(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                   Instant now) noexcept {
  const bool from_stack = packet.meta().origin == Origin::kHostStack;
  const bool wanted = from_stack ? answers(packet.headers()) : asks(packet.headers());
  Packet raw = std::move(packet).release();
  if (!segment.devices_only() || (segment.services & decide::kAddressService) == 0 || !wanted) {
    return exits_.drop({std::move(raw), from_stack ? Drop::kHostStackDenied : Drop::kDefaultDeny},
                       now);
  }
  from_stack ? answer(std::move(raw), segment, tables, now)
             : question(std::move(raw), segment, now);
}

void Dhcp::question(Packet&& packet, const SegmentInfo& segment, Instant now) noexcept {
  const Headers h = packet.meta().headers;
  const ConstBytes message = payload_of(packet);
  const bool own = h.version() == IpVersion::k4 ? hardware_of(message, kBootRequest) == h.source_mac
                                                : is_client_message(message);
  if (!own) return exits_.drop({std::move(packet), Drop::kDhcpSpoofed}, now);
  if (!transport_sum_right(packet)) {
    return exits_.drop({std::move(packet), Drop::kBadTransportChecksum}, now);
  }
  if (!police_.pass(PuntClass::kDhcp, packet.meta(), now)) {
    return exits_.drop({std::move(packet), Drop::kHostStackPoliced}, now);
  }
  Allowed allowed = EnforcePolicy::by_builtin(std::move(packet), Builtin::kDhcp,
                                              {Exit::Kind::kHostStack, kNoPort, segment.slot});
  const MacAddress to = h.destination_mac.is_group() ? h.destination_mac : segment.mac;
  EnforcePolicy::address_to(allowed, kNoPort, {to, h.source_mac, 0});
  exits_.send(std::move(allowed), now);
}

void Dhcp::answer(Packet&& packet, const SegmentInfo& segment, const Tables& tables,
                  Instant now) noexcept {
  constexpr std::uint8_t kBootReply = 2;
  const Headers& h = packet.meta().headers;
  DeviceSlot slot = kNoDevice;
  if (h.version() == IpVersion::k6) {
    slot = tables.device_by_link_local(segment.slot, h.destination);
  } else if (const auto hardware = hardware_of(payload_of(packet), kBootReply)) {
    slot = tables.classifier().device_by_mac(*hardware);
  }
  const DeviceLink& link = tables.device_link(slot);
  if (link.segment != segment.slot) {
    return exits_.drop({std::move(packet), Drop::kHostStackDenied}, now);
  }
  Allowed allowed = EnforcePolicy::by_builtin(std::move(packet), Builtin::kDhcp,
                                              {Exit::Kind::kPort, kNoPort, segment.slot});
  EnforcePolicy::address_to(allowed, link);
  exits_.send(std::move(allowed), now);
}

}  // namespace sallyport::dataplane
