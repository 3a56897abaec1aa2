// Who is surely nobody enrolled: a filter over the MACs and listed addresses of a snapshot's
// devices. A flood of strangers is told from devices by a bit, not by a search.
//
// "No" is certain; "maybe" must be looked up, and is the answer for at most one stranger in
// a hundred. Choosing addresses that meet a device's bit gains a search, and no other verdict.
// Built aside, with its Tables; then immutable. A default-constructed one knows nobody.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/headers.h"
#include "policy/base/hash.h"
#include "policy/wire/snapshot.h"

namespace sallyport::dataplane {

class EnrolledFilter {
 public:
  EnrolledFilter() : words_(std::make_unique<std::uint64_t[]>(1)) {}
  explicit EnrolledFilter(const wire::SnapshotView& snapshot);

  bool may_be(const MacAddress& mac) const noexcept { return has(hash_of(mac)); }
  bool may_be(const IpAddress& address) const noexcept { return has(hash_of(address)); }

 private:
  static constexpr std::size_t kBitsEach = 32;  // at least
  static std::uint64_t hash_of(const MacAddress& mac) noexcept {
    return fold(mac_word(mac) ^ 0x9e3779b97f4a7c15U, 0xff51afd7ed558ccdU);
  }
  static std::uint64_t hash_of(const IpAddress& address) noexcept {
    const auto [high, low] = address.words();
    return fold(low ^ 0x94d049bb133111ebU, high ^ 0xbf58476d1ce4e5b9U);
  }
  // Two bits of one word.
  static std::uint64_t bits(std::uint64_t hash) noexcept {
    return std::uint64_t{1} << (hash & 63) | std::uint64_t{1} << (hash >> 58);
  }
  bool has(std::uint64_t hash) const noexcept {
    return (bits(hash) & ~words_[hash >> 6 & mask_]) == 0;
  }
  void put(std::uint64_t hash) noexcept { words_[hash >> 6 & mask_] |= bits(hash); }
  std::size_t mask_ = 0;
  std::unique_ptr<std::uint64_t[]> words_;  // mask_ + 1, a power of two
};

}  // namespace sallyport::dataplane
