#include "dataplane/stages/parse_link.h"

#include <algorithm>
#include <array>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

using Reason = std::optional<Drop>;
constexpr std::size_t kArpSize = 28;
constexpr std::uint8_t kNdHopLimit = 255;
constexpr std::uint8_t kSolicitedFlag = 0x40;

// Options are a chain of (type, length in units of 8 bytes, value); a zero length would never end.
Reason parse_nd_options(ConstBytes options, std::uint8_t wanted, Headers& out) {
  Cursor cursor(options);
  while (!cursor.empty()) {
    const auto type = cursor.u8();
    const auto units = cursor.u8();
    if (!type || !units || *units == 0) return Drop::kNdMalformed;
    const auto value = cursor.take(std::size_t{*units} * 8 - 2);
    if (!value) return Drop::kNdMalformed;
    if (*type == wanted) {
      if (value->size() != 6) return Drop::kNdMalformed;
      out.link_layer = mac_at(*value, 0);
      if (out.link_layer.is_group() || out.link_layer.is_zero()) return Drop::kNdMalformed;
    }
  }
  return std::nullopt;
}

// RFC 4291 §2.7.1: ff02::1:ff00:0/104.
bool is_solicited_node(const IpAddress& address) {
  constexpr auto kPrefix =
      std::to_array<std::uint8_t>({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff});
  return std::ranges::equal(std::span(address.bytes()).first(kPrefix.size()), kPrefix);
}

}  // namespace

Reason parse_arp(ConstBytes arp, Headers& out) noexcept {
  if (arp.size() < kArpSize) return Drop::kRunt;
  const std::uint16_t operation = u16_at(arp, 6);
  if (u16_at(arp, 0) != 1 || u16_at(arp, 2) != kEtherTypeIpv4 || arp[4] != 6 || arp[5] != 4 ||
      (operation != 1 && operation != 2)) {
    return Drop::kArpMalformed;
  }
  out.message = Message::kArp;
  out.arp_operation = static_cast<std::uint8_t>(operation);
  out.link_layer = mac_at(arp, 8);
  out.source = v4_at(arp, 14);
  out.destination = v4_at(arp, 24);
  const auto impossible = [](const IpAddress& a) {
    return a.is_multicast() || a.is_loopback() || a.v4_value() == 0xffffffff;
  };
  if (out.link_layer.is_group() || out.link_layer.is_zero() || impossible(out.source) ||
      impossible(out.destination) || out.destination.is_unspecified()) {
    return Drop::kArpMalformed;
  }
  out.end = static_cast<std::uint16_t>(out.l3 + kArpSize);
  return std::nullopt;
}

// RFC 4861 §6.1.1 (router solicitation), §7.1.1 (neighbour solicitation), §7.1.2 (advertisement).
Reason parse_nd(ConstBytes icmp, Headers& out) noexcept {
  const bool router = out.icmp_type == 133;
  const bool solicitation = out.icmp_type != 136;
  const std::size_t fixed = router ? 8 : 24;
  if (out.ttl != kNdHopLimit || icmp[1] != 0 || icmp.size() < fixed) return Drop::kNdMalformed;
  if (transport_sum(out.source, out.destination, IpProtocol::kIcmp6, icmp) != 0) {
    return Drop::kNdMalformed;
  }
  if (!router) {
    out.nd_target = v6_at(icmp, 8);
    out.nd_solicited = !solicitation && (icmp[4] & kSolicitedFlag) != 0;
    if (out.nd_target.is_multicast() || out.nd_target.is_unspecified() || out.nd_target.is_v4() ||
        out.nd_target.is_loopback()) {
      return Drop::kNdMalformed;
    }
  }
  if (auto bad = parse_nd_options(icmp.subspan(fixed), solicitation ? 1 : 2, out)) return bad;
  if (out.source.is_unspecified()) {
    // Duplicate address detection: to the solicited-node group, without a link-layer option.
    if (!solicitation || !out.link_layer.is_zero()) return Drop::kNdMalformed;
    if (router ? !out.destination.is_multicast() : !is_solicited_node(out.destination))
      return Drop::kNdMalformed;
  }
  // A solicited advertisement is not sent to a group (RFC 4861 §7.1.2).
  if (!solicitation && out.destination.is_multicast() && out.nd_solicited) {
    return Drop::kNdMalformed;
  }
  out.message = router         ? Message::kRouterSolicitation
                : solicitation ? Message::kNeighbourSolicitation
                               : Message::kNeighbourAdvertisement;
  return std::nullopt;
}

Reason parse_multicast_report(ConstBytes body, Headers& out) noexcept {
  // Next header ICMPv6, eight bytes in all: router alert (RFC 2711) and padding, in either order.
  constexpr auto kAlertFirst = std::to_array<std::uint8_t>({58, 0, 5, 2, 0, 0, 1, 0});
  constexpr auto kAlertLast = std::to_array<std::uint8_t>({58, 0, 1, 0, 5, 2, 0, 0});
  if (body.size() < kAlertFirst.size() + kIcmpSize) return Drop::kExtensionHeader;
  const ConstBytes options = body.first(kAlertFirst.size());
  if (!std::ranges::equal(options, kAlertFirst) && !std::ranges::equal(options, kAlertLast))
    return Drop::kExtensionHeader;
  const ConstBytes icmp = body.subspan(options.size());
  if (icmp[0] == 130) return Drop::kRogueRouter;  // a query: only a router asks
  const bool report = icmp[0] == 131 || icmp[0] == 132 || icmp[0] == 143;
  if (!report || icmp[1] != 0 || out.ttl != 1 || !out.destination.is_multicast() ||
      !(out.source.is_link_local() || out.source.is_unspecified()) ||
      transport_sum(out.source, out.destination, IpProtocol::kIcmp6, icmp) != 0) {
    return Drop::kExtensionHeader;
  }
  out.protocol = IpProtocol::kIcmp6;
  out.icmp_type = icmp[0];
  out.message = Message::kMulticastReport;
  out.l4 = static_cast<std::uint16_t>(out.l4 + options.size());
  out.payload = static_cast<std::uint16_t>(out.l4 + kIcmpSize);
  return std::nullopt;
}

}  // namespace sallyport::dataplane
