// Finding one's way in a draft's tables, and hashing them again after a change. For tests that
// plant faults; aborts when there is nothing to change.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "policy/base/check.h"
#include "policy/base/units.h"
#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::testing {

inline Uint128 start_of(const draft::Interval4& i) { return i.first(); }
inline Uint128 start_of(const draft::Interval6& i) {
  return static_cast<Uint128>(i.first_high()) << 64 | i.first_low();
}

// The first entry that `wanted` holds for.
template <class T, class Wanted>
T& first(std::vector<T>& list, Wanted wanted) {
  const auto at = std::find_if(list.begin(), list.end(), wanted);
  SALLYPORT_CHECK(at != list.end());
  return *at;
}

// The IPv4 interval of a device's first address, of the gateway's (in a segment), and the next one.
draft::Interval4& interval_of(Draft& draft, std::uint32_t device);
draft::Interval4& interval_of_gateway(Draft& draft, std::uint16_t segment);
draft::Interval4& after(Draft& draft, const draft::Interval4& interval);

// One more than the largest class that an entry may name.
std::uint32_t classes_of(const Draft& draft);
// The slot of the first rule of this kind.
std::uint32_t first_rule(const Draft& draft, draft::RuleKind kind);

// A pair of classes with a list of its own, so that changing it changes nobody else's.
struct Key {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint8_t protocol = 0;
};
Key key_of(const draft::PairSlot& pair);
draft::PairSlot& add_pair(Draft& draft, Key key, const std::vector<draft::RangeRule>& list);
draft::PairSlot& occupied_pair(Draft& draft);

// The hash tables as the classifier needs them, whatever was done to their entries. `size` is a
// power of two above the number of devices.
void hash_pairs(Draft& draft);
void hash_devices(Draft& draft, std::size_t size);

}  // namespace sallyport::testing
