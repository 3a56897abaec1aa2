// The Internet checksum (RFC 1071) and its incremental update (RFC 1624 eq. 3). Pure functions over
// bytes; the incremental forms are tested against full recomputation.
#pragma once

#include <array>
#include <cstdint>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::dataplane {

// One's-complement sum in progress. Bytes are added in wire order; every block but the last must
// have an even size.
class InternetSum {
 public:
  void add(ConstBytes bytes) noexcept {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
      sum_ += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (i < bytes.size()) sum_ += static_cast<std::uint32_t>(bytes[i] << 8);
  }
  void add(std::uint32_t word16) noexcept { sum_ += word16; }
  // The field value that makes the whole sum to 0xffff; 0 when the bytes already held a right sum.
  std::uint16_t finish() const noexcept {
    std::uint64_t s = sum_;
    while ((s >> 16) != 0) s = (s & 0xffff) + (s >> 16);
    return static_cast<std::uint16_t>(~s);
  }

 private:
  std::uint64_t sum_ = 0;
};

// Sum of a transport header and payload with its pseudo header (RFC 9293 §3.1, RFC 8200 §8.1).
// 0 when `segment` carries the right sum.
inline std::uint16_t transport_sum(const IpAddress& source, const IpAddress& destination,
                                   IpProtocol protocol, ConstBytes segment) noexcept {
  InternetSum sum;
  const std::size_t skip = source.is_v4() ? 12 : 0;
  // ICMP for IPv4 has no pseudo header (RFC 792).
  if (protocol != IpProtocol::kIcmp) {
    sum.add(ConstBytes(source.bytes()).subspan(skip));
    sum.add(ConstBytes(destination.bytes()).subspan(skip));
    sum.add(static_cast<std::uint32_t>(protocol));
    sum.add(static_cast<std::uint32_t>(segment.size() & 0xffff));
    sum.add(static_cast<std::uint32_t>(segment.size() >> 16));
  }
  sum.add(segment);
  return sum.finish();
}

// The new field value after `before` became `after` somewhere under the sum. RFC 1624 eq. 3: HC' =
// ~(~HC + ~m + m'). Both spans have the same even size.
inline std::uint16_t updated_sum(std::uint16_t field, ConstBytes before,
                                 ConstBytes after) noexcept {
  std::uint64_t s = static_cast<std::uint16_t>(~field);
  for (std::size_t i = 0; i + 1 < before.size(); i += 2) {
    s += static_cast<std::uint16_t>(~(before[i] << 8 | before[i + 1]));
    s += static_cast<std::uint16_t>(after[i] << 8 | after[i + 1]);
  }
  while ((s >> 16) != 0) s = (s & 0xffff) + (s >> 16);
  return static_cast<std::uint16_t>(~s);
}

}  // namespace sallyport::dataplane
