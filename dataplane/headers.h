// What the parser found in a frame: offsets and fields that were checked once, in safe order, and
// are never looked for again. Plain values; a Headers stands in a packet's metadata and is true of
// its bytes for as long as no stage rewrites them (stages that do keep both in step).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "policy/base/mtu.h"
#include "policy/base/net.h"
#include "policy/base/tcp_flags.h"

namespace sallyport::dataplane {

using PortSlot = std::uint16_t;
using SegmentSlot = std::uint16_t;
using DeviceSlot = std::uint32_t;
using RuleSlot = std::uint32_t;
inline constexpr PortSlot kNoPort = 0xffff;
inline constexpr SegmentSlot kNoSegment = 0xffff;
inline constexpr DeviceSlot kNoDevice = 0xffffffff;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

inline constexpr std::size_t kMacSize = 6;
inline constexpr std::size_t kEthernetSize = 14;
inline constexpr std::size_t kVlanTagSize = 4;
// Without options and extension headers; of a fragment, IPv6's extension header (RFC 8200 §4.5).
inline constexpr std::size_t kIpv4Size = 20;
inline constexpr std::size_t kIpv6Size = 40;
inline constexpr std::size_t kTcpSize = 20;
inline constexpr std::size_t kUdpSize = 8;
inline constexpr std::size_t kIcmpSize = 8;
inline constexpr std::size_t kFragmentHeaderSize = 8;
inline constexpr std::size_t kMtu = kMostMtu;
inline constexpr std::size_t kMaxFrameSize = kEthernetSize + kVlanTagSize + kMtu;

// A datagram made of fragments, without its link layer: what eight full frames can hold, and a
// little over.
inline constexpr std::size_t kMaxDatagram = 12'000;

using enum sallyport::TcpFlag;

// MacAddress::word() of a MAC in memory, also a snapshot's, as two loads: of its casts g++ 12 makes
// moves to the stack.
template <class Mac>
std::uint64_t mac_word(const Mac& mac) noexcept {
  static_assert(sizeof mac == 6 && std::is_trivially_copyable_v<Mac>);
  std::uint32_t first;
  std::uint16_t last;
  std::memcpy(&first, &mac, sizeof first);
  std::memcpy(&last, reinterpret_cast<const char*>(&mac) + sizeof first, sizeof last);
  return first | std::uint64_t{last} << 32;
}
// Back from a word, of which the upper bits are left out.
inline MacAddress word_mac(std::uint64_t word) noexcept {
  std::array<std::uint8_t, kMacSize> bytes;
  std::memcpy(bytes.data(), &word, sizeof bytes);
  return MacAddress(bytes);
}
template <class A, class B>
bool same_mac(const A& a, const B& b) noexcept {
  return mac_word(a) == mac_word(b);
}

// What a frame carries, as far as the pipeline tells messages apart.
enum class Message : std::uint8_t {
  kArp,
  kNeighbourSolicitation,
  kNeighbourAdvertisement,
  kRouterSolicitation,
  kMulticastReport,
  kTcp,
  kUdp,
  kEchoRequest,
  kEchoReply,
  kIcmpError,
  kFragment,
  kAtomicFragment,  // IPv6: the only one of its datagram (RFC 6946)
};

struct Headers {
  MacAddress destination_mac;
  MacAddress source_mac;
  std::uint16_t vlan = 0;  // 0 = untagged
  Message message = Message::kArp;
  IpProtocol protocol = IpProtocol::kIcmp;
  // Offsets from the frame's first byte. `end` is past the stated length: padding lies behind it.
  std::uint16_t l3 = 0;
  std::uint16_t l4 = 0;
  std::uint16_t payload = 0;
  std::uint16_t end = 0;
  // ARP: sender and target protocol address.
  IpAddress source;
  IpAddress destination;
  // TCP, UDP: ports. Echo: both the identifier, so that a reply's tuple is its request's reversed.
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t ttl = 0;
  std::uint8_t tcp_flags = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t arp_operation = 0;  // 1 request, 2 reply
  // ARP: sender hardware address. ND: link-layer address option, zero if absent.
  MacAddress link_layer;
  IpAddress nd_target;
  bool nd_solicited = false;  // advertisement: says that it answers a question
  // Fragments, and datagrams made of them. l4 is where a fragment's own bytes begin.
  std::uint32_t fragment_id = 0;

  friend bool operator==(const Headers&, const Headers&) = default;

  bool is_ip() const { return message != Message::kArp; }
  bool is_neighbour() const {
    return message == Message::kArp || message == Message::kNeighbourSolicitation ||
           message == Message::kNeighbourAdvertisement;
  }
  bool is_fragment() const {
    return message == Message::kFragment || message == Message::kAtomicFragment;
  }
  // What a host says to whoever is its router.
  bool is_for_router() const {
    return message == Message::kRouterSolicitation || message == Message::kMulticastReport;
  }
  IpVersion version() const { return source.version(); }
  // The "port" that rules speak of: for ICMP echo the message type (policy/base/net.h, PortRange).
  std::uint16_t service_port() const {
    return message == Message::kEchoRequest || message == Message::kEchoReply ? icmp_type
                                                                              : destination_port;
  }
};

}  // namespace sallyport::dataplane
