#include "dataplane/flow/neighbour_table.h"

#include "policy/base/hash.h"

namespace sallyport::dataplane {

std::span<Neighbour> NeighbourTable::bucket(SegmentSlot segment,
                                            const IpAddress& address) noexcept {
  const auto [high, low] = address.words();
  const std::uint64_t h = fold(high ^ 0x9e3779b97f4a7c15U, low ^ segment ^ 0xcbf29ce484222325U);
  return std::span(entries_).subspan((h >> 24) % kBuckets * kWays, kWays);
}

Neighbour* NeighbourTable::find(SegmentSlot segment, const IpAddress& address) noexcept {
  for (Neighbour& n : bucket(segment, address)) {
    if (n.state != Neighbour::State::kFree && n.segment == segment && n.address == address) {
      return &n;
    }
  }
  return nullptr;
}

Neighbour* NeighbourTable::add(SegmentSlot segment, const IpAddress& address,
                               Instant now) noexcept {
  Neighbour* place = nullptr;
  for (Neighbour& n : bucket(segment, address)) {
    if (n.state == Neighbour::State::kFree) {
      place = &n;
      break;
    }
    // What is known can be asked again; what is being asked for holds somebody's packet.
    if (n.state == Neighbour::State::kKnown && (place == nullptr || n.expires < place->expires)) {
      place = &n;
    }
  }
  if (place == nullptr) return nullptr;
  *place = Neighbour{};
  place->state = Neighbour::State::kAsking;
  place->segment = segment;
  place->address = address;
  place->due = now;
  return place;
}

}  // namespace sallyport::dataplane
