// fragments: what comes in pieces is judged whole. Bound fragments wait here for the rest of their
// datagram, which then goes the way of every packet; on its way out it is cut again, into pieces no
// larger than the largest that came (stages/pieces.h).
//
// Each segment has its own room: datagrams in reassembly and buffers that they hold. A flood from
// one cannot take another's, and all of them together hold a quarter of the pool at most. Within a
// segment a sender has a share (stages/fragment_shares.h). What does not become a datagram is
// dropped by name: fragment-malformed (parse), -overlap, -timeout, -device-limit, -table-full.
// Design note 0012.
//
// Thread: the worker. All memory is taken by the constructor.
#pragma once

#include "dataplane/cache_line.h"
#include "dataplane/dpdk/fragment_table.h"
#include "dataplane/exits.h"
#include "dataplane/stages/fragment_shares.h"

namespace sallyport::dataplane {

class Fragments {
 public:
  static constexpr std::uint32_t kDatagrams = FragmentShares::kDatagrams;
  // Fragments of one datagram leave their sender back to back, so what is not here after this time
  // was lost; RFC 8200's 60 s is for a receiver, and longer than IPv4 identifiers take to come
  // round (RFC 4963 §2).
  static constexpr Duration kTimeout = std::chrono::seconds(2);

  // `room`: buffers of kWholeDatagram. Both outlive this object.
  Fragments(const PacketPool& pool, PacketPool& room, Exits& exits, Counters& counters);

  // The datagram, if this was the last of it: its bytes are whole, its headers still the first
  // fragment's. Otherwise nothing, and the fragment waits or is dropped.
  Packet add(BoundPacket&& fragment, Instant now) noexcept;
  // Divides the pool's share among so many segments.
  void share(std::size_t segments) noexcept;
  // Drops what waited for too long. Call every tenth of a second.
  void tick(Instant now) noexcept;

 private:
  void drop_gone(FragmentShares& shares, Instant now) noexcept;
  std::uint32_t pool_size_;
  std::uint32_t buffers_ = 0;  // that one segment may hold
  PacketPool& room_;
  Exits& exits_;
  Counters& counters_;
  LineVector<FragmentTable> tables_;  // by segment
  LineVector<FragmentShares> shares_;
  GoneFragments gone_;
};

}  // namespace sallyport::dataplane
