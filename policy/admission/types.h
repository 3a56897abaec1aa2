// The vocabulary of admission: identifiers, what a place keeps of a SYN, what callers tell the
// engine and what it answers. Plain values; nothing here allocates, locks or reads a clock.
//
// Ticks are 2^20 ns (1.049 ms) of the caller's steady clock in 32 bits. They wrap after 52 days;
// every comparison is a signed difference, so only spans above 26 days would be misread, and none
// is kept that long (kPlaceKept).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "policy/base/units.h"

namespace sallyport::admission {

using Tick = std::uint32_t;
inline constexpr unsigned kTickShift = 20;
constexpr Tick to_tick(Instant now) {
  return static_cast<Tick>(static_cast<std::uint64_t>(now.ns()) >> kTickShift);
}
constexpr Tick ticks(Duration span) { return static_cast<Tick>(span.count() >> kTickShift); }
// How far `later` is behind `earlier`, negative when it is not later at all.
constexpr std::int32_t tick_diff(Tick later, Tick earlier) {
  return static_cast<std::int32_t>(later - earlier);
}

using PlaceId = std::uint32_t;  // index of a place in the shard's memory
using PairId = std::uint32_t;   // index of a pair's first place
using LaneId = std::uint16_t;
using ConduitId = std::uint16_t;
using WorkerId = std::uint8_t;
inline constexpr std::uint32_t kNone = 0xffffffff;

inline constexpr std::size_t kMaxWorkers = 16;
inline constexpr std::size_t kMaxPriorities = 4;
inline constexpr unsigned kMaxParallel = 4;
// Handshake work is counted in sixteenths of a full handshake.
inline constexpr std::uint32_t kFullCost = 16;

// A place that nobody asked for any more for this long starts anew.
inline constexpr Duration kPlaceKept = std::chrono::minutes(10);
// A credit that found no client goes back to its owner within this time.
inline constexpr Duration kStashLife = std::chrono::milliseconds(5);

// What a place keeps of a client's newest first packet: enough to make it again. TCP: the SYN's
// fields, options as bits (their order is not kept). DTLS: `sequence` holds a tag of the
// ClientHello's random, `timestamp` its record sequence number, `window` and `mss` a digest of its
// parameters: what the cookie of a HelloVerifyRequest is made from.
struct SynImage {
  static constexpr std::uint8_t kWindowScaleMask = 0x0f;  // 15: option absent
  static constexpr std::uint8_t kSackPermitted = 0x10;
  static constexpr std::uint8_t kTimestamps = 0x20;
  static constexpr std::uint8_t kEcnSetup = 0x40;

  std::uint32_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t window = 0;
  std::uint16_t mss = 0;
  std::uint8_t options = kWindowScaleMask;
  std::uint8_t source_index = 0;        // among the client's own addresses
  std::uint16_t destination_index = 0;  // in a table of the caller's

