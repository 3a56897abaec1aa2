// Fields at fixed places of bytes whose length was checked. For the parsers alone.
#pragma once

#include <algorithm>
#include <array>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::dataplane {

inline std::uint16_t u16_at(ConstBytes b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
inline MacAddress mac_at(ConstBytes b, std::size_t at) {
  std::array<std::uint8_t, 6> m;
  std::ranges::copy(b.subspan(at, 6), m.begin());
  return MacAddress(m);
}
inline IpAddress v4_at(ConstBytes b, std::size_t at) {
  return IpAddress::v4_bytes({b[at], b[at + 1], b[at + 2], b[at + 3]});
}
inline IpAddress v6_at(ConstBytes b, std::size_t at) {
  std::array<std::uint8_t, 16> a;
  std::ranges::copy(b.subspan(at, 16), a.begin());
  return IpAddress::v6(a);
}

}  // namespace sallyport::dataplane
