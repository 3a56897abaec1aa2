#include "dataplane/stages/fragments.h"

#include <algorithm>
#include <cstring>

#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::size_t kPoolShare = 4;
// Whoever aims all of his datagrams at the buckets of another's does not fill them.
static_assert(FragmentShares::kDatagrams / FragmentShares::kParts < 2 * FragmentTable::kBucket);
// One datagram's worth, so that no segment is without.
constexpr std::uint32_t kFewestBuffers = kMostFragments;

// RFC 6946: an atomic fragment is a packet with a header too many.
void take_header_out(Packet& packet) noexcept {
  const Headers& h = packet.meta().headers;
  const std::size_t before = h.l4 - kFragmentHeaderSize;
  const MutableBytes frame = packet.bytes();
  const std::uint8_t next = frame[before];
  const auto payload = static_cast<std::uint16_t>(h.end - h.l4);
  std::memmove(frame.data() + kFragmentHeaderSize, frame.data(), before);
  SALLYPORT_CHECK(packet.move_front(static_cast<int>(kFragmentHeaderSize)));
  const MutableBytes ip = packet.bytes().subspan(h.l3);
  ip[4] = static_cast<std::uint8_t>(payload >> 8);
  ip[5] = static_cast<std::uint8_t>(payload);
  ip[6] = next;
}

}  // namespace

Fragments::Fragments(const PacketPool& pool, PacketPool& room, Exits& exits, Counters& counters)
    : pool_size_(pool.size()),
      room_(room),
      exits_(exits),
      counters_(counters),
      shares_(Exits::kMaxSlots) {
  tables_.reserve(Exits::kMaxSlots);
  for (std::size_t i = 0; i < Exits::kMaxSlots; ++i)
    tables_.emplace_back(FragmentTable::Bounds{kDatagrams, kTimeout});
  share(1);
}

void Fragments::share(std::size_t segments) noexcept {
  const auto even = pool_size_ / kPoolShare / std::max<std::size_t>(segments, 1);
  buffers_ =
      std::clamp(static_cast<std::uint32_t>(even), kFewestBuffers, kDatagrams * kMostFragments);
}

Packet Fragments::add(BoundPacket&& fragment, Instant now) noexcept {
  Packet packet = std::move(fragment).release();
  const SegmentSlot segment = packet.meta().segment;
  if (packet.meta().headers.message == Message::kAtomicFragment) {
    take_header_out(packet);
    return packet;
  }
  const auto refused = segment < tables_.size() ? shares_[segment].take(packet.meta(), buffers_)
                                                : Drop::kFragmentTableFull;
  if (refused) {
    exits_.drop({std::move(packet), *refused}, now);
    return {};
  }
  FragmentTable& table = tables_[segment];
  const std::uint32_t before = table.held();
  FragmentTable::Added added = table.add(std::move(packet), room_, gone_, now);
  counters_.held += table.held();
  counters_.held -= before;
  counters_.consumed += added.consumed;
  if (added.whole) {
    ++counters_.originated;
    shares_[segment].give_back(added.whole.meta().headers, added.consumed);
  }
  drop_gone(shares_[segment], now);
  return std::move(added.whole);
}

void Fragments::tick(Instant now) noexcept {
  for (std::size_t segment = 0; segment < tables_.size(); ++segment) {
    FragmentTable& table = tables_[segment];
    const std::uint32_t before = table.held();
    if (before == 0) continue;
    table.expire(gone_, now);
    counters_.held -= before - table.held();
    drop_gone(shares_[segment], now);
  }
}

void Fragments::drop_gone(FragmentShares& shares, Instant now) noexcept {
  while (auto gone = gone_.take()) {
    shares.give_back(gone->packet.meta().headers, 1);
    exits_.drop(std::move(*gone), now);
  }
}

}  // namespace sallyport::dataplane
