#include "policy/admission/shard.h"

#include <algorithm>
#include <utility>

#include "policy/admission/patience.h"

namespace sallyport::admission {

namespace {

constexpr Tick kPlaceKeptTicks = ticks(kPlaceKept);

}  // namespace

Shard::Shard(std::span<Place> places, std::size_t max_conduits, std::size_t max_lanes)
    : places_(places), conduits_(max_conduits), lanes_(max_lanes), dirty_((max_lanes + 63) / 64) {}

// The place for a new attempt: a free one, else that of the attempt that was silent the longest.
PlaceId Shard::started(PairId pair, const Arrival& arrival, Tick now) {
  Place& head = places_[pair];
  const unsigned parallel = head.pair_flags & Place::kParallelMask;
  PlaceId chosen = kNone;
  std::int32_t most_silent = -1;
  std::int32_t least_silent = INT32_MAX;
  const bool alone = parallel == 1 && head.state == PlaceState::kFree;  // the usual case
  if (alone) chosen = pair;
  for (unsigned i = 0; !alone && i < parallel; ++i) {
    const Place& place = places_[pair + i];
    if (place.state == PlaceState::kFree) {
      if (most_silent != INT32_MAX) chosen = pair + i;
      most_silent = INT32_MAX;
      continue;
    }
    const std::int32_t silent = std::max(0, tick_diff(now, place.newest));
    least_silent = std::min(least_silent, silent);
    if (waits(place.state) && silent > most_silent) {
      most_silent = silent;
      chosen = pair + i;
    }
  }
  if (chosen == kNone) return kNone;
  // Seniority is kept across the client's own timeouts, but not for ever.
  if ((head.pair_flags & Place::kSenior) == 0 ||
      (tick_diff(now, head.since) > static_cast<std::int32_t>(kPlaceKeptTicks) &&
       least_silent > static_cast<std::int32_t>(kPlaceKeptTicks))) {
    head.since = now;
    head.pair_flags |= Place::kSenior;
  }
  Place& place = places_[chosen];
  if (place.state != PlaceState::kFree) ++stats_.ghosts;
  place.syn = arrival.syn;
  place.started = place.newest = now;
  place.interval = 0;
  place.attempt_flags &= Place::kKept;
  set_waiting(place, arrival.holdable);
  return chosen;
}

void Shard::enqueue(PairId pair, Tick now) {
  Place& head = places_[pair];
  Lane& lane = lanes_[head.lane];
  const bool alone = (head.pair_flags & Place::kParallelMask) == 1 && waits(head.state);
  const PlaceId newest = alone ? pair : newest_waiting(pair);
  if (newest == kNone || !lane.used) return;
  const Tick begun = places_[newest].started;
  const bool served = (head.pair_flags & Place::kServed) != 0 && head.round == lane.round;
  TurnQueue& queue = lane.queues[served ? lane.current ^ 1U : lane.current];
  queue.push(places_, pair, head.since,
             turn_moment(pair, begun, patience(head, lane.presence), now), now);
  head.pair_flags |= Place::kQueued;
  ++conduits_[lane.config.conduit].queued;
  mark(head.lane);
}

// Takes the next bound pair of this lane out of its order; kNone when none waits.
PairId Shard::dequeue(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  for (;;) {
    if (lane.queues[lane.current].empty()) {
      if (lane.queues[lane.current ^ 1U].empty()) return kNone;
      lane.current ^= 1U;  // everyone who is owed a turn has had it: the next round
      ++lane.round;
    }
    const PairId pair = lane.queues[lane.current].pop(places_, now);
    --conduits_[lane.config.conduit].queued;
    Place& head = places_[pair];
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kQueued);
    if ((head.pair_flags & Place::kParallelMask) == 0) continue;  // unbound meanwhile
    if (head.lane != id) {                                        // bound elsewhere meanwhile
      enqueue(pair, now);
      continue;
    }
    return pair;
  }
}

PlaceId Shard::newest_waiting(PairId pair) const {
  const unsigned parallel = places_[pair].pair_flags & Place::kParallelMask;
  PlaceId newest = kNone;
  for (unsigned i = 0; i < parallel; ++i) {
    const Place& place = places_[pair + i];
    if (!waits(place.state)) continue;
    if (newest == kNone || tick_diff(place.newest, places_[newest].newest) > 0) newest = pair + i;
  }
  return newest;
}

// GCRA (as in RFC 2697's spirit, one token a turn) with a burst of the pair's parallel places. A
// conforming time far in the future is a leftover from before the ticks wrapped.
bool Shard::rate_allows(const Place& head, Tick now) const {
  const Conduit& conduit = conduits_[lanes_[head.lane].config.conduit];
  if (conduit.turn_interval == 0) return true;
  const std::int32_t ahead = tick_diff(head.next_turn, now);
  const auto parallel = static_cast<std::int32_t>(head.pair_flags & Place::kParallelMask);
  const auto interval = static_cast<std::int32_t>(conduit.turn_interval);
  return ahead <= interval * (parallel - 1) || ahead > interval * (parallel + 1);
}

