// Addresses that reviewed names stand for just now, learned from DNS answers that passed through
// the gateway. Bounded: a name cannot grow the set beyond kCapacity, a full bucket gives up the
// entry that ends first. Used at flow misses only.
//
// Destination classes belong to one snapshot; an entry remembers its name's hash, so `rebind`
// carries it to the next one. One owner thread; no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/base/net.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

// What a name is remembered by: FNV-1a of its lower-case text.
std::uint64_t name_hash(std::string_view lower_case_name) noexcept;

class DynamicNames {
 public:
  static constexpr std::size_t kBuckets = 256;
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kCapacity = kBuckets * kWays;
  // An address outlives its TTL by this much: askers use an answer until its last second.
  static constexpr Duration kGrace = std::chrono::seconds(30);
  static constexpr Duration kLongestLife = std::chrono::hours(24);

  // Adds or prolongs (address, name); the shorter of ttl and kLongestLife counts, plus kGrace.
  void install(const IpAddress& address, std::uint64_t name, std::uint32_t destination_class,
               std::uint32_t ttl_s, Instant now) noexcept;

  // No address stands for any name.
  bool none() const noexcept { return none_; }
  // Calls use(destination_class) for each name that `address` stands for at `now`, until it returns
  // true.
  template <class Use>
  bool any_class(const IpAddress& address, Instant now, Use&& use) const noexcept {
    if (none_) return false;
    for (const Entry& entry : buckets_[bucket(address)]) {
      if (entry.destination_class != 0 && entry.expires > now && entry.address == address &&
          use(entry.destination_class)) {
        return true;
      }
    }
    return false;
  }

  // After a snapshot swap: class_of(name hash) -> optional class in the new one; names that are
  // gone are forgotten.
  template <class ClassOf>
  void rebind(ClassOf&& class_of) noexcept {
    none_ = true;
    for (auto& ways : buckets_) {
      for (Entry& entry : ways) {
        if (entry.destination_class == 0) continue;
        const std::optional<std::uint32_t> next = class_of(entry.name);
        entry.destination_class = next.value_or(0);
        if (entry.destination_class != 0) none_ = false;
      }
    }
  }

  // Entries alive at `now`.
  std::size_t size(Instant now) const noexcept;

 private:
  struct Entry {
    IpAddress address;
    std::uint64_t name = 0;
    Instant expires;
    std::uint32_t destination_class = 0;  // 0 = empty
  };
  static std::size_t bucket(const IpAddress& address) noexcept;
  std::array<std::array<Entry, kWays>, kBuckets> buckets_{};
  bool none_ = true;  // no entry, so that policies without names do not pay for them
};

}  // namespace sallyport::dataplane
