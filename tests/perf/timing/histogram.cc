#include "tests/perf/timing/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sallyport::bench {

std::size_t Histogram::bucket_of(std::uint64_t value) noexcept {
  // By how many bits a value must be shortened so that kLinearBits follow its first one.
  const int shortened = std::max(static_cast<int>(std::bit_width(value)) - (kLinearBits + 1), 0);
  return static_cast<std::size_t>(shortened) * kLinear +
         static_cast<std::size_t>(value >> shortened);
}

std::uint64_t Histogram::greatest_of(std::size_t bucket) noexcept {
  const std::size_t shortened = bucket < 2 * kLinear ? 0 : bucket / kLinear - 1;
  const std::uint64_t shown = bucket - shortened * kLinear;
  return ((shown + 1) << shortened) - 1;  // of the last one 2^64 - 1
}

Histogram& Histogram::operator+=(const Histogram& more) noexcept {
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) counts_[bucket] += more.counts_[bucket];
  total_ += more.total_;
  return *this;
}

std::uint64_t Histogram::quantile(double share) const noexcept {
  const double wanted = std::max(std::ceil(share * static_cast<double>(total_)), 1.0);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (static_cast<double>(seen) >= wanted) return greatest_of(bucket);
  }
  return 0;
}

}  // namespace sallyport::bench