PlaceId Shard::choose(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  mark(id);
  for (unsigned looks = 0; looks < kMaxLooks; ++looks) {
    const PairId pair = dequeue(id, now);
    if (pair == kNone) return kNone;
    Place& head = places_[pair];
    const PlaceId place = newest_waiting(pair);
    if (place == kNone) continue;
    if (!rate_allows(head, now)) {
      const Tick burst = conduits_[lane.config.conduit].turn_interval *
                         ((head.pair_flags & Place::kParallelMask) - 1U);
      timer_.set(places_, pair, head.next_turn - burst - now, now);
    } else if (presumed_gone(head, places_[place], lane.presence, lane.flight(), now)) {
      ++stats_.set_aside;
    } else if (places_[place].state == PlaceState::kGate) {
      head.pair_flags |= Place::kGateOpen;
      ++lane.open_gates;
      ++stats_.gates;
      timer_.set(places_, pair, kNone, now);
    } else {
      return place;
    }
  }
  return kNone;
}

// One turn of the stash becomes a flight.
Decision Shard::take_off(PairId pair, PlaceId id, Tick now) {
  Place& head = places_[pair];
  Lane& lane = lanes_[head.lane];
  const Conduit& conduit = conduits_[lane.config.conduit];
  Place& place = places_[id];
  --lane.stash;
  place.generation = next_generation_++;
  place.state = PlaceState::kReleased;
  place.newest = now;
  place.attempt_flags &= static_cast<std::uint8_t>(~Place::kSlow);
  // It is charged with what this client's last handshake cost, or its neighbours' do.
  const unsigned kind = (head.attempt_flags & Place::kKindMask) >> Place::kKindShift;
  place.expected = kind != 0 ? conduit.config.cost[kind - 1]
                             : static_cast<std::uint8_t>((lane.usual256 + 128) / 256);
  ++lane.ledger.taken;
  lane.ledger.expected += place.expected;
  lane.called.push(places_, id);
  if ((head.pair_flags & Place::kGateOpen) != 0) {
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kGateOpen);
    --lane.open_gates;
  }
  head.round = lane.round;
  head.pair_flags |= Place::kServed;
  if (const Tick interval = conduit.turn_interval; interval != 0) {
    const std::int32_t ahead = tick_diff(head.next_turn, now);
    const bool leftover = ahead > static_cast<std::int32_t>(interval * (kMaxParallel + 1));
    head.next_turn = (ahead > 0 && !leftover ? head.next_turn : now) + interval;
  }
  // Attempts that showed no life since this one began are its predecessors, not its parallels.
  const unsigned parallel = head.pair_flags & Place::kParallelMask;
  bool more = false;
  for (unsigned i = 0; i < parallel; ++i) {
    Place& other = places_[pair + i];
    if (!waits(other.state)) continue;
    if (tick_diff(other.newest, place.started) < 0) {
      other.state = PlaceState::kFree;
      ++stats_.ghosts;
    } else {
      more = true;
    }
  }
  if (more && (head.pair_flags & Place::kQueued) == 0) enqueue(pair, now);
  check(lane);
  mark(head.lane);
  return {id, Verdict::kPass};
}

void Shard::receive(LaneId id, std::uint32_t count, Tick now) {
  Lane& lane = lanes_[id];
  lane.ledger.seen += count;
  lane.stash += count;
  lane.stash_end = now + ticks(kStashLife) + 1;
  check(lane);
  mark(id);
}

void Shard::receive_lost(LaneId id, std::uint32_t count) {
  Lane& lane = lanes_[id];
  lane.ledger.seen += count;
  lane.returned += count;
  check(lane);
  mark(id);
}

PlaceId Shard::spend(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  if (lane.stash == 0) return kNone;
  const PlaceId place = choose(id, now);
  if (place != kNone) {
    take_off(pair_of(place), place, now);
    ++stats_.released;
    return place;
  }
  if (lane.open_gates == 0) {
    --lane.stash;
    ++lane.returned;
    check(lane);
    mark(id);
  }
  return kNone;
}

PlaceId Shard::spend_own(LaneId id, Tick now) {
  const PlaceId place = choose(id, now);
  if (place == kNone) return kNone;
  Lane& lane = lanes_[id];
  ++lane.ledger.seen;
  ++lane.stash;
  take_off(pair_of(place), place, now);
  ++stats_.released;
  return place;
}

void Shard::end_stash(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  if (lane.stash == 0 || tick_diff(now, lane.stash_end) < 0) return;
  lane.returned += std::exchange(lane.stash, 0);
  check(lane);
  mark(id);
}

// The timer's: a pair whose own rate allows a turn again is filed again. An open gate is looked at
// until it is used: one for a client that has left would ask for turns for ever.
void Shard::wake(PairId pair, Tick now) {
  Place& head = places_[pair];
  if ((head.pair_flags & Place::kGateOpen) == 0) {
    if ((head.pair_flags & Place::kParallelMask) != 0) enqueue(pair, now);
    return;
  }
  const PlaceId newest = newest_waiting(pair);
  if (newest == kNone || silent_too_long(places_[newest], now)) {
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kGateOpen);
    --lanes_[head.lane].open_gates;
    mark(head.lane);
  } else {
    timer_.set(places_, pair, kNone, now);
  }
}

void Shard::fade(Tick now) {
  if (tick_diff(now, faded_) < static_cast<std::int32_t>(kFadeEvery)) return;
  faded_ = now;
  for (std::size_t i = 0; i < lane_end_; ++i) {
    if (lanes_[i].used) lanes_[i].presence.fade();
  }
}

}  // namespace sallyport::admission
