// A log-linear histogram of whole numbers (cycles, nanoseconds): every value has a bucket, whose
// width is at most a 64th of its values; below 128 it is 1. Its memory is taken with the object.
//
// Pure. Thread: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sallyport::bench {

class Histogram {
 public:
  void add(std::uint64_t value) noexcept {
    ++counts_[bucket_of(value)];
    ++total_;
  }
  std::uint64_t count() const noexcept { return total_; }
  // As if each of `more`'s values had been added here.
  Histogram& operator+=(const Histogram& more) noexcept;

  // What so large a share of the values (0 to 1) does not exceed: the greatest value of the bucket
  // in which the last of them lies. 0 without values.
  std::uint64_t quantile(double share) const noexcept;

  static constexpr int kLinearBits = 6;
  static constexpr std::size_t kLinear = std::size_t{1} << kLinearBits;
  // 2 * kLinear of width 1, and kLinear for each further doubling up to 2^64.
  static constexpr std::size_t kBuckets = (64 - kLinearBits + 1) * kLinear;
  static std::size_t bucket_of(std::uint64_t value) noexcept;
  static std::uint64_t greatest_of(std::size_t bucket) noexcept;

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace sallyport::bench
