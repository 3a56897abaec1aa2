// Who sends most, counted in fixed memory: a count-min sketch with conservative update (Estan and
// Varghese 2002) over keyed hashes. It never counts too little; it counts too much only for those
// that share a cell in every row with somebody who sends more. Counts fade: half of the last
// period's are still there in this one, none of the one before.
//
// Thread: the worker's. Everything is allocated in the constructor.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "policy/admission/types.h"

namespace sallyport::admission {

class Sketch {
 public:
  static constexpr std::size_t kRows = 4;
  static constexpr Tick kPeriod = ticks(std::chrono::seconds(1));

  // 2^width_bits cells per row, at most 2^16: each row reads its own 16 bits of the hash.
  explicit Sketch(unsigned width_bits)
      : mask_((std::size_t{1} << width_bits) - 1),
        now_(kRows << width_bits),
        before_(kRows << width_bits) {}

  // Counts one of `hash`; how many there were, this one included.
  std::uint32_t add(std::uint64_t hash, Tick now) {
    turn(now);
    std::uint32_t least = UINT32_MAX;
    for (std::size_t row = 0; row < kRows; ++row) least = std::min(least, now_[cell(row, hash)]);
    ++least;
    std::uint32_t estimate = UINT32_MAX;
    for (std::size_t row = 0; row < kRows; ++row) {
      std::uint32_t& count = now_[cell(row, hash)];
      count = std::max(count, least);
      estimate = std::min(estimate, count + before_[cell(row, hash)] / 2);
    }
    ++total_;
    return estimate;
  }

  // Of everybody, faded alike.
  std::uint32_t total() const { return total_ + total_before_ / 2; }

 private:
  std::size_t cell(std::size_t row, std::uint64_t hash) const {
    return row * (mask_ + 1) + (static_cast<std::size_t>(hash >> (16 * row)) & mask_);
  }

  void turn(Tick now) {
    const std::int32_t passed = tick_diff(now, began_);
    if (passed >= 0 && passed < static_cast<std::int32_t>(kPeriod)) return;
    now_.swap(before_);
    total_before_ = total_;
    // After a longer silence, or a clock that jumped, nothing is left of either.
    if (passed < 0 || passed >= 2 * static_cast<std::int32_t>(kPeriod)) {
      std::ranges::fill(before_, 0U);
      total_before_ = 0;
    }
    std::ranges::fill(now_, 0U);
    total_ = 0;
    began_ = now;
  }

  std::size_t mask_;
  std::vector<std::uint32_t> now_, before_;
  std::uint32_t total_ = 0, total_before_ = 0;
  Tick began_ = 0;
};

}  // namespace sallyport::admission
