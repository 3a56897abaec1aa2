// Addresses, prefixes, MACs, ports and protocol numbers: the vocabulary of every packet decision.
// IPv4 addresses travel as IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2) wherever both versions
// share a table, so that one code path serves both and neither can be forgotten. Text forms: RFC
// 5952 (IPv6), dotted quad, colon-hex.
//
// Parsing accepts untrusted text and returns nothing for anything that is not exactly the form (no
// leading zeros, no trailing bytes, no zone ids).
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

enum class IpVersion : std::uint8_t { k4 = 4, k6 = 6 };

// An IPv4 or IPv6 address; ordering is numeric over the 128-bit form.
class IpAddress {
 public:
  constexpr IpAddress() = default;  // "::"
  static constexpr IpAddress v4(std::uint32_t host_order) {
    return of_words({0, std::uint64_t{std::byteswap(host_order)} << 32 | kMappedMark});
  }
  static constexpr IpAddress v4_bytes(const std::array<std::uint8_t, 4>& b) {
    return v4_in_memory(std::bit_cast<std::uint32_t>(b));
  }
  // Of its four bytes as they lie in memory.
  [[gnu::always_inline]] static constexpr IpAddress v4_in_memory(std::uint32_t word) {
    return of_words({0, std::uint64_t{word} << 32 | kMappedMark});
  }
  // An address whose bytes are in the IPv4-mapped range is an IPv4 address.
  static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& b) {
    IpAddress a;
    a.bytes_ = b;
    return a;
  }
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const {
    const auto [high, low] = words();
    return high == 0 && static_cast<std::uint32_t>(low) == kMappedMark;
  }
  constexpr IpVersion version() const { return is_v4() ? IpVersion::k4 : IpVersion::k6; }
  constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // The same bytes as two words in memory order: for hashing and comparing, eight at a time.
  constexpr std::array<std::uint64_t, 2> words() const {
    return std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
  }
  // Host order; meaningful for IPv4 only.
  constexpr std::uint32_t v4_value() const {
    return std::byteswap(static_cast<std::uint32_t>(words()[1] >> 32));
  }
  constexpr bool is_multicast() const {
    return is_v4() ? (bytes_[12] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
  }
  constexpr bool is_unspecified() const;
  constexpr bool is_loopback() const;
  constexpr bool is_link_local() const {
    return is_v4() ? bytes_[12] == 169 && bytes_[13] == 254
                   : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
  }
  std::string to_string() const;

  friend constexpr std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) {
    const auto x = a.words(), y = b.words();
    if (x[0] != y[0]) return std::byteswap(x[0]) <=> std::byteswap(y[0]);
    return std::byteswap(x[1]) <=> std::byteswap(y[1]);
  }
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    const auto x = a.words(), y = b.words();
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  // Bytes 8 to 11 of an IPv4-mapped address.
  static constexpr std::uint32_t kMappedMark = 0xffff0000;
  static constexpr IpAddress of_words(const std::array<std::uint64_t, 2>& words) {
    return v6(std::bit_cast<std::array<std::uint8_t, 16>>(words));
  }
  std::array<std::uint8_t, 16> bytes_{};
};

constexpr bool IpAddress::is_unspecified() const {
  const auto [high, low] = words();
  return high == 0 && (low == 0 || low == kMappedMark);
}
constexpr bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[12] == 127;
  const auto [high, low] = words();
  return high == 0 && low == std::uint64_t{1} << 56;
}

// A prefix; `length` counts bits of its own version (0-32 or 0-128). Host bits are zero by
// construction.
class IpPrefix {
 public:
  // Nothing if length is out of range; host bits are cleared.
  static std::optional<IpPrefix> make(const IpAddress& address, unsigned length);
  // "10.0.0.0/8", "fd00::/64"; a bare address is a host prefix. Set host bits are refused.
  static std::optional<IpPrefix> parse(std::string_view text);
  constexpr const IpAddress& first() const { return first_; }
  IpAddress last() const;
  constexpr unsigned length() const { return length_; }
  constexpr IpVersion version() const { return first_.version(); }
  bool contains(const IpAddress& address) const;
  bool overlaps(const IpPrefix& other) const;
  std::string to_string() const;
  friend constexpr bool operator==(const IpPrefix&, const IpPrefix&) = default;

 private:
  constexpr IpPrefix(const IpAddress& first, unsigned length) : first_(first), length_(length) {}
  IpAddress first_;
  unsigned length_ = 0;
};

class MacAddress {
 public:
  constexpr MacAddress() = default;
  constexpr explicit MacAddress(const std::array<std::uint8_t, 6>& b) : bytes_(b) {}
  static std::optional<MacAddress> parse(std::string_view text);
  constexpr const std::array<std::uint8_t, 6>& bytes() const { return bytes_; }
  constexpr bool is_group() const { return (bytes_[0] & 1) != 0; }
  constexpr bool is_zero() const { return word() == 0; }
  static constexpr MacAddress broadcast() {
    return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  }
  // The link-local address made of this MAC by modified EUI-64 (RFC 4291 appendix A).
  IpAddress link_local() const;
  std::string to_string() const;
  // All six bytes in one word, for hashing and comparing.
  constexpr std::uint64_t word() const {
    struct Halves {
      std::array<std::uint8_t, 4> first;
      std::array<std::uint8_t, 2> last;
    };
    const auto halves = std::bit_cast<Halves>(bytes_);
    return std::bit_cast<std::uint32_t>(halves.first) |
           std::uint64_t{std::bit_cast<std::uint16_t>(halves.last)} << 32;
  }
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
  friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) {
    return a.word() == b.word();
  }

 private:
  std::array<std::uint8_t, 6> bytes_{};
};

// IANA protocol numbers that Sallyport knows.
enum class IpProtocol : std::uint8_t { kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58 };

constexpr std::string_view to_string(IpProtocol p) {
  switch (p) {
    case IpProtocol::kIcmp:
      return "icmp";
    case IpProtocol::kTcp:
      return "tcp";
    case IpProtocol::kUdp:
      return "udp";
    case IpProtocol::kIcmp6:
      return "icmpv6";
  }
  return "unknown";
}

// Inclusive range of transport ports; for ICMP echo the "port" is the message type.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  constexpr bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  friend constexpr bool operator==(const PortRange&, const PortRange&) = default;
};

}  // namespace sallyport
