// The Internet checksum (RFC 1071) and its incremental update (RFC 1624 eq. 3). Pure functions over
// bytes; the incremental forms are tested against full recomputation.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::dataplane {

// One's complement, 16 bits. The upper half of a word and its halves exchanged is the sum of both
// halves, with the carry of the lower.
constexpr std::uint16_t folded(std::uint64_t sum) noexcept {
  const auto half = static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32);
  return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16);
}

// One's-complement sum in progress. Bytes are added in wire order; every block but the last must
// have an even size. They are added as larger words in memory order, which RFC 1071 §2(B) allows:
// swapping the bytes of the sum swaps those of the words.
class InternetSum {
 public:
  // The same for a header of IPv4 without options.
  void add(std::span<const std::uint8_t, 20> header) noexcept {
    std::array<std::uint64_t, 2> words;
    std::uint32_t last;
    std::memcpy(words.data(), header.data(), sizeof words);
    std::memcpy(&last, header.data() + sizeof words, sizeof last);
    sum_ += (words[0] & 0xffffffff) + (words[0] >> 32) + (words[1] & 0xffffffff) +
            (words[1] >> 32) + last;
  }
  void add(ConstBytes bytes) noexcept {
    if (bytes.size() >= 2 * sizeof(std::uint64_t)) bytes = add_long(bytes);
    while (bytes.size() >= 4) {
      std::uint32_t word;
      std::memcpy(&word, bytes.data(), sizeof word);
      sum_ += word;
      bytes = bytes.subspan(sizeof word);
    }
    if (bytes.size() >= 2) sum_ += static_cast<std::uint32_t>(bytes[0] | bytes[1] << 8);
    if (bytes.size() % 2 != 0) sum_ += bytes.back();
  }
  void add(std::uint32_t word16) noexcept {
    sum_ += std::byteswap(static_cast<std::uint16_t>(word16));
  }
  // The field value that makes the whole sum to 0xffff; 0 when the bytes already held a right sum.
  std::uint16_t finish() const noexcept {
    return static_cast<std::uint16_t>(~std::byteswap(folded(sum_)));
  }

 private:
  // Two words of 64 bits at a time, each carry added where it fell out; returns what is left.
  ConstBytes add_long(ConstBytes bytes) noexcept {
    std::array<std::uint64_t, 2> sums{};
    std::array<std::uint64_t, 2> words;
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= sizeof words; left -= sizeof words, at += sizeof words) {
      std::memcpy(words.data(), at, sizeof words);
      sums[0] += words[0];
      sums[0] += sums[0] < words[0] ? 1 : 0;
      sums[1] += words[1];
      sums[1] += sums[1] < words[1] ? 1 : 0;
    }
    for (const std::uint64_t sum : sums) sum_ += (sum & 0xffffffff) + (sum >> 32);
    return bytes.last(left);
  }
  std::uint64_t sum_ = 0;
};

// The pseudo header's part of a transport sum (RFC 9293 §3.1, RFC 8200 §8.1); of `size` bytes.
inline InternetSum pseudo_sum(const IpAddress& source, const IpAddress& destination,
                              IpProtocol protocol, std::size_t size) noexcept {
  InternetSum sum;
  const std::size_t skip = source.is_v4() ? 12 : 0;
  sum.add(ConstBytes(source.bytes()).subspan(skip));
  sum.add(ConstBytes(destination.bytes()).subspan(skip));
  sum.add(static_cast<std::uint32_t>(protocol));
  sum.add(static_cast<std::uint32_t>(size & 0xffff));
  sum.add(static_cast<std::uint32_t>(size >> 16));
  return sum;
}

// Sum of a transport header and payload with its pseudo header. 0 when `segment` carries the right
// sum.
inline std::uint16_t transport_sum(const IpAddress& source, const IpAddress& destination,
                                   IpProtocol protocol, ConstBytes segment) noexcept {
  // ICMP for IPv4 has no pseudo header (RFC 792).
  InternetSum sum = protocol == IpProtocol::kIcmp
                        ? InternetSum{}
                        : pseudo_sum(source, destination, protocol, segment.size());
  sum.add(segment);
  return sum.finish();
}

// What it changes in a sum that `before` becomes `after`: ~m + m' of RFC 1624 eq. 3, in memory
// order (RFC 1071 §2(B)). Changes of several fields add up.
template <std::size_t kSize>
std::uint64_t change_of(std::span<const std::uint8_t, kSize> before,
                        std::span<const std::uint8_t, kSize> after) noexcept {
  // A word of 32 bits counts as its halves do.
  using Word = std::conditional_t<kSize % 4 == 0, std::uint32_t, std::uint16_t>;
  static_assert(kSize % sizeof(Word) == 0);
  std::array<Word, kSize / sizeof(Word)> was, now;
  std::memcpy(was.data(), before.data(), kSize);
  std::memcpy(now.data(), after.data(), kSize);
  std::uint64_t change = 0;
  for (std::size_t i = 0; i < was.size(); ++i)
    change += std::uint64_t{static_cast<Word>(~was[i])} + now[i];
  return change;
}
// HC' = ~(~HC + ~m + m'), both as they lie in memory.
constexpr std::uint16_t corrected(std::uint16_t field, std::uint64_t change) noexcept {
  return static_cast<std::uint16_t>(~folded(static_cast<std::uint16_t>(~field) + change));
}
// The same for one field of 16 bits, all in the processor's order.
inline std::uint16_t updated_sum(std::uint16_t field, std::uint16_t before,
                                 std::uint16_t after) noexcept {
  return static_cast<std::uint16_t>(~folded(std::uint64_t{static_cast<std::uint16_t>(~field)} +
                                            static_cast<std::uint16_t>(~before) + after));
}

}  // namespace sallyport::dataplane
