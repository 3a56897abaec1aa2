#define ALLOW_EXPERIMENTAL_API  // rte_ip_frag_table_del_expired_entries, as it is in 22.11
#include "dataplane/dpdk/fragment_table.h"

#include <rte_ip.h>

#include <algorithm>
#include <cstring>

namespace sallyport::dataplane {
namespace {

PacketMeta& meta_of(rte_mbuf* buffer) {
  return *static_cast<PacketMeta*>(rte_mbuf_to_priv(buffer));
}

bool same_datagram(const Headers& a, const Headers& b) {
  return a.fragment_id == b.fragment_id && a.source == b.source && a.destination == b.destination;
}

std::uint64_t ticks(Instant now) { return static_cast<std::uint64_t>(now.ns()); }

}  // namespace

FragmentTable::FragmentTable(const Bounds& bounds)
    : table_(rte_ip_frag_table_create(bounds.datagrams / kBucket, kBucket, bounds.datagrams,
                                      static_cast<std::uint64_t>(bounds.timeout.count()),
                                      SOCKET_ID_ANY)) {
  SALLYPORT_CHECK(table_ != nullptr);
}

FragmentTable::Added FragmentTable::add(Packet&& fragment, PacketPool& room, GoneFragments& gone,
                                        Instant now) noexcept {
  SALLYPORT_CHECK(gone.count_ == 0);
  const Headers its = fragment.meta().headers;
  // Padding is not the datagram's.
  SALLYPORT_CHECK(its.message == Message::kFragment && fragment.resize(its.end));
  rte_mbuf* raw = fragment.release();
  raw->l2_len = its.l3 & 0x7fU;
  raw->l3_len = static_cast<std::uint16_t>(its.l4 - its.l3) & 0x1ffU;
  ++held_;
  rte_mbuf* chain = nullptr;
  if (its.version() == IpVersion::k4) {
    auto* ip = rte_pktmbuf_mtod_offset(raw, rte_ipv4_hdr*, its.l3);
    chain = rte_ipv4_frag_reassemble_packet(table_.get(), &gone.row_, raw, ticks(now), ip);
  } else {
    auto* ip = rte_pktmbuf_mtod_offset(raw, rte_ipv6_hdr*, its.l3);
    auto* extension = rte_pktmbuf_mtod_offset(raw, rte_ipv6_fragment_ext*, its.l3 + sizeof *ip);
    chain =
        rte_ipv6_frag_reassemble_packet(table_.get(), &gone.row_, raw, ticks(now), ip, extension);
  }
  bury(raw, its, gone);
  return chain == nullptr ? Added{} : make_whole(chain, room, gone);
}

// What the library gave up: the newcomer's datagram if the newcomer is among it, else what was in
// its place for too long.
void FragmentTable::bury(const rte_mbuf* newcomer, const Headers& its,
                         GoneFragments& gone) noexcept {
  bool refused = false;
  bool company = false;
  const std::span row = std::span(gone.row_.row).first(gone.row_.cnt);
  for (rte_mbuf* chain : row) {
    for (rte_mbuf* m = chain; m != nullptr; m = m->next) {
      refused |= m == newcomer;
      company |= m != newcomer && same_datagram(meta_of(m).headers, its);
    }
  }
  const Drop mine = company ? Drop::kFragmentOverlap : Drop::kFragmentTableFull;
  for (rte_mbuf* chain : row) {
    const bool same = refused && same_datagram(meta_of(chain).headers, its);
    give_up(chain, same ? mine : Drop::kFragmentTimeout, gone);
  }
  gone.row_.cnt = 0;
}

// A set that was found wrong only at its end may be chained already.
void FragmentTable::give_up(rte_mbuf* chain, Drop reason, GoneFragments& gone) noexcept {
  while (chain != nullptr) {
    rte_mbuf* rest = std::exchange(chain->next, nullptr);
    chain->nb_segs = 1;
    chain->pkt_len = chain->data_len;
    SALLYPORT_CHECK(gone.count_ < GoneFragments::kMost);
    gone.dropped_[gone.count_++].emplace(Packet(chain), reason);
    --held_;
    chain = rest;
  }
}

FragmentTable::Added FragmentTable::make_whole(rte_mbuf* chain, PacketPool& room,
                                               GoneFragments& gone) noexcept {
  const std::uint8_t protocol = static_cast<std::uint8_t>(meta_of(chain).headers.protocol);
  const bool v4 = meta_of(chain).headers.version() == IpVersion::k4;
  bool one_protocol = true;
  std::size_t largest = 0;
  for (rte_mbuf* m = chain; m != nullptr; m = m->next) {
    const Headers& h = meta_of(m).headers;
    one_protocol &= !v4 || static_cast<std::uint8_t>(h.protocol) == protocol;
    largest = std::max<std::size_t>(largest, static_cast<std::size_t>(h.end - h.l3));
  }
  Packet whole = one_protocol ? room.alloc() : Packet{};
  if (!whole || !whole.resize(chain->pkt_len)) {
    give_up(chain,
            !one_protocol ? Drop::kFragmentOverlap
            : whole       ? Drop::kFragmentMalformed
                          : Drop::kNoBuffer,
            gone);
    return {};
  }
  whole.meta() = meta_of(chain);
  whole.meta().largest_fragment = static_cast<std::uint16_t>(largest);
  MutableBytes out = whole.bytes();
  for (rte_mbuf* m = chain; m != nullptr; m = m->next) {
    const ConstBytes part(rte_pktmbuf_mtod(m, const std::uint8_t*), m->data_len);
    std::ranges::copy(part, out.begin());
    out = out.subspan(part.size());
  }
  // The library leaves the sum of the changed header to its caller.
  if (v4) {
    auto* ip = rte_pktmbuf_mtod_offset(chain, rte_ipv4_hdr*, meta_of(chain).headers.l3);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    std::memcpy(whole.bytes().subspan(meta_of(chain).headers.l3, sizeof *ip).data(), ip,
                sizeof *ip);
  }
  Added added{std::move(whole), chain->nb_segs};
  held_ -= added.consumed;
  rte_pktmbuf_free(chain);
  return added;
}

void FragmentTable::expire(GoneFragments& gone, Instant now) noexcept {
  SALLYPORT_CHECK(gone.count_ == 0);
  if (held_ == 0) return;
  rte_ip_frag_table_del_expired_entries(table_.get(), &gone.row_, ticks(now));
  for (rte_mbuf* chain : std::span(gone.row_.row).first(gone.row_.cnt))
    give_up(chain, Drop::kFragmentTimeout, gone);
  gone.row_.cnt = 0;
}

}  // namespace sallyport::dataplane
