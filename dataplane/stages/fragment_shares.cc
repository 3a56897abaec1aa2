#include "dataplane/stages/fragment_shares.h"

#include "dataplane/dpdk/fragment_table.h"
#include "policy/base/check.h"

namespace sallyport::dataplane {

std::optional<Drop> FragmentShares::take(const PacketMeta& meta, std::uint32_t buffers) noexcept {
  Place* mine = nullptr;
  Place* free = nullptr;
  std::uint32_t datagrams = 0;
  std::uint32_t fragments = 0;
  std::uint32_t all = 0;
  for (Place& place : places_) {
    all += place.fragments;
    if (place.fragments == 0) {
      free = &place;
      continue;
    }
    if (place.is(meta.headers)) mine = &place;
    if (!place.is_of(meta)) continue;
    ++datagrams;
    fragments += place.fragments;
  }
  if (fragments >= std::max(buffers / kParts, kMostFragments) ||
      (mine == nullptr && datagrams >= kDatagrams / kParts))
    return Drop::kFragmentDeviceLimit;
  if (all >= buffers || (mine == nullptr && free == nullptr)) return Drop::kFragmentTableFull;
  if (mine == nullptr) {
    mine = free;
    *mine = {meta.headers.source,
             meta.headers.destination,
             meta.headers.fragment_id,
             meta.device,
             meta.origin,
             0};
  }
  ++mine->fragments;
  return std::nullopt;
}

void FragmentShares::give_back(const Headers& of, std::uint32_t fragments) noexcept {
  const auto place = std::ranges::find_if(places_, [&](const Place& p) { return p.is(of); });
  SALLYPORT_CHECK(place != places_.end() && place->fragments >= fragments);
  place->fragments -= fragments;
}

}  // namespace sallyport::dataplane
