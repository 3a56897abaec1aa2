// Neighbour messages that the gateway makes itself, as whole untagged frames.
#pragma once

#include "dataplane/checksum.h"
#include "dataplane/headers.h"
#include "policy/base/bytes.h"

namespace sallyport::dataplane {

inline constexpr std::size_t kArpFrameSize = 42;
inline constexpr std::size_t kNdFrameSize = 86;
using NeighbourFrame = std::array<std::uint8_t, kNdFrameSize>;

struct NeighbourParty {
  MacAddress mac;
  IpAddress address;
};

// RFC 826. `to.mac` is zero in a question; the frame then goes to everybody.
inline ConstBytes write_arp(NeighbourFrame& space, std::uint16_t operation,
                            const NeighbourParty& from, const NeighbourParty& to) noexcept {
  Writer out(space);
  const MacAddress link = to.mac.is_zero() ? MacAddress::broadcast() : to.mac;
  out.bytes(link.bytes());
  out.bytes(from.mac.bytes());
  out.be16(kEtherTypeArp);
  out.be16(1);
  out.be16(kEtherTypeIpv4);
  out.u8(6);
  out.u8(4);
  out.be16(operation);
  out.bytes(from.mac.bytes());
  out.be32(from.address.v4_value());
  out.bytes(to.mac.bytes());
  out.be32(to.address.v4_value());
  return out.written();
}

// RFC 4861 §4.3 (type 135) and §4.4 (type 136) with a link-layer address option. `flags` are the
// advertisement's R, S and O bits as they stand in its fifth byte.
inline ConstBytes write_nd(NeighbourFrame& space, std::uint8_t type, std::uint8_t flags,
                           const NeighbourParty& from, const NeighbourParty& to,
                           const IpAddress& target) noexcept {
  std::array<std::uint8_t, 32> message{};
  Writer icmp(message);
  icmp.u8(type);
  icmp.zeros(3);
  icmp.u8(flags);
  icmp.zeros(3);
  icmp.bytes(target.bytes());
  icmp.u8(type == 135 ? 1 : 2);
  icmp.u8(1);
  icmp.bytes(from.mac.bytes());
  const std::uint16_t sum = transport_sum(from.address, to.address, IpProtocol::kIcmp6, message);
  message[2] = static_cast<std::uint8_t>(sum >> 8);
  message[3] = static_cast<std::uint8_t>(sum);
  Writer out(space);
  out.bytes(to.mac.bytes());
  out.bytes(from.mac.bytes());
  out.be16(kEtherTypeIpv6);
  out.be32(0x60000000);
  out.be16(static_cast<std::uint16_t>(message.size()));
  out.u8(static_cast<std::uint8_t>(IpProtocol::kIcmp6));
  out.u8(255);
  out.bytes(from.address.bytes());
  out.bytes(to.address.bytes());
  out.bytes(message);
  return out.written();
}

// The solicited-node group of `address` (RFC 4291 §2.7.1) and its MAC (RFC 2464 §7).
inline NeighbourParty solicited_node(const IpAddress& address) noexcept {
  const auto& a = address.bytes();
  return {MacAddress({0x33, 0x33, 0xff, a[13], a[14], a[15]}),
          IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]})};
}

}  // namespace sallyport::dataplane
