// The link layer of a packet that is about to leave: destination, source and VLAN tag written anew,
// so nothing of the arriving frame's link layer survives the gateway.
#pragma once

#include <bit>
#include <cstring>

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

// The gateway's end of every TAP (design note 0001).
inline constexpr MacAddress kFixedMac({0x02, 0x53, 0x50, 0x00, 0x00, 0x01});

struct LinkAddress {
  MacAddress destination;
  MacAddress source;
  std::uint16_t vlan = 0;  // 0 = untagged
};

// Makes room for a link layer with this tag, and writes the tag; the type before IP stays where it
// is. Says where IP lies then. What would leave with another's link layer must not leave: aborts if
// the buffer has no headroom, which pools rule out.
[[gnu::always_inline]] inline std::uint16_t move_link(Packet& packet, std::uint16_t l3,
                                                      std::uint16_t vlan) noexcept {
  const auto size = static_cast<std::uint16_t>(kEthernetSize + (vlan != 0 ? kVlanTagSize : 0));
  SALLYPORT_CHECK(packet.move_front(l3 - size));
  if (vlan != 0) {
    const std::uint32_t tag =
        std::uint32_t{std::byteswap(vlan)} << 16 | std::byteswap(kEtherTypeVlan);
    std::memcpy(packet.bytes().data() + 2 * kMacSize, &tag, sizeof tag);
  }
  return size;
}

// A new link layer before the IP packet that lies at [l3, end) of the frame; what is behind it, its
// padding, is cut. Returns where IP lies now. MACs as words (mac_word).
[[gnu::always_inline]] inline std::uint16_t relink(Packet& packet, std::uint16_t l3,
                                                   std::uint16_t end, std::uint64_t destination,
                                                   std::uint64_t source,
                                                   std::uint16_t vlan) noexcept {
  packet.cut(end);
  // Most often there is no tag on either side, and nothing moves.
  if (vlan != 0 || l3 != kEthernetSize) [[unlikely]]
    l3 = move_link(packet, l3, vlan);
  const std::uint64_t first = destination | source << 48;
  const auto last = static_cast<std::uint32_t>(source >> 16);
  std::uint8_t* const out = packet.bytes().data();
  std::memcpy(out, &first, sizeof first);
  std::memcpy(out + sizeof first, &last, sizeof last);
  return l3;
}

// The same of a packet whose headers are described; they stay true.
inline void write_ethernet(Packet& packet, std::uint64_t destination, std::uint64_t source,
                           std::uint16_t vlan) noexcept {
  Headers& h = packet.meta().headers;
  const std::uint16_t before = h.l3;
  const std::uint16_t now = relink(packet, before, h.end, destination, source, vlan);
  h.destination_mac = word_mac(destination);
  h.source_mac = word_mac(source);
  h.vlan = vlan;
  h.l3 = now;
  for (std::uint16_t* offset : {&h.l4, &h.payload, &h.end})
    *offset = static_cast<std::uint16_t>(*offset + now - before);
}
inline void write_ethernet(Packet& packet, const LinkAddress& link) noexcept {
  write_ethernet(packet, mac_word(link.destination), mac_word(link.source), link.vlan);
}

}  // namespace sallyport::dataplane
