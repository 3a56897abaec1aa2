// The frames that nearly all traffic is made of, parsed at once: TCP or UDP from one host to
// another, whole, without IP options or extension headers, with at most one VLAN tag.
//
// It only ever says yes. What it does not take is for parse_headers(), which judges every frame and
// names what is wrong; what it takes, that takes too, and describe() writes the same Headers. The
// parser's fuzz target and tests/unit/dataplane/parse_test.cc hold the one against the other.
//
// Input: any bytes whatever; nothing is read beyond the sizes that were checked. Thread: pure.
#pragma once

#include <bit>
#include <cstdint>

#include "dataplane/flow/flow.h"
#include "dataplane/headers.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {

// What the way of an open flow's packet needs of it, in one cache line; the MACs stand in the
// frame.
struct alignas(64) PlainFrame {
  FlowKey key;
  // As in Headers.
  std::uint8_t ttl;
  std::uint8_t tcp_flags;
  std::uint16_t vlan;
  std::uint16_t l3;
  std::uint16_t l4;
  std::uint16_t payload;
  std::uint16_t end;
  IpVersion version;
  // Its headers stand in its metadata, and here only the key: parse_plain() did not take it.
  bool described;
};
static_assert(sizeof(PlainFrame) == 64);

namespace plain {

inline constexpr std::size_t kIpv4Size = 20, kIpv6Size = 40, kTcpSize = 20, kUdpSize = 8;

// What follows IP's header; `most` is how much of the datagram that is.
template <std::size_t kHeader>
[[gnu::always_inline]] inline bool transport(Fixed<kHeader + kUdpSize> ip, std::size_t most,
                                             std::uint8_t protocol, PlainFrame& out) noexcept {
  const auto ports = std::rotl(std::byteswap(field<std::uint32_t, kHeader>(ip)), 16);
  const auto source = static_cast<std::uint16_t>(ports);
  const auto destination = static_cast<std::uint16_t>(ports >> 16);
  if (source == 0 || destination == 0) [[unlikely]]
    return false;
  std::size_t header = kUdpSize;
  std::uint8_t flags = 0;
  if (protocol == static_cast<std::uint8_t>(IpProtocol::kTcp)) {
    if (most < kTcpSize) [[unlikely]]
      return false;
    const Fixed<2> word(ip.data() + kHeader + 12, 2);
    header = std::size_t{u8<0>(word)} >> 4 << 2;
    flags = u8<1>(word);
    if (header < kTcpSize || header > most || !tcp_flags_possible(flags)) [[unlikely]]
      return false;
  } else {
    if (protocol != static_cast<std::uint8_t>(IpProtocol::kUdp) || u16<kHeader + 4>(ip) != most)
        [[unlikely]]
      return false;
    if (kHeader == kIpv6Size && u16<kHeader + 6>(ip) == 0) [[unlikely]]
      return false;
  }
  const auto l4 = static_cast<std::uint16_t>(out.l3 + kHeader);
  out.l4 = l4;
  out.payload = static_cast<std::uint16_t>(l4 + header);
  out.end = static_cast<std::uint16_t>(l4 + most);
  out.key.source_port = source;
  out.key.destination_port = destination;
  out.key.protocol = static_cast<IpProtocol>(protocol);
  out.tcp_flags = flags;
  return true;
}

// Is the sum of a header without options right? In memory order (RFC 1071 §2(B)).
template <std::size_t N>
[[gnu::always_inline]] inline bool sum_right(Fixed<N> ip) noexcept {
  const std::uint64_t first = field<std::uint64_t, 0>(ip);
  std::uint64_t sum = first + field<std::uint64_t, 8>(ip);
  sum += static_cast<std::uint64_t>(sum < first);
  const std::uint64_t last = field<std::uint32_t, 16>(ip);
  sum += last;
  sum += static_cast<std::uint64_t>(sum < last);
  sum += std::rotl(sum, 32);
  auto half = static_cast<std::uint32_t>(sum >> 32);
  half += std::rotl(half, 16);
  return half >> 16 == 0xffff;
}

// 1.0.0.0 to 223.255.255.255 without 127.0.0.0/8, as it lies in memory.
constexpr bool usual(std::uint32_t v4) noexcept {
  const std::uint32_t first = v4 & 0xff;
  return first - 1 < 223 && first != 127;
}
// 2000::/3 and fc00::/7.
constexpr bool usual(const IpAddress& v6) noexcept {
  const std::uint8_t first = v6.bytes()[0];
  return (first & 0xe0) == 0x20 || (first & 0xfe) == 0xfc;
}

[[gnu::always_inline]] inline bool ipv4(ConstBytes room, PlainFrame& out) noexcept {
  if (room.size() < kIpv4Size + kUdpSize) [[unlikely]]
    return false;
  const auto ip = fixed<kIpv4Size + kUdpSize>(room, 0);
  const std::size_t total = u16<2>(ip);
  const auto source = field<std::uint32_t, 12>(ip), destination = field<std::uint32_t, 16>(ip);
  const std::uint8_t ttl = u8<8>(ip);
  if (u8<0>(ip) != 0x45 || total < ip.size() || total > room.size() || !sum_right(ip) ||
      (u16<6>(ip) & 0xbfff) != 0 || ttl == 0 || !usual(source) || !usual(destination) ||
      source == destination) [[unlikely]]
    return false;
  out.version = IpVersion::k4;
  out.key.source = IpAddress::v4_in_memory(source);
  out.key.destination = IpAddress::v4_in_memory(destination);
  out.ttl = ttl;
  return transport<kIpv4Size>(ip, total - kIpv4Size, u8<9>(ip), out);
}

[[gnu::always_inline]] inline bool ipv6(ConstBytes room, PlainFrame& out) noexcept {
  if (room.size() < kIpv6Size + kUdpSize) [[unlikely]]
    return false;
  const auto ip = fixed<kIpv6Size + kUdpSize>(room, 0);
  const std::size_t payload = u16<4>(ip);
  const std::uint8_t ttl = u8<7>(ip);
  const IpAddress source = v6<8>(ip), destination = v6<24>(ip);
  if (u8<0>(ip) >> 4 != 6 || payload < kUdpSize || payload > room.size() - kIpv6Size || ttl == 0 ||
      !usual(source) || !usual(destination) || source == destination)
    return false;
  out.version = IpVersion::k6;
  out.key.source = source;
  out.key.destination = destination;
  out.ttl = ttl;
  return transport<kIpv6Size>(ip, payload, u8<6>(ip), out);
}

}  // namespace plain

