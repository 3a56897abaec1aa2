// How long a client waits: what its place, its pair and its lane say about whether it is still
// there, and by when it must be called. Rules only; nothing here is kept.
#pragma once

#include <algorithm>
#include <cstdint>

#include "policy/admission/place.h"
#include "policy/admission/presence.h"

namespace sallyport::admission {

// A client that has not retried for three and a half times its longest interval has gone; a shorter
// interval than a second is the network's repeating, not a schedule (RFC 6298 §2). Before its first
// retry it may be in the middle of a schedule that began before this gateway did: up to 64 s
// apart.
inline constexpr Tick kFirstRetryWithin = ticks(std::chrono::seconds(70));
inline constexpr Tick kLeastInterval = ticks(std::chrono::seconds(1)) / 16;
inline constexpr Tick kRetrySlack = ticks(std::chrono::milliseconds(500));
// Just after a SYN the client is there, whatever is believed of its habits.
inline constexpr Tick kJustSeen = ticks(std::chrono::milliseconds(400));
// Without any knowledge: Linux gives up after 127 to 131 s.
inline constexpr Tick kDefaultPatience = ticks(std::chrono::seconds(127));
// How often what is believed of a lane fades.
inline constexpr Tick kFadeEvery = ticks(std::chrono::seconds(64));
// Bounds of scatter().
inline constexpr Tick kScatter = ticks(std::chrono::seconds(7));
inline constexpr Tick kMostScatter = ticks(std::chrono::seconds(30));

constexpr Tick age_at(const Place& place, Tick now) {
  return static_cast<Tick>(std::max(0, tick_diff(now, place.started)));
}

constexpr bool silent_too_long(const Place& place, Tick now) {
  const Tick within = (place.attempt_flags & Place::kRetried) != 0
                          ? std::max(Tick{place.interval}, kLeastInterval) * 56 + kRetrySlack
                          : kFirstRetryWithin;
  return tick_diff(now, place.newest) > static_cast<std::int32_t>(within);
}

// The age up to which an attempt of this pair is expected to wait.
inline Tick patience(const Place& head, const Presence& lane) {
  if (head.gone_at != 0) return age_of(static_cast<AgeCode>(head.gone_at + 1));
  return lane.edge() != kNone ? lane.edge() : kDefaultPatience;
}

// Whether the client has most likely left. `flight`: how long it usually must
// stay once it is called.
inline bool presumed_gone(const Place& head, const Place& place, const Presence& lane, Tick flight,
                          Tick now) {
  if (tick_diff(now, place.newest) < static_cast<std::int32_t>(kJustSeen)) return false;
  if (silent_too_long(place, now)) return true;
  const Tick age = age_at(place, now);
  const AgeCode code = age_code(age);
  if (head.gone_at != 0 && code > head.gone_at) return true;
  if (code < head.seen_at) return false;
  return age + flight + flight / 4 >= lane.edge();  // some take longer than usual
}

// By how much chance disturbs the order of arrival of clients that wait for `patience`.
constexpr Tick scatter(Tick patience) {
  if (patience >= kDefaultPatience) return kScatter;
  return std::clamp(patience / 10 * 7, kScatter, kMostScatter);
}

// When it should be called: in the order in which attempts began, disturbed by chance, and before
// its deadline. Undisturbed, those who dialled first would all be served first and those who
// dialled last would all be gone together, leaving the server idle until they return together;
// disturbed, whoever is left is spread over all phases of coming and going, and somebody is always
// there. More chance than scatter() would let those leave unserved who could just have been served
// in time.
constexpr Tick turn_moment(PairId pair, Tick started, Tick patience, Tick now) {
  std::uint32_t x = (pair + 1) * 0x9e3779b9U ^ started;
  x = (x ^ x >> 15) * 0x85ebca6bU;
  x = (x ^ x >> 13) * 0xc2b2ae35U;
  x ^= x >> 16;
  const auto late = static_cast<Tick>((std::uint64_t{x} * scatter(patience)) >> 32);
  const Tick moment = started + std::min(late, patience);
  return tick_diff(moment, now) > 0 || late > patience ? moment : now;
}

}  // namespace sallyport::admission