  // A retransmission repeats both; a new attempt changes at least one.
  constexpr bool same_attempt(const SynImage& other) const {
    return sequence == other.sequence && source_port == other.source_port;
  }
  friend constexpr bool operator==(const SynImage&, const SynImage&) = default;
};
static_assert(sizeof(SynImage) == 20);

// A client's SYN or unverified ClientHello. `holdable` is false when the image does not say all of
// it: then its turn lets the client's next retransmission through instead.
struct Arrival {
  SynImage syn;
  bool holdable = true;
};

enum class Verdict : std::uint8_t {
  kHold,  // kept (or already kept): the packet ends here, silently
  kPass,  // the client has its turn: let this packet through; `place` and its generation name the
          // credit
  kFull,  // all of the pair's parallel places are in use by handshakes: the packet ends here
};
// In registers: two words, no more.
struct Decision {
  PlaceId place = kNone;
  Verdict verdict = Verdict::kHold;
};
static_assert(sizeof(Decision) == 8);

// What a handshake cost its server.
enum class Handshake : std::uint8_t { kFull = 0, kResumed = 1, kPsk = 2, kHybrid = 3 };
inline constexpr std::size_t kHandshakes = 4;

// What the caller saw of an admitted handshake before it ended.
enum class Progress : std::uint8_t {
  kServerAnswered,  // the server's SYN-ACK (or HelloVerifyRequest)
  kClientHello,     // the client's complete ClientHello: the client is there
  kServerHello,     // the server's first flight
};

enum class Outcome : std::uint8_t {
  kEstablished,
  kServerFailed,  // refused, reset or not answered by the server
  kClientFailed,  // the client's handshake was wrong (alert, bad certificate)
  kClientLeft,    // the client closed or reset before the end
  kNoShow,        // the server answered, the client never came
};

// A credit's way out that the engine itself decided. The caller forgets the flow it had let
// through (later packets of it are mid-stream: reset).
enum class Cut : std::uint8_t {
  kUnanswered,  // server silent: the client still waits, its place too
  kNoShow,      // server answered, client silent
  kTooSlow,     // handshake neither ended nor failed in time, or its lane's slow ones are too many
  kRemoved,     // pair, lane or conduit went away
};

struct ConduitConfig {
  WorkerId owner = 0;
  std::uint32_t rate_per_s = 0;   // ceiling in full handshakes; 0: none, capacity is learned alone
  std::uint32_t inflight = 1024;  // bound of handshakes in flight, at least 4
  Duration handshake_timeout = std::chrono::seconds(10);
  std::uint32_t per_device_per_s = 1;  // turns; 0: no bound
  // Sixteenths of a full handshake, by Handshake.
  std::array<std::uint8_t, kHandshakes> cost{16, 4, 3, 20};
};

struct LaneConfig {
  ConduitId conduit = 0;
  std::uint16_t weight = 1;   // at least 1
  std::uint8_t priority = 0;  // 0 is served first; below kMaxPriorities
};

// Shard to owner: the whole state of one lane at one worker. Counters are cumulative since
// `generation` began (they wrap), so any message replaces all before it. Costs are in sixteenths of
// a full handshake.
struct LaneReport {
  LaneId lane = 0;
  WorkerId worker = 0;
  std::uint8_t reserved = 0;
  std::uint32_t generation = 0;
  std::uint32_t waiting = 0;       // pairs that a turn could serve now
  std::uint32_t seen = 0;          // turns received in grants
  std::uint32_t held = 0;          // turns not yet given back: in flight or in the stash
  std::uint32_t stash = 0;         // of these, not yet used
  std::uint32_t slow = 0;          // of these, handshakes in the slow allowance
  std::uint32_t taken = 0;         // turns that became handshakes
  std::uint32_t failed = 0;        // by the server's fault
  std::uint32_t server_signs = 0;  // anything that proves the server alive
  std::array<std::uint32_t, kHandshakes> replied{};  // first flights seen from the server
  std::uint32_t established = 0;
  std::uint32_t hellos = 0;  // ClientHellos of clients that stayed: the server owes a reply
  std::uint32_t absent = 0;  // turns that the server answered and the client did not, or not yet
  std::uint32_t padding = 0;
  std::array<std::uint64_t, kHandshakes> server_time_us{};  // over `replied`: ClientHello to reply
  std::uint64_t reply_time_us = 0;                          // over all replies: turn to reply
  std::uint64_t flight_time_us = 0;                         // over `established`: turn to end
  std::uint64_t expected = 0;  // cost, of `taken`, as foreseen when they were taken
  std::int64_t due = 0;        // what ended handshakes cost more than foreseen
  std::uint64_t spare = 0;     // foreseen for those that cost the server nothing
};
static_assert(sizeof(LaneReport) == 144);

// Owner to shard. `granted` is cumulative: what is missing between it and what the shard has seen
// plus `count` was lost on the way, and the shard returns it unused.
struct LaneGrant {
  LaneId lane = 0;
  WorkerId worker = 0;
  std::uint8_t reserved = 0;
  std::uint32_t generation = 0;
  std::uint32_t granted = 0;
  std::uint32_t count = 0;
};
static_assert(sizeof(LaneGrant) == 16);

// What poll() asks of its caller.
struct Action {
  enum class Kind : std::uint8_t {
    kRelease,  // make the place's SYN and let it through; the credit is `generation`
    kCut,      // forget the flow of `place`/`generation`; why is in `cut`
    kReport,   // carry `report` to worker `to`
    kGrant,    // carry `grant` to worker `to`
  };
  Kind kind = Kind::kRelease;
  Cut cut = Cut::kUnanswered;
  WorkerId to = 0;
  LaneId lane = 0;
  PlaceId place = kNone;
  PairId pair = kNone;
  std::uint32_t generation = 0;
  LaneReport report{};  // kReport
  LaneGrant grant{};    // kGrant
};

}  // namespace sallyport::admission
