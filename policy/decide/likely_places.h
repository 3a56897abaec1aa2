// Where in the address partition a listed address is likely to stand: every interval that is one
// address (of a device, of the gateway, of a name), hashed. A derived index over a verified
// snapshot, whose own bytes alone say whether what it finds is right (policy/decide/partition.h).
//
// Memory (policy/base/likely_numbers.h): 64 KiB for 2,000 devices of two addresses each, 32 MiB for
// the most intervals that a snapshot may have. Built aside, in two passes over the partition; then
// immutable and shared freely. A default-constructed one knows no address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "policy/base/hash.h"
#include "policy/base/likely_numbers.h"
#include "policy/base/net.h"
#include "policy/wire/snapshot.h"

namespace sallyport::decide {

// An interval's number in the table of its version.
using Place = std::uint32_t;
inline constexpr Place kNoPlace = LikelyNumbers::kNone;
static_assert(wire::kMaxIntervals <= std::size_t{1} << LikelyNumbers::kBits);

class LikelyPlaces {
 public:
  LikelyPlaces() : LikelyPlaces({}, {}) {}
  // Sorted as in a snapshot; what is beyond kMaxIntervals is left out.
  LikelyPlaces(std::span<const wire::Interval4> v4, std::span<const wire::Interval6> v6);
  explicit LikelyPlaces(const wire::SnapshotView& snapshot)
      : LikelyPlaces(snapshot.intervals4(), snapshot.intervals6()) {}

  // A place to look at first, in the table of the address's version; kNoPlace if none is known.
  [[gnu::always_inline]] Place of(const IpAddress& address) const noexcept {
    return places_.of(hash_of(address));
  }
  std::size_t bytes() const noexcept { return places_.bytes(); }

 private:
  static std::uint64_t hash_of(const IpAddress& address) noexcept {
    const auto [high, low] = address.words();
    return fold(low ^ 0x94d049bb133111ebU, high ^ 0xbf58476d1ce4e5b9U);
  }
  LikelyNumbers places_;
};

}  // namespace sallyport::decide
