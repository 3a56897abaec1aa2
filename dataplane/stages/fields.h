// Fields at fixed places of bytes whose length was checked. For the parsers alone. Those of a
// Fixed header are checked when compiled; the others by the span.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <type_traits>

#include "policy/base/bytes.h"
#include "policy/base/check.h"
#include "policy/base/net.h"

namespace sallyport::dataplane {

// What is known to be there, and aborts if it is not.
[[gnu::always_inline]] inline ConstBytes slice(ConstBytes b, std::size_t at, std::size_t size) {
  SALLYPORT_CHECK(at <= b.size() && size <= b.size() - at);
  return {b.data() + at, size};
}
template <std::size_t N>
using Fixed = std::span<const std::uint8_t, N>;
template <std::size_t N>
[[gnu::always_inline]] inline Fixed<N> fixed(ConstBytes b, std::size_t at) {
  return Fixed<N>(slice(b, at, N).data(), N);
}

template <class T, std::size_t At, std::size_t N>
[[gnu::always_inline]] inline T field(Fixed<N> header) {
  static_assert(At + sizeof(T) <= N && std::is_trivially_copyable_v<T>);
  T out;
  std::memcpy(&out, header.data() + At, sizeof out);
  return out;
}
template <std::size_t At, std::size_t N>
std::uint8_t u8(Fixed<N> header) {
  return field<std::uint8_t, At>(header);
}
template <std::size_t At, std::size_t N>
std::uint16_t u16(Fixed<N> header) {
  return std::byteswap(field<std::uint16_t, At>(header));
}
template <std::size_t At, std::size_t N>
MacAddress mac(Fixed<N> header) {
  return field<MacAddress, At>(header);
}
// Straight to where it is kept, without a copy between.
template <std::size_t At, std::size_t N>
[[gnu::always_inline]] inline void read_mac(Fixed<N> header, MacAddress& out) {
  static_assert(At + sizeof out <= N && std::is_trivially_copyable_v<MacAddress>);
  std::memcpy(&out, header.data() + At, sizeof out);
}
template <std::size_t At, std::size_t N>
IpAddress v4(Fixed<N> header) {
  return IpAddress::v4_bytes(field<std::array<std::uint8_t, 4>, At>(header));
}
template <std::size_t At, std::size_t N>
IpAddress v6(Fixed<N> header) {
  return IpAddress::v6(field<std::array<std::uint8_t, 16>, At>(header));
}

// The bytes of a T, as they stand.
template <class T>
T bytes_at(ConstBytes b, std::size_t at) {
  T out;
  std::memcpy(&out, slice(b, at, sizeof out).data(), sizeof out);
  return out;
}
inline std::uint16_t u16_at(ConstBytes b, std::size_t at) {
  return std::byteswap(bytes_at<std::uint16_t>(b, at));
}
inline void put16(MutableBytes b, std::size_t at, std::uint16_t value) {
  SALLYPORT_CHECK(at <= b.size() && sizeof value <= b.size() - at);
  value = std::byteswap(value);
  std::memcpy(b.data() + at, &value, sizeof value);
}
inline MacAddress mac_at(ConstBytes b, std::size_t at) {
  return MacAddress(bytes_at<std::array<std::uint8_t, 6>>(b, at));
}
inline IpAddress v4_at(ConstBytes b, std::size_t at) {
  return IpAddress::v4_bytes(bytes_at<std::array<std::uint8_t, 4>>(b, at));
}
inline IpAddress v6_at(ConstBytes b, std::size_t at) {
  return IpAddress::v6(bytes_at<std::array<std::uint8_t, 16>>(b, at));
}

}  // namespace sallyport::dataplane
