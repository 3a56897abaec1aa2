// Units are types: a rate is not a count, cycles are not time. Constructors are private and
// factories carry the unit in their name; arithmetic that may overflow or divide by zero returns
// optional, it never clamps. Time is std::chrono; the clock is always the caller's (`now` is an
// argument everywhere below main loops).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>

namespace sallyport {

using Duration = std::chrono::nanoseconds;
__extension__ using Uint128 = unsigned __int128;

// Nanoseconds since an epoch that the process chooses once (steady: never goes back). Only main
// loops read a clock.
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_ns(std::int64_t ns) { return Instant(ns); }
  constexpr std::int64_t ns() const { return ns_; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) { return Instant(t.ns_ + d.count()); }
  friend constexpr Instant operator-(Instant t, Duration d) { return Instant(t.ns_ - d.count()); }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns_ - b.ns_); }

 private:
  constexpr explicit Instant(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

// CRTP base of the counted units below: comparison, addition with overflow detection.
template <class Unit>
class Quantity {
 public:
  friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;
  static constexpr std::optional<Unit> add(Unit a, Unit b) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a.value_, b.value_, &sum)) return std::nullopt;
    return Unit(sum);
  }

 protected:
  std::uint64_t value_ = 0;

 private:
  friend Unit;
  constexpr Quantity() = default;
  constexpr explicit Quantity(std::uint64_t value) : value_(value) {}
};

class ByteCount : public Quantity<ByteCount> {
 public:
  constexpr ByteCount() = default;
  static constexpr ByteCount from_bytes(std::uint64_t n) { return ByteCount(n); }
  constexpr std::uint64_t bytes() const { return value_; }

 private:
  friend class Quantity<ByteCount>;
  constexpr explicit ByteCount(std::uint64_t n) : Quantity(n) {}
};

class PacketCount : public Quantity<PacketCount> {
 public:
  constexpr PacketCount() = default;
  static constexpr PacketCount from_packets(std::uint64_t n) { return PacketCount(n); }
  constexpr std::uint64_t packets() const { return value_; }

 private:
  friend class Quantity<PacketCount>;
  constexpr explicit PacketCount(std::uint64_t n) : Quantity(n) {}
};

// Events per second (packets, handshakes, turns). Zero means "never".
class EventRate : public Quantity<EventRate> {
 public:
  constexpr EventRate() = default;
  static constexpr EventRate from_per_second(std::uint64_t n) { return EventRate(n); }
  constexpr std::uint64_t per_second() const { return value_; }
  // The spacing of events at this rate; nothing for a zero rate or one above 1 GHz.
  constexpr std::optional<Duration> interval() const {
    if (value_ == 0 || value_ > 1'000'000'000U) return std::nullopt;
    return Duration(static_cast<std::int64_t>(1'000'000'000U / value_));
  }

 private:
  friend class Quantity<EventRate>;
  constexpr explicit EventRate(std::uint64_t n) : Quantity(n) {}
};

class BitRate : public Quantity<BitRate> {
 public:
  constexpr BitRate() = default;
  static constexpr BitRate from_bps(std::uint64_t n) { return BitRate(n); }
  static constexpr std::optional<BitRate> from_mbps(std::uint64_t n) {
    std::uint64_t bits = 0;
    if (__builtin_mul_overflow(n, std::uint64_t{1'000'000}, &bits)) return std::nullopt;
    return BitRate(bits);
  }
  constexpr std::uint64_t bps() const { return value_; }

 private:
  friend class Quantity<BitRate>;
  constexpr explicit BitRate(std::uint64_t n) : Quantity(n) {}
};

// Time-stamp counter readings; they become time only with the counter's frequency.
class TscHz : public Quantity<TscHz> {
 public:
  constexpr TscHz() = default;
  static constexpr TscHz from_hz(std::uint64_t n) { return TscHz(n); }
  constexpr std::uint64_t hz() const { return value_; }

 private:
  friend class Quantity<TscHz>;
  constexpr explicit TscHz(std::uint64_t n) : Quantity(n) {}
};

class TscCycles : public Quantity<TscCycles> {
 public:
  constexpr TscCycles() = default;
  static constexpr TscCycles from_cycles(std::uint64_t n) { return TscCycles(n); }
  constexpr std::uint64_t cycles() const { return value_; }
  // Nothing for a zero frequency or a span above 292 years.
  constexpr std::optional<Duration> at(TscHz hz) const {
    if (hz.hz() == 0) return std::nullopt;
    const auto ns = static_cast<Uint128>(value_) * 1'000'000'000U / hz.hz();
    if (ns > static_cast<Uint128>(INT64_MAX)) return std::nullopt;
    return Duration(static_cast<std::int64_t>(ns));
  }

 private:
  friend class Quantity<TscCycles>;
  constexpr explicit TscCycles(std::uint64_t n) : Quantity(n) {}
};

}  // namespace sallyport
