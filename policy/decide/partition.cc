#include "policy/decide/partition.h"

#include <algorithm>

namespace sallyport::decide {
namespace {

// The last interval that does not start behind the key.
template <class Interval, class Key>
Place last_up_to(std::span<const Interval> intervals, Key key) noexcept {
  // Halving without branches, since which way it goes is as good as random. What is left lies
  // within the table: first + left never grows.
  const Interval* first = intervals.data();
  for (std::size_t left = intervals.size(); left > 1;) {
    const std::size_t half = left / 2;
    first = key.is_before(first[half]) ? first : first + half;
    left -= half;
  }
  return static_cast<Place>(first - intervals.data());
}

// Of an interval that is one address, what it starts at.
IpAddress start_of(const wire::Interval4& interval) noexcept {
  return IpAddress::v4(interval.first());
}
IpAddress start_of(const wire::Interval6& interval) noexcept {
  return IpAddress::v6(std::bit_cast<std::array<std::uint8_t, 16>>(
      std::array{std::byteswap(interval.first_high()), std::byteswap(interval.first_low())}));
}
bool follows(const wire::Interval4& a, const wire::Interval4& b) noexcept {
  return b.first() - a.first() == 1;
}
bool follows(const wire::Interval6& a, const wire::Interval6& b) noexcept {
  return b.first_low() - a.first_low() == 1 &&
         b.first_high() - a.first_high() == (b.first_low() == 0 ? 1U : 0U);
}

// Calls use(address, place) for each interval that is one address.
template <class Interval, class Use>
void each_single(std::span<const Interval> intervals, Use&& use) noexcept {
  const std::size_t end = std::min(intervals.size(), wire::kMaxIntervals);
  for (std::size_t i = 0; i + 1 < end; ++i)
    if (follows(intervals[i], intervals[i + 1])) use(start_of(intervals[i]), static_cast<Place>(i));
}

template <class Interval>
std::size_t singles(std::span<const Interval> intervals) noexcept {
  std::size_t count = 0;
  each_single(intervals, [&](const IpAddress&, Place) { ++count; });
  return count;
}

}  // namespace

[[gnu::noinline]] Place Partition::search(std::span<const wire::Interval4> table,
                                          Key4 key) noexcept {
  return last_up_to(table, key);
}
[[gnu::noinline]] Place Partition::search(std::span<const wire::Interval6> table,
                                          Key6 key) noexcept {
  return last_up_to(table, key);
}

LikelyPlaces::LikelyPlaces(std::span<const wire::Interval4> v4, std::span<const wire::Interval6> v6)
    : places_(singles(v4) + singles(v6)) {
  const auto keep = [&](const IpAddress& address, Place place) {
    places_.put(hash_of(address), place);
  };
  each_single(v4, keep);
  each_single(v6, keep);
}

}  // namespace sallyport::decide
