// The link layer of a packet that is about to leave: destination, source and VLAN tag written anew,
// so nothing of the arriving frame's link layer survives the gateway.
#pragma once

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

// Also cuts padding behind the stated length. Offsets in the packet's headers stay true. False
// (packet unusable) only if the buffer has no headroom for the tag, which pools rule out.
inline bool write_ethernet(Packet& packet, const LinkAddress& link) noexcept {
  Headers& h = packet.meta().headers;
  const auto size = static_cast<std::uint16_t>(kEthernetSize + (link.vlan != 0 ? kVlanTagSize : 0));
  const std::uint16_t before = h.l3;
  h.destination_mac = link.destination;
  h.source_mac = link.source;
  const MutableBytes old = packet.bytes();
  // Most often there is no tag on either side, and nothing moves.
  if (link.vlan == 0 && before == kEthernetSize) {
    if (!packet.resize(h.end)) return false;
    std::memcpy(old.first(12).data(), link.destination.bytes().data(), 6);
    std::memcpy(old.first(12).data() + 6, link.source.bytes().data(), 6);
    return true;
  }
  const std::uint8_t type_high = old[before - 2U], type_low = old[before - 1U];
  if (!packet.resize(h.end)) return false;
  if (size > before && !packet.grow_front(static_cast<std::uint16_t>(size - before))) return false;
  if (size < before) packet.shrink_front(static_cast<std::uint16_t>(before - size));
  const auto moved = [&](std::uint16_t offset) {
    return static_cast<std::uint16_t>(offset + size - before);
  };
  h.l4 = moved(h.l4);
  h.payload = moved(h.payload);
  h.end = moved(h.end);
  h.l3 = size;
  h.vlan = link.vlan;
  const MutableBytes out = packet.bytes();
  std::ranges::copy(link.destination.bytes(), out.begin());
  std::ranges::copy(link.source.bytes(), out.begin() + 6);
  if (link.vlan != 0) {
    out[12] = static_cast<std::uint8_t>(kEtherTypeVlan >> 8);
    out[13] = static_cast<std::uint8_t>(kEtherTypeVlan & 0xff);
    out[14] = static_cast<std::uint8_t>(link.vlan >> 8);
    out[15] = static_cast<std::uint8_t>(link.vlan);
  }
  out[size - 2U] = type_high;
  out[size - 1U] = type_low;
  return true;
}

}  // namespace sallyport::dataplane
