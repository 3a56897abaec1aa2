// Which interval of a partition covers an address? Obviously correct and slow: the last of the list
// that does not start behind it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <span>

#include "policy/wire/snapshot.h"

namespace sallyport::testing {

inline IpAddress first_of(const wire::Interval4& i) { return IpAddress::v4(i.first()); }
inline IpAddress first_of(const wire::Interval6& i) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t b = 0; b < 8; ++b) {
    bytes[b] = static_cast<std::uint8_t>(i.first_high() >> (56 - 8 * b));
    bytes[8 + b] = static_cast<std::uint8_t>(i.first_low() >> (56 - 8 * b));
  }
  return IpAddress::v6(bytes);
}

template <class Interval>
std::size_t twin_place(std::span<const Interval> intervals, const IpAddress& address) {
  std::size_t place = 0;
  for (std::size_t i = 0; i < intervals.size(); ++i)
    if (first_of(intervals[i]) <= address) place = i;
  return place;
}

}  // namespace sallyport::testing
