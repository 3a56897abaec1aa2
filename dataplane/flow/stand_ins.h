// The addresses that stand in for an end of some flow: a listener's of the host stack for the
// server that was dialled, the gateway's own on an uplink for the client (NAPT44). They are the
// gateway's, so there are few, and a flow has room for a number.
//
// Number 0 is nobody's. The others are counted: held once for each flow, and free again when the
// last one is gone. Looking for an address takes as long as there are addresses; the last one that
// was found is looked at first. Thread: one. Failures: hold() returns nothing when kMost different
// ones are held.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/cache_line.h"
#include "dataplane/flow/flow.h"
#include "policy/base/check.h"

namespace sallyport::dataplane {

class StandIns {
 public:
  static constexpr std::size_t kPlaces = std::size_t{1} << Flow::kStandInBits;
  static constexpr std::size_t kMost = kPlaces - 1;

  StandIns() : entries_(kPlaces) {}
  const IpAddress& of(const Flow& flow) const noexcept {
    return entries_.data()[flow.stand_in].address;
  }
  // Once more; all zero is nobody's.
  std::optional<std::uint16_t> hold(const IpAddress& address) noexcept {
    if (address == IpAddress()) return std::uint16_t{0};
    if (entries_[last_].flows == 0 || entries_[last_].address != address) {
      const auto found = place_of(address);
      if (!found) return std::nullopt;
      last_ = *found;
      entries_[last_].address = address;
    }
    ++entries_[last_].flows;
    return last_;
  }
  void release(std::uint16_t number) noexcept {
    if (number == 0) return;
    SALLYPORT_CHECK(entries_[number].flows > 0);
    --entries_[number].flows;
  }
  std::size_t bytes() const noexcept { return entries_.capacity() * sizeof(Entry); }

 private:
  struct alignas(32) Entry {  // found by a shift
    IpAddress address;
    std::uint32_t flows = 0;
  };
  // Where it is, or may be.
  [[gnu::noinline]] std::optional<std::uint16_t> place_of(const IpAddress& address) noexcept {
    std::optional<std::uint16_t> free;
    for (std::uint16_t at = 1; at < ever_; ++at) {
      if (entries_[at].flows == 0)
        free = at;
      else if (entries_[at].address == address)
        return at;
    }
    if (!free && ever_ < kPlaces) free = ever_++;
    return free;
  }
  LineVector<Entry> entries_;  // from 1
  std::uint16_t ever_ = 1;     // one past the last that was held
  std::uint16_t last_ = 0;
};

}  // namespace sallyport::dataplane
