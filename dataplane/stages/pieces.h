// pieces: a datagram that came in fragments leaves in fragments, none larger than the largest that
// came: its sender found out what the path bears, or chose it (RFC 8200 §4.5, RFC 791 §3.2). So
// does an IPv4 packet that is too large for where it goes and may be cut. The identifier, and
// IPv4's "do not fragment", are the sender's.
#pragma once

#include <array>
#include <cstddef>

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

// For a packet of more than `mtu` bytes of IP: whether it can leave in pieces of no more. Then
// PacketMeta::largest_fragment says so to cut().
bool leaves_in_pieces(Packet& packet, std::uint16_t mtu) noexcept;

// Eight fragments came at most; one of odd size may have been the largest.
inline constexpr std::size_t kMostPieces = 16;
struct Pieces {
  std::array<Packet, kMostPieces> packets;
  std::size_t count = 0;  // 0: it cannot be cut so, or the pool is exhausted
};
// `whole`: addressed, with PacketMeta::largest_fragment and Headers::fragment_id. Its metadata is
// each piece's, the capture number the first one's.
Pieces cut(const Packet& whole, PacketPool& pool) noexcept;

}  // namespace sallyport::dataplane
