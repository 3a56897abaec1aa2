// Who holds how much of a segment's room for reassembly: each unfinished datagram, its sender and
// how many of its fragments wait. One sender holds its share at most, so a flood leaves its
// neighbours theirs.
//
// A sender is a device. Hosts beyond an uplink are told apart by source address, in IPv6 by its
// /64, in which one host may take any (RFC 4862, RFC 8981); the gateway's own stack is none of
// them. Rationale: taken as one sender they would fight for one share, and the first of them to
// flood would leave the others nothing, while three shares stay free. A sender who invents
// addresses takes the whole room, but nobody's of another segment.
//
// Thread: the worker. All memory is within; a look-up is a walk over kDatagrams places.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

class FragmentShares {
 public:
  // Datagrams of one segment in reassembly at once.
  static constexpr std::uint32_t kDatagrams = 32;
  static constexpr std::uint32_t kParts = 4;  // of which a sender may hold one

  // Counts a fragment that is about to wait; why not, if it may not. `buffers` is how many
  // fragments of the segment may wait, of which a sender may hold a part as well, but one
  // datagram's.
  std::optional<Drop> take(const PacketMeta& meta, std::uint32_t buffers) noexcept;
  // So many fragments of this one's datagram wait no longer.
  void give_back(const Headers& of, std::uint32_t fragments) noexcept;

 private:
  struct Place {
    IpAddress source;
    IpAddress destination;
    std::uint32_t id = 0;
    DeviceSlot device = kNoDevice;
    Origin origin = Origin::kWire;
    std::uint32_t fragments = 0;  // 0 = free

    bool is(const Headers& h) const noexcept {
      return fragments != 0 && id == h.fragment_id && source == h.source &&
             destination == h.destination;
    }
    bool is_of(const PacketMeta& sender) const noexcept {
      if (fragments == 0 || device != sender.device || origin != sender.origin) return false;
      const IpAddress& other = sender.headers.source;
      return device != kNoDevice || source == other ||
             (!source.is_v4() && !other.is_v4() && source.words()[0] == other.words()[0]);
    }
  };
  std::array<Place, kDatagrams> places_{};
};

}  // namespace sallyport::dataplane
