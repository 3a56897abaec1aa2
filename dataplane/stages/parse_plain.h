// The frames that nearly all traffic is made of, parsed at once: TCP or UDP from one host to
// another, whole, without IP options or extension headers, with at most one VLAN tag.
//
// It only ever says yes. What it does not take is for parse_headers(), which judges every frame and
// names what is wrong. Of what it takes, whose ends it is, and TCP's and UDP's own header, are
// judged where they are needed: by an open flow (stages/open_flow.h), or by plausible(). What is
// plausible, too, parse_headers() takes, and describe() writes the same Headers. The parser's fuzz
// target and tests/unit/dataplane/parse_test.cc hold the one against the other.
//
// Input: any bytes whatever; nothing is read beyond the sizes that were checked. Thread: pure.
#pragma once

#include <array>
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
  std::uint16_t vlan;
  std::uint16_t l3;
  std::uint16_t l4;
  std::uint16_t end;
  IpVersion version;
  // Its headers stand in its metadata, and here only the key: parse_plain() did not take it.
  bool described;
};
static_assert(sizeof(PlainFrame) == 64);

namespace plain {

// What follows IP's header; `most` is how much of the datagram that is, all of it within the frame
// and enough for UDP.
template <std::size_t kHeader>
[[gnu::always_inline]] inline bool transport(Fixed<kHeader + kUdpSize> ip, std::uint32_t most,
                                             std::uint8_t protocol, PlainFrame& out) noexcept {
  // Without a branch between the two: which comes next nothing predicts.
  constexpr std::uint32_t kTaken =
      1U << static_cast<unsigned>(IpProtocol::kTcp) | 1U << static_cast<unsigned>(IpProtocol::kUdp);
  if (protocol >= 32 || (kTaken >> protocol & 1) == 0) [[unlikely]]
    return false;
  const auto l4 = static_cast<std::uint16_t>(out.l3 + kHeader);
  out.l4 = l4;
  out.end = static_cast<std::uint16_t>(l4 + most);
  out.key.set_ports(std::rotl(std::byteswap(field<std::uint32_t, kHeader>(ip)), 16));
  out.key.protocol = static_cast<IpProtocol>(protocol);
  return true;
}

// Is the sum of a header without options right? Its sixteen-bit words add up to all ones if the
// sum of its words, whatever their size, is a multiple of that (RFC 1071 §2); it is not zero.
template <std::size_t N>
[[gnu::always_inline]] inline bool sum_right(Fixed<N> ip) noexcept {
  const std::uint64_t sum = std::uint64_t{field<std::uint32_t, 0>(ip)} +
                            field<std::uint32_t, 4>(ip) + field<std::uint32_t, 8>(ip) +
                            field<std::uint32_t, 12>(ip) + field<std::uint32_t, 16>(ip);
  return sum % 0xffff == 0;
}

// By an IPv4 address's first byte.
inline constexpr auto kUsual4 = [] {
  std::array<bool, 256> out{};
  for (std::size_t first = 1; first < 224; ++first) out[first] = first != 127 && first != 169;
  return out;
}();
// 1.0.0.0 to 223.255.255.255 without 127.0.0.0/8, and without 169.0.0.0/8 for the link-local
// addresses in it; 2000::/3 and fc00::/7. Between two of them flows start, whatever
// decide::starts_no_flow() says of others.
constexpr bool usual(const IpAddress& address, IpVersion version) noexcept {
  if (version == IpVersion::k4) return kUsual4[address.bytes()[12]];
  const unsigned first = address.bytes()[0];
  return (first & 0xe0) == 0x20 || (first & 0xfe) == 0xfc;
}

[[gnu::always_inline]] inline bool ipv4(ConstBytes room, PlainFrame& out) noexcept {
  if (room.size() < kIpv4Size + kUdpSize) [[unlikely]]
    return false;
  const auto ip = fixed<kIpv4Size + kUdpSize>(room, 0);
  const std::uint32_t total = u16<2>(ip);
  const auto source = field<std::uint32_t, 12>(ip), destination = field<std::uint32_t, 16>(ip);
  const std::uint8_t ttl = u8<8>(ip);
  if (u8<0>(ip) != 0x45 || total < ip.size() || total > room.size() || !sum_right(ip) ||
      (field<std::uint16_t, 6>(ip) & std::byteswap(std::uint16_t{0xbfff})) != 0 || ttl == 0)
      [[unlikely]]
    return false;
  out.version = IpVersion::k4;
  out.key.source = IpAddress::v4_in_memory(source);
  out.key.destination = IpAddress::v4_in_memory(destination);
  out.ttl = ttl;
  return transport<kIpv4Size>(ip, total - std::uint32_t{kIpv4Size}, u8<9>(ip), out);
}

[[gnu::always_inline]] inline bool ipv6(ConstBytes room, PlainFrame& out) noexcept {
  if (room.size() < kIpv6Size + kUdpSize) [[unlikely]]
    return false;
  const auto ip = fixed<kIpv6Size + kUdpSize>(room, 0);
  const std::uint32_t payload = u16<4>(ip);
  const std::uint8_t ttl = u8<7>(ip);
  const IpAddress source = v6<8>(ip), destination = v6<24>(ip);
  // An IPv4-mapped address is another flow's key.
  if (u8<0>(ip) >> 4 != 6 || payload < kUdpSize || payload > room.size() - kIpv6Size || ttl == 0 ||
      source.words()[0] == 0 || destination.words()[0] == 0) [[unlikely]]
    return false;
  out.version = IpVersion::k6;
  out.key.source = source;
  out.key.destination = destination;
  out.ttl = ttl;
  return transport<kIpv6Size>(ip, payload, u8<6>(ip), out);
}

}  // namespace plain

