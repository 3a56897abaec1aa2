// How much what handshakes cost differs from what was foreseen when they were given their turn.
// What is on its way to its ClientHello may all turn out to be dear; the rate leaves room for that.
//
// Units: sixteenths of a full handshake. Thread: the owner's.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sallyport::admission {

class Surprise {
 public:
  // `due`: what some handshakes cost more than foreseen, while `taken` others began.
  void note(std::uint32_t taken, std::int64_t due) {
    const auto d = static_cast<double>(due);
    turns_ += taken;
    sum_ += d;
    squares_ += d * d;
    if (turns_ < kMemory) return;
    turns_ /= 2;
    sum_ /= 2;
    squares_ /= 2;
  }
  // The part of 100 ms' work by which the cost of what is on its way usually differs from what was
  // foreseen, if `turns_per_s` at `rate16` sixteenths a second are given; at most kMost.
  double share(double turns_per_s, double rate16) const {
    if (turns_ < 1 || rate16 < 1) return 0;
    const double mean = sum_ / turns_;
    const double variance = std::max(0.0, squares_ / turns_ - mean * mean);
    // Twice: those on their way at the beginning of these 100 ms, and at their end.
    return std::min(kMost, std::sqrt(2 * variance * turns_per_s * kOnTheirWayS) / (rate16 * 0.1));
  }

 private:
  static constexpr double kMemory = 256;
  static constexpr double kOnTheirWayS = 0.014;
  static constexpr double kMost = 0.04;
  double turns_ = 0, sum_ = 0, squares_ = 0;
};

}  // namespace sallyport::admission
