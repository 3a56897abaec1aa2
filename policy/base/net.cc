#include "policy/base/net.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace sallyport {
namespace {

// Bits of the 128-bit form that a prefix of this version and length fixes.
constexpr unsigned mapped_length(IpVersion version, unsigned length) {
  return version == IpVersion::k4 ? length + 96 : length;
}

std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> bytes, unsigned length,
                                    bool ones) {
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned kept = length >= 8 * (i + 1) ? 8 : (length <= 8 * i ? 0 : length - 8 * i);
    const auto host = static_cast<std::uint8_t>(0xffU >> kept);
    bytes[i] = static_cast<std::uint8_t>(ones ? bytes[i] | host : bytes[i] & ~host);
  }
  return bytes;
}

// The first so many bits of eight bytes, as a word in memory order.
constexpr std::uint64_t first_bits(unsigned count) {
  return count == 0 ? 0 : std::byteswap(~std::uint64_t{0} << (64 - count));
}

std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
  unsigned value = 0;
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton wants a terminated string; nothing valid is longer than this.
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  text.copy(buffer.data(), text.size());
  std::array<std::uint8_t, 16> bytes{};
  if (text.find(':') == std::string_view::npos) {
    std::array<std::uint8_t, 4> quad{};
    if (inet_pton(AF_INET, buffer.data(), quad.data()) != 1) return std::nullopt;
    return v4_bytes(quad);
  }
  if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1) return std::nullopt;
  const IpAddress address = v6(bytes);
  if (address.is_v4())
    return std::nullopt;  // "::ffff:1.2.3.4" is two names for one address; say it as IPv4
  return address;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (is_v4()) {
    inet_ntop(AF_INET, &bytes_[12], buffer.data(), buffer.size());
  } else {
    inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
  }
  return buffer.data();
}

std::optional<IpPrefix> IpPrefix::make(const IpAddress& address, unsigned length) {
  if (length > (address.is_v4() ? 32U : 128U)) return std::nullopt;
  const auto bytes = masked(address.bytes(), mapped_length(address.version(), length), false);
  return IpPrefix(IpAddress::v6(bytes), length);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned max = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return make(*address, max);
  const auto length = parse_decimal(text.substr(slash + 1), max);
  if (!length) return std::nullopt;
  const auto prefix = make(*address, *length);
  if (prefix && prefix->first() != *address) return std::nullopt;
  return prefix;
}

IpAddress IpPrefix::last() const {
  return IpAddress::v6(masked(first_.bytes(), mapped_length(version(), length_), true));
}

bool IpPrefix::contains(const IpAddress& address) const {
  const unsigned fixed = mapped_length(version(), length_);
  const unsigned of_high = std::min(fixed, 64U);
  const auto own = first_.words(), other = address.words();
  const std::uint64_t differs = ((own[0] ^ other[0]) & first_bits(of_high)) |
                                ((own[1] ^ other[1]) & first_bits(fixed - of_high));
  return differs == 0 && address.version() == version();
}

bool IpPrefix::overlaps(const IpPrefix& other) const {
  return contains(other.first()) || other.contains(first());
}

std::string IpPrefix::to_string() const {
  return fmt::format("{}/{}", first_.to_string(), length_);
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  std::array<std::uint8_t, 6> bytes{};
  for (unsigned i = 0; i < 6; ++i) {
    const char* at = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(at, at + 2, bytes[i], 16);
    if (error != std::errc{} || end != at + 2 || (i < 5 && at[2] != ':')) return std::nullopt;
  }
  return MacAddress(bytes);
}

IpAddress MacAddress::link_local() const {
  std::array<std::uint8_t, 16> b{};
  b[0] = 0xfe;
  b[1] = 0x80;
  b[8] = static_cast<std::uint8_t>(bytes_[0] ^ 0x02U);
  b[9] = bytes_[1];
  b[10] = bytes_[2];
  b[11] = 0xff;
  b[12] = 0xfe;
  b[13] = bytes_[3];
  b[14] = bytes_[4];
  b[15] = bytes_[5];
  return IpAddress::v6(b);
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2],
                     bytes_[3], bytes_[4], bytes_[5]);
}

}  // namespace sallyport