// True if the frame has such a one's form; only then `out` means anything.
[[gnu::always_inline]] inline bool parse_plain(ConstBytes frame, PlainFrame& out) noexcept {
  constexpr std::size_t kTagged = kEthernetSize + kVlanTagSize;
  if (frame.size() < kTagged || frame.size() > kMaxFrameSize) [[unlikely]]
    return false;
  const auto link = fixed<kTagged>(frame, 0);
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

// Of a frame that parse_plain() took, what TCP's or UDP's header says.
struct PlainTransport {
  bool right;           // as far as it is judged here; only then the others mean anything
  std::uint8_t header;  // bytes
  std::uint8_t tcp_flags;
};
[[gnu::always_inline]] inline PlainTransport plain_tcp(ConstBytes frame,
                                                       const PlainFrame& plain) noexcept {
  const std::uint8_t* const tcp = frame.data() + plain.l4;
  const int most = plain.end - plain.l4;
  if (most < static_cast<int>(kTcpSize)) [[unlikely]]
    return {};
  const int header = tcp[12] >> 4 << 2;
  return {header >= static_cast<int>(kTcpSize) && header <= most, static_cast<std::uint8_t>(header),
          tcp[13]};
}
[[gnu::always_inline]] inline PlainTransport plain_udp(ConstBytes frame,
                                                       const PlainFrame& plain) noexcept {
  // It says its length, and over IPv6 it has a sum.
  const Fixed<kUdpSize> udp(frame.data() + plain.l4, kUdpSize);
  return {u16<4>(udp) == plain.end - plain.l4 &&
              (plain.version == IpVersion::k4 || field<std::uint16_t, 6>(udp) != 0),
          kUdpSize, 0};
}
inline PlainTransport plain_transport(ConstBytes frame, const PlainFrame& plain) noexcept {
  return plain.key.protocol == IpProtocol::kTcp ? plain_tcp(frame, plain) : plain_udp(frame, plain);
}

// Of such a frame: could its sender and both ends be somebody's, and is what follows IP's header a
// segment or a datagram?
inline bool plausible(ConstBytes frame, const PlainFrame& plain) noexcept {
  const FlowKey& key = plain.key;
  const std::uint64_t sender = field<std::uint64_t, 6>(fixed<kEthernetSize>(frame, 0)) << 16;
  const PlainTransport transport = plain_transport(frame, plain);
  return transport.right && (sender & 0x10000) == 0 && sender != 0 &&
         plain::usual(key.source, plain.version) && plain::usual(key.destination, plain.version) &&
         key.source != key.destination && key.source_port != 0 && key.destination_port != 0 &&
         (key.protocol != IpProtocol::kTcp || tcp_flags_possible(transport.tcp_flags));
}

// The headers of a frame that parse_plain() took and that is plausible().
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
  const PlainTransport transport = plain_transport(frame, plain);
  out.payload = static_cast<std::uint16_t>(plain.l4 + transport.header);
  out.end = plain.end;
  out.source = plain.key.source;
  out.destination = plain.key.destination;
  out.source_port = plain.key.source_port;
  out.destination_port = plain.key.destination_port;
  out.ttl = plain.ttl;
  out.tcp_flags = transport.tcp_flags;
}

}  // namespace sallyport::dataplane
