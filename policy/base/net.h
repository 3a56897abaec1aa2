// Addresses, prefixes, MACs, ports and protocol numbers: the vocabulary of every packet decision.
// IPv4 addresses travel as IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2) wherever both versions
// share a table, so that one code path serves both and neither can be forgotten. Text forms: RFC
// 5952 (IPv6), dotted quad, colon-hex.
//
// Parsing accepts untrusted text and returns nothing for anything that is not exactly the form (no
// leading zeros, no trailing bytes, no zone ids).
#pragma once

#include <array>
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
    IpAddress a;
    a.bytes_[10] = a.bytes_[11] = 0xff;
    for (unsigned i = 0; i < 4; ++i)
      a.bytes_[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return a;
  }
  static constexpr IpAddress v4_bytes(const std::array<std::uint8_t, 4>& b) {
    return v4(static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
              static_cast<std::uint32_t>(b[2]) << 8 | b[3]);
  }
  // An address whose bytes are in the IPv4-mapped range is an IPv4 address.
  static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& b) {
    IpAddress a;
    a.bytes_ = b;
    return a;
  }
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const {
    for (unsigned i = 0; i < 10; ++i)
      if (bytes_[i] != 0) return false;
    return bytes_[10] == 0xff && bytes_[11] == 0xff;
  }
  constexpr IpVersion version() const { return is_v4() ? IpVersion::k4 : IpVersion::k6; }
  constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // Host order; meaningful for IPv4 only.
  constexpr std::uint32_t v4_value() const {
    return static_cast<std::uint32_t>(bytes_[12]) << 24 |
           static_cast<std::uint32_t>(bytes_[13]) << 16 |
           static_cast<std::uint32_t>(bytes_[14]) << 8 | bytes_[15];
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

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

constexpr bool IpAddress::is_unspecified() const {
  if (is_v4()) return v4_value() == 0;
  for (std::uint8_t b : bytes_)
    if (b != 0) return false;
  return true;
}
constexpr bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[12] == 127;
  for (unsigned i = 0; i < 15; ++i)
    if (bytes_[i] != 0) return false;
  return bytes_[15] == 1;
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
  constexpr bool is_zero() const { return bytes_ == std::array<std::uint8_t, 6>{}; }
  static constexpr MacAddress broadcast() {
    return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  }
  // The link-local address made of this MAC by modified EUI-64 (RFC 4291 appendix A).
  IpAddress link_local() const;
  std::string to_string() const;
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;

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
