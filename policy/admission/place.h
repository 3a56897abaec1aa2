// A place: one cache line that keeps one connection attempt of one client on one conduit. A pair is
// 1 to kMaxParallel consecutive places; the first also keeps what belongs to the pair. Places live
// in memory that the caller provides (huge pages, the worker's NUMA node) and that must be zeroed
// and outlive the shard.
#pragma once

#include <cstdint>
#include <type_traits>

#include "policy/admission/types.h"

namespace sallyport::admission {

enum class PlaceState : std::uint8_t {
  kFree = 0,
  kWaiting = 1,   // its SYN is kept
  kGate = 2,      // waits, but its SYN cannot be made again
  kReleased = 3,  // has a credit; nothing seen yet
  kAnswered = 4,  // the server answered
  kHello = 5,     // the client's ClientHello was seen
  kReplied = 6,   // the server's first flight was seen
};
constexpr bool waits(PlaceState s) { return s == PlaceState::kWaiting || s == PlaceState::kGate; }
constexpr bool in_flight(PlaceState s) { return s >= PlaceState::kReleased; }
// The server has something to do for it.
constexpr bool works(PlaceState s) { return s >= PlaceState::kHello; }

struct alignas(64) Place {
  // Bits of pair_flags.
  static constexpr std::uint8_t kParallelMask = 0x07;  // places of the pair; 0: not bound
  static constexpr std::uint8_t kQueued = 0x08;        // linked by queue_next somewhere
  static constexpr std::uint8_t kGateOpen = 0x10;      // its next SYN passes
  static constexpr std::uint8_t kSenior = 0x20;        // `since` counts
  static constexpr std::uint8_t kServed = 0x40;        // had a turn in round `round`
  // Bits of attempt_flags.
  static constexpr std::uint8_t kSlow = 0x01;        // linked in the slow list
  static constexpr std::uint8_t kRetried = 0x02;     // `interval` is from a real retry
  static constexpr std::uint8_t kUnholdable = 0x04;  // its SYN cannot be made again
  static constexpr std::uint8_t kKindMask = 0x38;    // of the pair: its last Handshake + 1
  static constexpr unsigned kKindShift = 3;
  static constexpr unsigned kIndexShift = 6;   // upper two bits: index within the pair
  static constexpr std::uint8_t kKept = 0xf8;  // what a new attempt leaves as it is

  SynImage syn;
  std::uint32_t generation;   // of its newest credit
  std::uint32_t flight_next;  // while in flight: see FlightList
  std::uint32_t flight_prev;
  Tick started;            // the attempt's first SYN
  Tick newest;             // waiting: its newest SYN; in flight: when it was released
  std::uint16_t interval;  // longest between two of its SYNs, in 16 ticks
  PlaceState state;
  std::uint8_t attempt_flags;
  std::uint8_t expected;  // in flight: what it was charged with, sixteenths

  // Of the pair, in its first place only.
  std::uint8_t pair_flags;
  std::uint8_t seen_at;      // age code: attempts were seen alive up to here (0: unknown)
  std::uint8_t gone_at;      // age code: attempts were gone from here on (0: unknown)
  std::uint32_t queue_next;  // the lane's order, or the timer
  Tick since;                // seniority: first SYN since the last handshake
  Tick next_turn;            // per-device rate: when the next turn conforms (GCRA)
  LaneId lane;
  std::uint16_t round;  // of its last turn
};
static_assert(sizeof(Place) == 64, "one place is one cache line (M8)");
static_assert(std::is_trivially_copyable_v<Place>);

}  // namespace sallyport::admission
