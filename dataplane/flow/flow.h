// One flow: both directions, the rule that allowed it, what is rewritten, and when it ends. 96
// bytes, on two cache lines. Slots (rule, devices, segments) are stable across revisions (design
// note 0001), so a flow needs no pointer into a snapshot.
//
// The address that stands in for one of its ends, if one does, is one of few and in a table of its
// own (flow/stand_ins.h); who asks for what it decides brings it along.
#pragma once

#include <smmintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/flow/tcp_window.h"
#include "dataplane/headers.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

// Who sends to whom, as seen on one packet.
struct FlowKey {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  IpProtocol protocol = IpProtocol::kTcp;
  // The source's is the lower half. One store: the hash reads both in one load, and for two stores
  // a load waits until both are in the cache.
  void set_ports(std::uint32_t both) noexcept {
    std::memcpy(reinterpret_cast<char*>(this) + offsetof(FlowKey, source_port), &both, sizeof both);
  }
  // Of the answers, if nothing is rewritten.
  FlowKey reversed() const {
    return {destination, source, destination_port, source_port, protocol};
  }
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
  friend auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

inline FlowKey key_of(const Headers& h) {
  return {h.source, h.destination, h.source_port, h.destination_port, h.protocol};
}

// A moment in ticks, rounded up: what a flow's end needs in four bytes. From the clock's epoch on.
class FlowTime {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(500);
  constexpr FlowTime() = default;
  static constexpr FlowTime at(Instant when) {
    const std::int64_t tick = (when.ns() + kTick.count() - 1) / kTick.count();
    return FlowTime(static_cast<std::uint32_t>(std::clamp<std::int64_t>(tick, 0, UINT32_MAX)));
  }
  // So much later.
  constexpr FlowTime after(std::chrono::seconds span) const {
    constexpr std::uint64_t kTicks = std::chrono::seconds(1) / kTick;
    const std::uint64_t later = ticks_ + kTicks * static_cast<std::uint64_t>(span.count());
    return FlowTime(static_cast<std::uint32_t>(std::min<std::uint64_t>(later, UINT32_MAX)));
  }
  // The last tick that `when` has reached.
  static constexpr FlowTime reached(Instant when) { return at(when - kTick + Duration(1)); }
  constexpr std::uint32_t ticks() const { return ticks_; }
  constexpr Instant instant() const {
    return Instant::from_ns(std::int64_t{ticks_} * kTick.count());
  }
  friend constexpr auto operator<=>(FlowTime, FlowTime) = default;

 private:
  constexpr explicit FlowTime(std::uint32_t ticks) : ticks_(ticks) {}
  std::uint32_t ticks_ = 0;
};

enum FlowFlag : std::uint8_t {
  kClientIsHost = 1,  // the client is the gateway's own stack in client_segment
  kServerIsHost = 2,  // the server is the gateway's own stack in server_segment
  kLive = 4,          // written by FlowTable alone
  kMapped = 32,       // NAPT44: the client leaves as stand_in
  kStanding = 24,     // a FlowStanding, as filed; written by EvictionOrder alone
  // That end is behind an uplink's router, not on its link.
  kServerRouted = 64,
  kClientRouted = 128,
};

// How dear a flow is to its ends: what counts when the table is full (flow/eviction_order.h).
enum class FlowStanding : std::uint8_t { kSpent, kHalfOpen, kOpen };
inline constexpr std::size_t kFlowStandings = 3;

// Where an end of a flow lives, in one word to compare: its device and segment, all ones for none.
inline constexpr int kHomeDeviceBits = 20;
constexpr std::uint32_t home_of(DeviceSlot device, SegmentSlot segment) noexcept {
  constexpr std::uint32_t kNone = (1U << kHomeDeviceBits) - 1;
  return (device & kNone) | std::uint32_t{segment} << kHomeDeviceBits;
}
// By their signs none is none.
constexpr DeviceSlot device_of(std::uint32_t home) noexcept {
  constexpr int kAbove = 32 - kHomeDeviceBits;
  return static_cast<DeviceSlot>(static_cast<std::int32_t>(home << kAbove) >> kAbove);
}
constexpr SegmentSlot segment_of(std::uint32_t home) noexcept {
  return static_cast<SegmentSlot>(static_cast<std::int32_t>(home) >> kHomeDeviceBits);
}
static_assert(device_of(home_of(kNoDevice, 7)) == kNoDevice && segment_of(home_of(7, 9)) == 9 &&
              segment_of(home_of(7, kNoSegment)) == kNoSegment && device_of(home_of(7, 9)) == 7);

struct FlowEnd {
  std::uint16_t home_halves[2] = {0xffff, 0xffff};  // two of them need no padding
  std::uint16_t port = 0;

  std::uint32_t home() const {
    std::uint32_t out;
    std::memcpy(&out, home_halves, sizeof out);
    return out;
  }
  DeviceSlot device() const { return device_of(home()); }
  SegmentSlot segment() const { return segment_of(home()); }
  void live(DeviceSlot device, SegmentSlot segment) {
    const std::uint32_t home = home_of(device, segment);
    std::memcpy(home_halves, &home, sizeof home);
  }
};
static_assert(sizeof(FlowEnd) == 6);

struct alignas(32) Flow {
  static constexpr unsigned kPlaceBits = 24, kRuleBits = 20, kStandInBits = 12;
  static constexpr std::uint32_t kRuleMask = (1U << kRuleBits) - 1;