// True if the frame is such a one; only then `out` means anything.
[[gnu::always_inline]] inline bool parse_plain(ConstBytes frame, PlainFrame& out) noexcept {
  constexpr std::size_t kTagged = kEthernetSize + kVlanTagSize;
  if (frame.size() < kTagged || frame.size() > kMaxFrameSize) [[unlikely]]
    return false;
  const auto link = fixed<kTagged>(frame, 0);
  const std::uint64_t sender = field<std::uint64_t, 6>(link) << 16;
  if ((sender & 0x10000) != 0 || sender == 0) [[unlikely]]
    return false;
  std::uint16_t type = field<std::uint16_t, 12>(link);
  std::uint16_t vlan = 0, l3 = kEthernetSize;
  if (type == std::byteswap(kEtherTypeVlan)) [[unlikely]] {
    vlan = u16<14>(link) & 0x0fff;
    type = field<std::uint16_t, 16>(link);
    l3 = kTagged;
    if (vlan == 0 || vlan == 0x0fff) return false;
  }
  const ConstBytes room(frame.data() + l3, frame.size() - l3);
  if (room.size() > kMtu) [[unlikely]]
    return false;
  out.vlan = vlan;
  out.l3 = l3;
  out.described = false;
  if (type == std::byteswap(kEtherTypeIpv4)) return plain::ipv4(room, out);
  return type == std::byteswap(kEtherTypeIpv6) && plain::ipv6(room, out);
}

// The headers of a frame that parse_plain() took.
[[gnu::always_inline]] inline void describe(ConstBytes frame, const PlainFrame& plain,
                                            Headers& out) noexcept {
  static constexpr Headers kNothing;
  std::memcpy(&out, &kNothing, sizeof out);
  const auto link = fixed<kEthernetSize>(frame, 0);
  read_mac<0>(link, out.destination_mac);
  read_mac<6>(link, out.source_mac);
  out.vlan = plain.vlan;
  out.message = plain.key.protocol == IpProtocol::kTcp ? Message::kTcp : Message::kUdp;
  out.protocol = plain.key.protocol;
  out.l3 = plain.l3;
  out.l4 = plain.l4;
  out.payload = plain.payload;
  out.end = plain.end;
  out.source = plain.key.source;
  out.destination = plain.key.destination;
  out.source_port = plain.key.source_port;
  out.destination_port = plain.key.destination_port;
  out.ttl = plain.ttl;
  out.tcp_flags = plain.tcp_flags;
}

}  // namespace sallyport::dataplane
