// FragmentTable: fragments that wait for the rest of their datagram, and datagrams made whole.
// DPDK's rte_ip_frag with what it leaves open filled in.
//
// rte_ip_frag (22.11) puts together at most eight fragments that adjoin exactly: a set with an
// overlap, a repetition or a hole never becomes a datagram (RFC 5722, RFC 8200 §4.5), but it says
// so only at the end and to nobody. It forgets IPv4's protocol (RFC 791 §3.2), knows no atomic
// fragments (RFC 6946) and takes empty ones. The parser refuses those before (stages/parse.h), the
// protocol is compared here, and what the library gives up comes back by name.
//
// All memory is taken by the constructor. Thread: one. `now` must not go backwards.
#pragma once

#include <rte_ip_frag.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/allowed.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

// Room of a buffer for a whole datagram, headroom and link layer included.
inline constexpr std::uint16_t kWholeDatagram = kMaxDatagram + 160;

// A datagram of more is given up.
inline constexpr std::uint32_t kMostFragments = RTE_LIBRTE_IP_FRAG_MAX_FRAG;

// What a table gave up in one call. Shared by tables; take all of it before the next call.
class GoneFragments {
 public:
  std::optional<Dropped> take() noexcept {
    if (count_ == 0) return std::nullopt;
    return std::exchange(dropped_[--count_], std::nullopt);
  }

 private:
  friend class FragmentTable;
  // One datagram's fragments and another's, or as many as one call of the library lets go of.
  static constexpr std::size_t kMost = RTE_IP_FRAG_DEATH_ROW_MBUF_LEN;
  std::array<std::optional<Dropped>, kMost> dropped_;
  std::size_t count_ = 0;
  rte_ip_frag_death_row row_{};
};

class FragmentTable {
 public:
  // The table has twice as many places as datagrams that it takes, in buckets. A datagram may lie
  // in two of them, found by a hash without a secret, so that places can be aimed at.
  static constexpr std::uint32_t kBucket = 8;
  struct Bounds {
    std::uint32_t datagrams;  // in reassembly at once
    Duration timeout;         // from a datagram's first fragment that came to its last
  };
  // Ends the process if there is no memory: at start, before anything is forwarded.
  explicit FragmentTable(const Bounds& bounds);
  FragmentTable(FragmentTable&& other) noexcept = default;
  FragmentTable& operator=(FragmentTable&& other) noexcept = default;
  ~FragmentTable() = default;

  struct Added {
    Packet whole;                // the datagram, if this was what it lacked
    std::uint32_t consumed = 0;  // of how many fragments it is made
  };
  // Takes a fragment that was parsed (Message::kFragment) and bound. A datagram stands in a buffer
  // of `room`, its metadata that of its first fragment and PacketMeta::largest_fragment set; its
  // headers are still that fragment's.
  Added add(Packet&& fragment, PacketPool& room, GoneFragments& gone, Instant now) noexcept;
  // Gives up what waited for too long; bounded work, so call until it gives up nothing.
  void expire(GoneFragments& gone, Instant now) noexcept;
  // Fragments that wait.
  std::uint32_t held() const noexcept { return held_; }

 private:
  struct Destroy {
    void operator()(rte_ip_frag_tbl* table) const noexcept { rte_ip_frag_table_destroy(table); }
  };
  void give_up(rte_mbuf* chain, Drop reason, GoneFragments& gone) noexcept;
  void bury(const rte_mbuf* newcomer, const Headers& its, GoneFragments& gone) noexcept;
  Added make_whole(rte_mbuf* chain, PacketPool& room, GoneFragments& gone) noexcept;
  std::unique_ptr<rte_ip_frag_tbl, Destroy> table_;
  std::uint32_t held_ = 0;
};

}  // namespace sallyport::dataplane
