// One flow: both directions, the rule that allowed it, what is rewritten, and when it ends. Two
// cache lines. Slots (rule, devices, segments) are stable across revisions (design note 0001), so a
// flow needs no pointer into a snapshot.
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
};

// How dear a flow is to its ends: what counts when the table is full (flow/eviction_order.h).
enum class FlowStanding : std::uint8_t { kSpent, kHalfOpen, kOpen };
inline constexpr std::size_t kFlowStandings = 3;

struct alignas(64) Flow {
  IpAddress client;    // as it calls itself
  IpAddress server;    // as the client dialled it
  IpAddress stand_in;  // kMapped: for the client, as the server knows it; else for the server
  // Two ends of one form, and a third port at the same distance.
  DeviceSlot client_device = kNoDevice;
  SegmentSlot client_segment = kNoSegment;
  std::uint16_t client_port = 0;
  DeviceSlot server_device = kNoDevice;
  SegmentSlot server_segment = kNoSegment;
  std::uint16_t server_port = 0;
  RuleSlot rule = 0;
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint8_t flags = 0;
  std::uint16_t stand_in_port = 0;
  std::uint64_t meaning = 0;   // of the rule when it allowed this flow
  std::uint32_t revision = 0;  // under which that was last checked: its lower half
  FlowTime deadline;
  // Written by FlowTable alone: its ageing list.
  std::uint32_t next = 0;
  std::uint32_t previous = 0;
  std::uint32_t packets[2] = {0, 0};  // by Direction, modulo 2^32
  TcpTrack tcp;

  bool mapped() const { return (flags & kMapped) != 0; }
  // Who really answers; differs from server only if the rule terminates.
  const IpAddress& target() const { return mapped() ? server : stand_in; }
  std::uint16_t target_port() const {
    // An echo has one identifier for both ends.
    return mapped() && protocol != IpProtocol::kIcmp ? server_port : stand_in_port;
  }
  // The client as its packets leave.
  const IpAddress& caller() const { return mapped() ? stand_in : client; }
  std::uint16_t caller_port() const { return mapped() ? stand_in_port : client_port; }
  FlowKey client_key() const { return {client, server, client_port, server_port, protocol}; }
  FlowKey server_key() const {
    return {target(), caller(), target_port(), caller_port(), protocol};
  }
  // Is this the key of its packets in that direction?
  bool is(const FlowKey& key, Direction direction) const {
    // As client_key() and server_key() say, but without a branch on what no predictor knows.
    const auto back = static_cast<std::size_t>(direction);
    const std::size_t outside = back & static_cast<std::size_t>(mapped());
    const std::size_t source = 2 * back - outside, destination = 1 - back + 2 * outside;
    const std::size_t echo = outside & static_cast<std::size_t>(protocol == IpProtocol::kIcmp);
    const auto word = [](const void* at) {
      return _mm_loadu_si128(static_cast<const __m128i*>(at));
    };
    const __m128i addresses =
        _mm_or_si128(_mm_xor_si128(word(address(source)), word(&key.source)),
                     _mm_xor_si128(word(address(destination)), word(&key.destination)));
    const unsigned other = (port(source + echo) ^ key.source_port) |
                           (port(destination) ^ key.destination_port) |
                           (static_cast<unsigned>(protocol) ^ static_cast<unsigned>(key.protocol));
    return other == 0 && _mm_testz_si128(addresses, addresses) != 0;
  }
  // What its packets in that direction come from, or go to.
  struct End {
    DeviceSlot device;
    SegmentSlot segment;
    std::uint16_t port;
  };
  End from(Direction direction) const { return end(static_cast<std::size_t>(direction)); }
  End to(Direction direction) const { return end(1 - static_cast<std::size_t>(direction)); }
  bool live() const { return (flags & kLive) != 0; }
  FlowStanding standing() const { return static_cast<FlowStanding>((flags & kStanding) >> 3); }
  void stand(FlowStanding as) {
    flags = static_cast<std::uint8_t>((flags & ~kStanding) | static_cast<unsigned>(as) << 3);
  }
  // Does it leave otherwise than it came?
  bool rewritten() const { return mapped() || stand_in != server || stand_in_port != server_port; }

 private:
  // Of the client (0), the server (1) or the stand-in (2): their addresses lie one after the other,
  // as do the ends that their ports close.
  const char* bytes(std::size_t at) const { return reinterpret_cast<const char*>(this) + at; }
  const void* address(std::size_t which) const { return bytes(which * sizeof(IpAddress)); }
  unsigned port(std::size_t which) const {
    std::uint16_t out;
    std::memcpy(&out, bytes(sizeof(IpAddress) * 3 + which * sizeof(End) + 6), sizeof out);
    return out;
  }
  End end(std::size_t which) const {
    End out;
    std::memcpy(&out, bytes(sizeof(IpAddress) * 3 + which * sizeof out), sizeof out);
    return out;
  }
};
static_assert(sizeof(Flow) == 128 && std::is_trivially_copyable_v<Flow>);
static_assert(offsetof(Flow, client) == 0 && offsetof(Flow, server) == 16 &&
              offsetof(Flow, stand_in) == 32 && sizeof(Flow::End) == 8);
static_assert(offsetof(Flow, client_device) == 48 && offsetof(Flow, client_segment) == 52 &&
              offsetof(Flow, client_port) == 54 && offsetof(Flow, server_device) == 56 &&
              offsetof(Flow, server_segment) == 60 && offsetof(Flow, server_port) == 62 &&
              offsetof(Flow, stand_in_port) == 70);

}  // namespace sallyport::dataplane
