// The one place where raw bytes are indexed. Cursor reads untrusted bytes with bounds by
// construction: a read either succeeds whole or fails and moves nothing. Writer is its mirror for
// building messages into a fixed buffer. Be16/Be32/Be64 are wire integers: they convert explicitly,
// so host and network order cannot be mixed by accident.
//
// Thread: values over memory that the caller keeps alive and unchanged while a cursor is in use.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace sallyport {

using ConstBytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

// An unsigned integer stored in network byte order, without alignment needs.
template <class Host>
class BigEndian {
  static_assert(std::is_unsigned_v<Host>);

 public:
  constexpr BigEndian() = default;
  static constexpr BigEndian from_host(Host value) {
    BigEndian out;
    for (std::size_t i = 0; i < sizeof(Host); ++i)
      out.bytes_[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(Host) - 1 - i)));
    return out;
  }
  constexpr Host to_host() const {
    Host value = 0;
    for (std::uint8_t byte : bytes_) value = static_cast<Host>((value << 8) | byte);
    return value;
  }
  friend constexpr bool operator==(const BigEndian&, const BigEndian&) = default;

 private:
  std::array<std::uint8_t, sizeof(Host)> bytes_{};
};
template <>
constexpr std::uint8_t BigEndian<std::uint8_t>::to_host() const {
  return bytes_[0];
}
using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;
static_assert(sizeof(Be16) == 2 && sizeof(Be32) == 4 && sizeof(Be64) == 8);

class Cursor {
 public:
  constexpr explicit Cursor(ConstBytes bytes) : rest_(bytes) {}

  constexpr std::size_t remaining() const { return rest_.size(); }
  constexpr bool empty() const { return rest_.empty(); }
  constexpr ConstBytes rest() const { return rest_; }

  // The next `size` bytes, or nothing (and no movement) if fewer remain.
  constexpr std::optional<ConstBytes> take(std::size_t size) {
    if (size > rest_.size()) return std::nullopt;
    ConstBytes out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  constexpr bool skip(std::size_t size) { return take(size).has_value(); }

  constexpr std::optional<std::uint8_t> u8() {
    auto b = take(1);
    if (!b) return std::nullopt;
    return (*b)[0];
  }
  constexpr std::optional<std::uint16_t> be16() { return big_endian<std::uint16_t>(); }
  constexpr std::optional<std::uint32_t> be32() { return big_endian<std::uint32_t>(); }
  constexpr std::optional<std::uint64_t> be64() { return big_endian<std::uint64_t>(); }

  // A trivially copyable structure, copied out of the wire.
  template <class T>
  std::optional<T> object() {
    static_assert(std::is_trivially_copyable_v<T>);
    auto b = take(sizeof(T));
    if (!b) return std::nullopt;
    T out;
    std::memcpy(&out, b->data(), sizeof(T));
    return out;
  }

 private:
  template <class Host>
  constexpr std::optional<Host> big_endian() {
    auto b = take(sizeof(Host));
    if (!b) return std::nullopt;
    Host value = 0;
    for (std::uint8_t byte : *b) value = static_cast<Host>((value << 8) | byte);
    return value;
  }
  ConstBytes rest_;
};

class Writer {
 public:
  constexpr explicit Writer(MutableBytes space) : space_(space) {}
  constexpr std::size_t size() const { return used_; }
  constexpr ConstBytes written() const { return space_.first(used_); }

  // Each returns false and writes nothing when the space is too small.
  constexpr bool u8(std::uint8_t v) { return integer(v); }
  constexpr bool be16(std::uint16_t v) { return integer(v); }
  constexpr bool be32(std::uint32_t v) { return integer(v); }
  constexpr bool be64(std::uint64_t v) { return integer(v); }
  constexpr bool bytes(ConstBytes b) {
    if (b.size() > space_.size() - used_) return false;
    for (std::size_t i = 0; i < b.size(); ++i) space_[used_ + i] = b[i];
    used_ += b.size();
    return true;
  }
  constexpr bool zeros(std::size_t n) {
    if (n > space_.size() - used_) return false;
    for (std::size_t i = 0; i < n; ++i) space_[used_ + i] = 0;
    used_ += n;
    return true;
  }

 private:
  template <class Host>
  constexpr bool integer(Host v) {
    if (sizeof(Host) > space_.size() - used_) return false;
    for (std::size_t i = 0; i < sizeof(Host); ++i)
      space_[used_ + i] = static_cast<std::uint8_t>(v >> (8 * (sizeof(Host) - 1 - i)));
    used_ += sizeof(Host);
    return true;
  }
  MutableBytes space_;
  std::size_t used_ = 0;
};

}  // namespace sallyport