  IpAddress client;  // as it calls itself
  IpAddress server;  // as the client dialled it
  // Two ends of one form, and a third port at the same distance.
  FlowEnd at_client, at_server;
  std::uint16_t checked = 0;  // under which tables it was last held good (Tables::mark())
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint8_t flags = 0;
  std::uint64_t stand_in_port : 16 = 0;
  // Written by FlowTable alone: its ageing list.
  std::uint64_t next : kPlaceBits = 0;
  std::uint64_t previous : kPlaceBits = 0;
  std::uint32_t rule : kRuleBits = 0;
  // Whose address stands in: for the client, as the server knows it, if kMapped; else for the
  // server. 0: nobody's. Written by FlowTable alone.
  std::uint32_t stand_in : kStandInBits = 0;
  FlowTime deadline;
  std::uint32_t packets[2] = {0, 0};  // by Direction, modulo 2^32
  TcpTrack tcp;

  // Below, `stood` is the address that `stand_in` names, all zero if it is nobody's.

  bool mapped() const { return (flags & kMapped) != 0; }
  // Does it leave otherwise than it came?
  bool rewritten() const { return stand_in != 0; }
  // Who really answers; differs from server only if the rule terminates.
  const IpAddress& target(const IpAddress& stood) const {
    return mapped() || stood == IpAddress() ? server : stood;
  }
  std::uint16_t target_port() const {
    // An echo has one identifier for both ends.
    return mapped() && protocol != IpProtocol::kIcmp ? at_server.port : port(kStandIn);
  }
  // The client as its packets leave.
  const IpAddress& caller(const IpAddress& stood) const { return mapped() ? stood : client; }
  std::uint16_t caller_port() const { return mapped() ? port(kStandIn) : at_client.port; }
  FlowKey client_key() const { return {client, server, at_client.port, at_server.port, protocol}; }
  FlowKey server_key(const IpAddress& stood) const {
    return {target(stood), caller(stood), target_port(), caller_port(), protocol};
  }
  // Is this the key of its packets in that direction? First, if it is not rewritten.
  bool is(const FlowKey& key, Direction direction) const {
    const auto back = static_cast<std::size_t>(direction);
    return same(key, address(back), address(1 - back), port(back), port(1 - back));
  }
  // As client_key() and server_key() say, but without a branch on what no predictor knows.
  bool is(const FlowKey& key, Direction direction, const IpAddress& stood) const {
    const auto back = static_cast<std::size_t>(direction);
    const std::size_t outside = back & static_cast<std::size_t>(mapped());
    const std::size_t inside = back ^ outside;
    const std::size_t echo = outside & static_cast<std::size_t>(protocol == IpProtocol::kIcmp);
    const void* const known = &stood;
    return same(key, inside != 0 ? known : address(back), outside != 0 ? known : address(1 - back),
                port(2 * back - outside + echo), port(1 - back + 2 * outside));
  }
  // Do its packets in that direction go to a router?
  bool routed(Direction direction) const {
    static_assert(kClientRouted == kServerRouted << 1);
    return (flags & kServerRouted << static_cast<unsigned>(direction)) != 0;
  }
  // What its packets in that direction come from, or go to.
  FlowEnd from(Direction direction) const { return end(static_cast<std::size_t>(direction)); }
  FlowEnd to(Direction direction) const { return end(1 - static_cast<std::size_t>(direction)); }
  bool live() const { return (flags & kLive) != 0; }
  FlowStanding standing() const { return static_cast<FlowStanding>((flags & kStanding) >> 3); }
  void stand(FlowStanding as) {
    flags = static_cast<std::uint8_t>((flags & ~kStanding) | static_cast<unsigned>(as) << 3);
  }

 private:
  static constexpr std::size_t kStandIn = 2;
  const char* bytes(std::size_t at) const { return reinterpret_cast<const char*>(this) + at; }
  bool same(const FlowKey& key, const void* source, const void* destination, unsigned source_port,
            unsigned destination_port) const {
    const auto word = [](const void* at) {
      return _mm_loadu_si128(static_cast<const __m128i*>(at));
    };
    const __m128i addresses =
        _mm_or_si128(_mm_xor_si128(word(source), word(&key.source)),
                     _mm_xor_si128(word(destination), word(&key.destination)));
    const unsigned other = (source_port ^ key.source_port) |
                           (destination_port ^ key.destination_port) |
                           (static_cast<unsigned>(protocol) ^ static_cast<unsigned>(key.protocol));
    return other == 0 && _mm_testz_si128(addresses, addresses) != 0;
  }
  // Of the client (0) or the server (1): they lie one after the other, as do the ends.
  const void* address(std::size_t which) const { return bytes(which * sizeof(IpAddress)); }
  FlowEnd end(std::size_t which) const {
    FlowEnd out;
    std::memcpy(&out, bytes(2 * sizeof(IpAddress) + which * sizeof out), sizeof out);
    return out;
  }
  // And the stand-in's (2).
  std::uint16_t port(std::size_t which) const {
    std::uint16_t out;
    std::memcpy(&out,
                bytes(2 * sizeof(IpAddress) + which * sizeof(FlowEnd) + offsetof(FlowEnd, port)),
                sizeof out);
    return out;
  }
};
static_assert(sizeof(Flow) == 96 && std::is_trivially_copyable_v<Flow>);
static_assert(offsetof(Flow, client) == 0 && offsetof(Flow, server) == 16 &&
              offsetof(Flow, at_client) == 32 && offsetof(Flow, at_server) == 38 &&
              offsetof(Flow, flags) == 47);  // before the stand-in's port, 12 behind the client's

// A flow that is about to be, with the address that stands in, if one does; else all zero.
struct Opening {
  Flow flow;
  IpAddress stand_in;
  FlowKey server_key() const { return flow.server_key(stand_in); }
};

}  // namespace sallyport::dataplane
