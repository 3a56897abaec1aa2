#include "policy/prove/ranges.h"

#include <algorithm>

namespace sallyport::prove {
namespace {

constexpr Number kTop = ~Number{0};

}  // namespace

Number number_of(const IpAddress& address) {
  Number high = 0;
  Number low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high * 256 + address.bytes()[i];
    low = low * 256 + address.bytes()[i + 8];
  }
  return high << 64 | low;
}

IpAddress address_of(Number number) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 16; i-- > 0; number /= 256)
    bytes[i] = static_cast<std::uint8_t>(number % 256);
  return IpAddress::v6(bytes);
}

Range range_of(const IpPrefix& prefix) {
  return {number_of(prefix.first()), number_of(prefix.last())};
}

bool is_v4_number(Number number) { return number >> 32 == 0xffff; }

Ranges tidy(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges out;
  for (const Range& r : ranges) {
    const bool joins =
        !out.empty() && (out.back().second == kTop || out.back().second + 1 >= r.first);
    if (!joins) {
      out.push_back(r);
    } else if (r.second > out.back().second) {
      out.back().second = r.second;
    }
  }
  return out;
}

Ranges single(const IpAddress& address) {
  const Number n = number_of(address);
  return {{n, n}};
}

Ranges sum(const Ranges& a, const Ranges& b) {
  std::vector<Range> all = a;
  all.insert(all.end(), b.begin(), b.end());
  return tidy(std::move(all));
}

Ranges of_version(const Ranges& all, IpVersion version) {
  const Ranges v4 = {{number_of(IpAddress::v4(0)), number_of(IpAddress::v4(0xffffffff))}};
  return version == IpVersion::k4 ? common(all, v4) : without(all, v4);
}

// a without everything outside b.
Ranges common(const Ranges& a, const Ranges& b) {
  Ranges outside;
  Number next = 0;
  bool open = true;
  for (const Range& r : b) {
    if (r.first > next) outside.emplace_back(next, r.first - 1);
    open = r.second != kTop;
    if (open) next = r.second + 1;
  }
  if (open) outside.emplace_back(next, kTop);
  return without(a, outside);
}

Ranges without(const Ranges& a, const Ranges& b) {
  Ranges out;
  std::size_t from = 0;
  for (const Range& whole : a) {
    Number next = whole.first;
    bool open = true;
    while (from < b.size() && b[from].second < whole.first) ++from;
    for (std::size_t i = from; i < b.size() && open && b[i].first <= whole.second; ++i) {
      if (b[i].first > next) out.emplace_back(next, b[i].first - 1);
      open = b[i].second < whole.second;
      if (open) next = std::max(next, b[i].second + 1);
    }
    if (open) out.emplace_back(next, whole.second);
  }
  return out;
}

bool holds(const Ranges& ranges, Number number) {
  const auto at = std::upper_bound(ranges.begin(), ranges.end(), Range{number, kTop});
  return at != ranges.begin() && std::prev(at)->second >= number;
}

std::string text_of(const Range& range) {
  const std::string first = address_of(range.first).to_string();
  return range.first == range.second ? first : first + "-" + address_of(range.second).to_string();
}

}  // namespace sallyport::prove
