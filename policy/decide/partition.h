// The partition of both address spaces: which interval covers an address. What the dataplane,
// `prove` and `explain` are told of an address is found here, in the snapshot's own bytes.
//
// An interval that starts at the address covers it; that much is looked at where the address likely
// stands (policy/decide/likely_places.h), if the caller has such an index. Everything else is found
// by binary search. Valid inputs: any address, and any place as a hint. Thread: immutable, shared
// freely; borrows the tables, which the verifier has found to start at the lowest address and to
// ascend.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "policy/base/units.h"
#include "policy/decide/likely_places.h"

namespace sallyport::decide {

class Partition {
 public:
  constexpr Partition() noexcept = default;
  // `likely` may be absent; it must be of the same tables only to be of use.
  Partition(std::span<const wire::Interval4> v4, std::span<const wire::Interval6> v6,
            const LikelyPlaces* likely) noexcept
      : v4_(v4), v6_(v6), likely_(likely) {}

  // Without tables: there is no place for any address.
  bool empty() const noexcept { return v4_.empty() || v6_.empty(); }

  // Where the interval stands that starts at this address, if a look is enough; else kNoPlace.
  Place glance(const IpAddress& address) const noexcept {
    return address.is_v4() ? glance(v4_, key4(address), address)
                           : glance(v6_, key6(address), address);
  }
  // Where the interval stands that covers it; not of an empty one. `hint` may be anything.
  Place find(const IpAddress& address, Place hint = kNoPlace) const noexcept {
    return address.is_v4() ? find(v4_, key4(address), address, hint)
                           : find(v6_, key6(address), address, hint);
  }
  // Calls use(interval, place) with the one that glance() finds, if it finds one.
  template <class Use>
  void glanced(const IpAddress& address, Use&& use) const noexcept {
    if (address.is_v4()) {
      const Place place = glance(v4_, key4(address), address);
      if (place != kNoPlace) use(v4_.data()[place], place);
    } else {
      const Place place = glance(v6_, key6(address), address);
      if (place != kNoPlace) use(v6_.data()[place], place);
    }
  }
  // Calls use(interval) with that interval.
  template <class Use>
  auto at(const IpAddress& address, Place hint, Use&& use) const noexcept {
    if (address.is_v4()) return use(v4_.data()[find(v4_, key4(address), address, hint)]);
    return use(v6_.data()[find(v6_, key6(address), address, hint)]);
  }

 private:
  // An address as its version's table is sorted.
  struct Key4 {
    std::uint32_t value;
    bool starts(const wire::Interval4& i) const noexcept { return value == i.first(); }
    bool is_before(const wire::Interval4& i) const noexcept { return value < i.first(); }
  };
  struct Key6 {
    std::uint64_t high, low;
    bool starts(const wire::Interval6& i) const noexcept {
      return ((high ^ i.first_high()) | (low ^ i.first_low())) == 0;
    }
    // In one comparison, so that a search need not branch.
    bool is_before(const wire::Interval6& i) const noexcept {
      return (static_cast<Uint128>(high) << 64 | low) <
             (static_cast<Uint128>(i.first_high()) << 64 | i.first_low());
    }
  };
  static Key4 key4(const IpAddress& address) noexcept { return {address.v4_value()}; }
  static Key6 key6(const IpAddress& address) noexcept {
    const auto [high, low] = address.words();
    return {std::byteswap(high), std::byteswap(low)};
  }
  template <class Table, class Key>
  [[gnu::always_inline]] Place glance(Table table, Key key,
                                      const IpAddress& address) const noexcept {
    if (likely_ == nullptr) return kNoPlace;
    const Place place = likely_->of(address);
    return place < table.size() && key.starts(table.data()[place]) ? place : kNoPlace;
  }
  template <class Table, class Key>
  [[gnu::always_inline]] Place find(Table table, Key key, const IpAddress& address,
                                    Place hint) const noexcept {
    if (covers(table, key, hint)) return hint;
    const Place place = glance(table, key, address);
    if (place != kNoPlace) [[likely]]
      return place;
    return search(table, key);
  }
  template <class Table, class Key>
  [[gnu::always_inline]] static bool covers(Table table, Key key, Place place) noexcept {
    if (place >= table.size()) return false;
    const auto* interval = table.data() + place;
    if (key.starts(*interval)) return true;
    return !key.is_before(*interval) && (place + 1 == table.size() || key.is_before(interval[1]));
  }
  static Place search(std::span<const wire::Interval4> table, Key4 key) noexcept;
  static Place search(std::span<const wire::Interval6> table, Key6 key) noexcept;

  std::span<const wire::Interval4> v4_;
  std::span<const wire::Interval6> v6_;
  const LikelyPlaces* likely_ = nullptr;
};

}  // namespace sallyport::decide
