// One file although long: a shard is one state machine, and its handlers share the lists they move
// places between. What stands alone is beside it: capacity, budget, presence, turn_queue.
#include "policy/admission/shard.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sallyport::admission {

namespace {

// A client that has not retried for three and a half times its last interval has gone. Before its
// first retry it may be in the middle of a schedule that began before this gateway did: up to 64 s
// apart.
constexpr Tick kFirstRetryWithin = ticks(std::chrono::seconds(70));
constexpr Tick kRetrySlack = ticks(std::chrono::milliseconds(500));
// Just after a SYN the client is there, whatever is believed of its habits.
constexpr Tick kJustSeen = ticks(std::chrono::milliseconds(400));
// Without any knowledge: Linux gives up after 127 to 131 s.
constexpr Tick kDefaultPatience = ticks(std::chrono::seconds(127));
constexpr Tick kFadeEvery = ticks(std::chrono::seconds(8));
constexpr Tick kPlaceKeptTicks = ticks(kPlaceKept);

Tick age_at(const Place& place, Tick now) {
  const std::int32_t age = tick_diff(now, place.started);
  return age < 0 ? 0 : static_cast<Tick>(age);
}

void set_waiting(Place& place, bool holdable) {
  place.state = holdable ? PlaceState::kWaiting : PlaceState::kGate;
  place.attempt_flags =
      static_cast<std::uint8_t>(holdable ? place.attempt_flags & ~Place::kUnholdable
                                         : place.attempt_flags | Place::kUnholdable);
}

bool silent_too_long(const Place& place, Tick now) {
  const Tick within = (place.attempt_flags & Place::kRetried) != 0
                          ? Tick{place.interval} * 56 + kRetrySlack
                          : kFirstRetryWithin;
  return tick_diff(now, place.newest) > static_cast<std::int32_t>(within);
}

}  // namespace

Shard::Shard(std::span<Place> places, std::size_t max_conduits, std::size_t max_lanes)
    : places_(places), conduits_(max_conduits), lanes_(max_lanes), dirty_((max_lanes + 63) / 64) {
  timer_.fill(kNone);
}

void Shard::set_conduit(ConduitId id, const ConduitConfig& config, bool owned_here) {
  Conduit& conduit = conduits_[id];
  conduit.config = config;
  conduit.owned_here = owned_here;
  conduit.turn_interval =
      config.per_device_per_s == 0
          ? 0
          : std::max<Tick>(1, ticks(std::chrono::seconds(1)) / config.per_device_per_s);
  conduit.reclaim_after = ticks(config.handshake_timeout + kReclaimAfter);
}

void Shard::add_lane(LaneId id, const LaneConfig& config, std::uint32_t generation,
                     std::uint32_t slow_limit, WorkerId self) {
  Lane& lane = lanes_[id];
  SALLYPORT_CHECK(!lane.used);
  lane = Lane{};
  lane.config = config;
  lane.used = true;
  lane.slow_limit = std::max<std::uint32_t>(1, slow_limit);
  lane.ledger.lane = id;
  lane.ledger.worker = self;
  lane.ledger.generation = generation;
  lane_end_ = std::max<std::size_t>(lane_end_, std::size_t{id} + 1);
  mark(id);
}

bool Shard::drain_lane(LaneId id, std::size_t limit, Tick now) {
  if (!lanes_[id].used) return true;
  while (limit-- > 0) {
    if (dequeue(id, now) == kNone) return true;
  }
  return false;
}

void Shard::remove_lane(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  if (!lane.used) return;
  while (dequeue(id, now) != kNone) continue;
  for (List* list : {&lane.fresh, &lane.slow}) {
    while (list->head != kNone) {
      const PlaceId place = list->head;
      end_flight(lane, place);
      places_[place].state = PlaceState::kFree;
      ++stats_.cut;
    }
  }
  lane.returned += std::exchange(lane.stash, 0);
  check(lane);
  SALLYPORT_CHECK(lane.queued() == 0);
  dirty_[id / 64] &= ~(std::uint64_t{1} << id % 64);
  lane = Lane{};
}

void Shard::renew_lane(LaneId id, const LaneConfig& config, std::uint32_t generation,
                       std::uint32_t slow_limit) {
  Lane& lane = lanes_[id];
  SALLYPORT_CHECK(lane.used && lane.config.conduit == config.conduit);
  lane.config = config;
  lane.returned += std::exchange(lane.stash, 0);
  check(lane);
  const LaneReport old = lane.ledger;
  lane.ledger = LaneReport{};
  lane.ledger.lane = id;
  lane.ledger.worker = old.worker;
  lane.ledger.generation = generation;
  lane.slow_limit = std::max<std::uint32_t>(1, slow_limit);
  lane.opening = lane.fresh.size + lane.slow.size;
  lane.returned = 0;
  mark(id);
}

void Shard::bind(PairId pair, LaneId id, unsigned parallel) {
  SALLYPORT_CHECK(parallel >= 1 && parallel <= kMaxParallel && lanes_[id].used);
  SALLYPORT_CHECK(std::size_t{pair} + parallel <= places_.size());
  Place& head = places_[pair];
  SALLYPORT_CHECK((head.pair_flags & Place::kParallelMask) == 0);
  // A pair that was unbound while it waited is still linked where it waited: dequeue() sorts it
  // out.
  head.pair_flags = static_cast<std::uint8_t>((head.pair_flags & Place::kQueued) | parallel);
  head.seen_at = head.gone_at = 0;
  head.next_turn = 0;
  head.lane = id;
  for (unsigned i = 0; i < parallel; ++i) {
    SALLYPORT_CHECK(places_[pair + i].state == PlaceState::kFree);
    places_[pair + i].attempt_flags = static_cast<std::uint8_t>(i << Place::kIndexShift);
  }
}

void Shard::unbind(PairId pair) {
  Place& head = places_[pair];
  const unsigned parallel = head.pair_flags & Place::kParallelMask;
  if (parallel == 0) return;
  Lane& lane = lanes_[head.lane];
  for (unsigned i = 0; i < parallel; ++i) {
    Place& place = places_[pair + i];
    if (in_flight(place.state)) {
      end_flight(lane, pair + i);
      ++lane.ledger.unused;
      ++stats_.cut;
    }
    place.state = PlaceState::kFree;
  }
  if ((head.pair_flags & Place::kGateOpen) != 0) --lane.open_gates;
  head.pair_flags &= Place::kQueued;
  if (lane.used) {
    check(lane);
    mark(head.lane);
  }
}

void Shard::retried(PairId pair, Place& place, const Arrival& arrival, Tick now) {
  const std::int32_t silent = tick_diff(now, place.newest);
  place.interval = static_cast<std::uint16_t>(std::clamp(silent / 16, 1, 0xffff));
  place.attempt_flags |= Place::kRetried;
  place.newest = now;
  place.syn = arrival.syn;
  set_waiting(place, arrival.holdable);
  // It lives at this age; what was believed otherwise was wrong.
  Place& head = places_[pair];
  const Tick age = age_at(place, now);
  const AgeCode code = age_code(age);
  if (code > head.seen_at) head.seen_at = code;
  if (head.gone_at != 0 && code >= head.gone_at) head.gone_at = 0;
  Presence& presence = lanes_[head.lane].presence;
  if (age >= presence.edge()) presence.was_there(age);
}

// The place for a new attempt: a free one, else that of the attempt that was silent the longest.
PlaceId Shard::started(PairId pair, const Arrival& arrival, Tick now) {
  Place& head = places_[pair];
  const unsigned parallel = head.pair_flags & Place::kParallelMask;
  PlaceId chosen = kNone;
  std::int32_t most_silent = -1;
  std::int32_t least_silent = INT32_MAX;
  for (unsigned i = 0; i < parallel; ++i) {
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
  place.attempt_flags &= static_cast<std::uint8_t>(3U << Place::kIndexShift);
  set_waiting(place, arrival.holdable);
  return chosen;
}

void Shard::enqueue(PairId pair, Tick now) {
  Place& head = places_[pair];
  Lane& lane = lanes_[head.lane];
  const PlaceId newest = newest_waiting(pair);
  if (newest == kNone || !lane.used) return;
  const Tick patience = head.gone_at != 0 ? age_of(static_cast<AgeCode>(head.gone_at + 1))
                        : lane.presence.edge() != kNone ? lane.presence.edge()
                                                        : kDefaultPatience;
  const bool served = (head.pair_flags & Place::kServed) != 0 && head.round == lane.round;
  TurnQueue& queue = lane.queues[served ? lane.current ^ 1U : lane.current];
  queue.push(places_, pair, head.since, places_[newest].started + patience, now);
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

bool Shard::presumed_gone(const Lane& lane, const Place& head, const Place& place, Tick now) const {
  const std::int32_t silent = tick_diff(now, place.newest);
  if (silent < static_cast<std::int32_t>(kJustSeen)) return false;
  if (silent_too_long(place, now)) return true;
  const Tick age = age_at(place, now);
  const AgeCode code = age_code(age);
  if (head.gone_at != 0 && code > head.gone_at) return true;
  if (code < head.seen_at) return false;
  // Whoever is called must also have the time to finish.
  return age + lane.flight16 / 16 >= lane.presence.edge();
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
  for (unsigned looks = 0; looks < kMaxLooks; ++looks) {
    const PairId pair = dequeue(id, now);
    if (pair == kNone) break;
    Place& head = places_[pair];
    const PlaceId place = newest_waiting(pair);
    if (place == kNone) continue;
    if (!rate_allows(head, now)) {
      const Tick due = head.next_turn - conduits_[lane.config.conduit].turn_interval *
                                            ((head.pair_flags & Place::kParallelMask) - 1U);
      set_timer(pair, due - now, now);
      continue;
    }
    if (presumed_gone(lane, head, places_[place], now)) {
      ++stats_.set_aside;
      continue;
    }
    if (places_[place].state == PlaceState::kGate) {
      head.pair_flags |= Place::kGateOpen;
      ++lane.open_gates;
      ++stats_.gates;
      set_timer(pair, kNone, now);
      continue;
    }
    return place;
  }
  mark(id);
  return kNone;
}

// One turn of the stash becomes a flight.
Decision Shard::take_off(PairId pair, PlaceId id, Tick now) {
  Place& head = places_[pair];
  Lane& lane = lanes_[head.lane];
  Place& place = places_[id];
  --lane.stash;
  place.generation = next_generation_++;
  place.state = PlaceState::kReleased;
  place.newest = now;
  place.attempt_flags &= static_cast<std::uint8_t>(~Place::kSlow);
  link(lane.fresh, id);
  if ((head.pair_flags & Place::kGateOpen) != 0) {
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kGateOpen);
    --lane.open_gates;
  }
  head.round = lane.round;
  head.pair_flags |= Place::kServed;
  if (const Tick interval = conduits_[lane.config.conduit].turn_interval; interval != 0) {
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
  return {Verdict::kPass, id, place.generation};
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
  lane.ledger.unused += count;
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
    ++lane.ledger.unused;
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

bool Shard::progress(PlaceId id, std::uint32_t generation, Progress what, Handshake kind,
                     Duration server_time, Tick now) noexcept {
  if (id >= places_.size()) return false;
  Place& place = places_[id];
  if (!in_flight(place.state) || place.generation != generation) return false;
  const PlaceState reached = what == Progress::kServerAnswered ? PlaceState::kAnswered
                             : what == Progress::kClientHello  ? PlaceState::kHello
                                                               : PlaceState::kReplied;
  const LaneId lane = places_[pair_of(id)].lane;
  if (what == Progress::kServerHello && place.state != PlaceState::kReplied)
    note_reply(lanes_[lane], place, kind, server_time, now);
  if (what != Progress::kClientHello) {
    ++lanes_[lane].ledger.server_signs;
    mark(lane);
  }
  if (reached > place.state) place.state = reached;
  return true;
}

void Shard::note_reply(Lane& lane, const Place& place, Handshake kind, Duration server_time,
                       Tick now) {
  const auto k = static_cast<std::size_t>(kind);
  const auto reply = static_cast<Tick>(std::max(1, tick_diff(now, place.newest)));
  ++lane.ledger.replied[k];
  lane.ledger.server_time_us[k] +=
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, server_time.count() / 1000));
  lane.ledger.reply_time_us += (std::uint64_t{reply} << kTickShift) / 1000;
}

bool Shard::finished(PlaceId id, std::uint32_t generation, Outcome outcome, Handshake kind,
                     Duration server_time, Tick now) noexcept {
  if (id >= places_.size() || !in_flight(places_[id].state) ||
      places_[id].generation != generation) {
    ++stats_.stale_returns;
    return false;
  }
  Place& place = places_[id];
  const PairId pair = pair_of(id);
  Place& head = places_[pair];
  Lane& lane = lanes_[head.lane];
  const Conduit& conduit = conduits_[lane.config.conduit];
  LaneReport& ledger = lane.ledger;
  const Tick age = age_at(place, place.newest);
  const auto flight = static_cast<Tick>(std::max(1, tick_diff(now, place.newest)));
  if (outcome == Outcome::kEstablished && place.state != PlaceState::kReplied)
    note_reply(lane, place, kind, server_time, now);
  const bool worked = place.state >= PlaceState::kHello;  // the server spent something on it
  const std::uint64_t cost = outcome == Outcome::kEstablished || worked
                                 ? conduit.config.cost[static_cast<unsigned>(kind)]
                                 : 0;
  end_flight(lane, id);
  ledger.cost += cost;
  if (cost == 0) ++ledger.unused;
  switch (outcome) {
    case Outcome::kEstablished:
      ++stats_.established;
      stats_.wait_ticks += static_cast<Tick>(std::max(0, tick_diff(place.newest, head.since)));
      ++ledger.established;
      ++ledger.server_signs;
      ledger.flight_time_us += (std::uint64_t{flight} << kTickShift) / 1000;
      lane.flight16 = lane.flight16 - lane.flight16 / 16 + flight;
      if (const AgeCode code = age_code(age); code > head.seen_at) head.seen_at = code;
      lane.presence.was_there(age);
      head.pair_flags &= static_cast<std::uint8_t>(~Place::kSenior);
      head.since = now;  // for parallel attempts that still wait
      break;
    case Outcome::kServerFailed:
      ++stats_.failed;
      ++ledger.failed;
      head.pair_flags &= static_cast<std::uint8_t>(~Place::kServed);  // not its fault
      break;
    case Outcome::kClientFailed:
      ++stats_.failed;
      ++ledger.server_signs;
      head.pair_flags &= static_cast<std::uint8_t>(~Place::kSenior);
      head.since = now;  // for parallel attempts that still wait
      break;
    case Outcome::kClientLeft:
      ++stats_.left;
      if (place.state >= PlaceState::kAnswered) ++ledger.server_signs;
      learn_gone(lane, head, age, true);
      head.pair_flags &= static_cast<std::uint8_t>(~Place::kServed);
      break;
    case Outcome::kNoShow:
      ++stats_.left;
      learn_gone(lane, head, age, false);
      break;
  }
  place.state = PlaceState::kFree;
  check(lane);
  mark(head.lane);
  return true;
}

// `of_lane`: the client's own stack said that the attempt was given up, so others of its kind may
// have the same habit. One pair testifies once, until it is seen to live longer.
void Shard::learn_gone(Lane& lane, Place& head, Tick age, bool of_lane) {
  const AgeCode code = age_code(age);
  if (code == 0) return;
  if (of_lane && (head.gone_at == 0 || code < head.gone_at)) lane.presence.was_gone(age);
  if (head.gone_at == 0 || code < head.gone_at) head.gone_at = code;
  if (head.seen_at > code) head.seen_at = code;
}

bool Shard::overdue(const Lane& lane, const Place& place, Tick now, Cut& why) const {
  const auto age = static_cast<Tick>(std::max(0, tick_diff(now, place.newest)));
  const Tick usual = lane.slow_after();
  if (place.state == PlaceState::kReleased && age > std::max(ticks(kAnswerWithin), usual)) {
    why = Cut::kUnanswered;
    return true;
  }
  const bool crowded = lane.slow.size > lane.slow_limit;
  if (place.state == PlaceState::kAnswered &&
      (crowded || age > std::max(ticks(kShowWithin), usual))) {
    why = Cut::kNoShow;
    return true;
  }
  const Tick tolerated = std::max(ticks(kSlowTolerated), usual);
  if (age > conduits_[lane.config.conduit].reclaim_after || (crowded && age > tolerated)) {
    why = Cut::kTooSlow;
    return true;
  }
  return false;
}

void Shard::take_back(LaneId id, PlaceId place_id, Cut why, Tick now) {
  Lane& lane = lanes_[id];
  Place& place = places_[place_id];
  const PairId pair = pair_of(place_id);
  Place& head = places_[pair];
  const Tick age = age_at(place, place.newest);
  const bool worked = place.state >= PlaceState::kHello;
  ++stats_.cut;
  end_flight(lane, place_id);
  place.state = PlaceState::kFree;
  if (worked) {
    lane.ledger.cost += kFullCost;
  } else {
    ++lane.ledger.unused;
  }
  if (why == Cut::kUnanswered) {
    // The client still waits for an answer, with its place and the turn it is owed.
    set_waiting(place, (place.attempt_flags & Place::kUnholdable) == 0);
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kServed);
  } else if (why == Cut::kNoShow) {
    learn_gone(lane, head, age, false);
  }
  check(lane);
  mark(id);
  if (why == Cut::kUnanswered && (head.pair_flags & Place::kQueued) == 0) enqueue(pair, now);
}

void Shard::end_stash(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  if (lane.stash == 0 || tick_diff(now, lane.stash_end) < 0) return;
  lane.ledger.unused += lane.stash;
  lane.returned += std::exchange(lane.stash, 0);
  check(lane);
  mark(id);
}

// At least one bucket ahead, so that the timer never meets it in the bucket it is emptying; at most
// half a lap, so that a late run does not meet it again at once. Who is too early is set again.
void Shard::set_timer(PairId pair, Tick wait, Tick now) {
  const Tick at =
      now + std::clamp<Tick>(wait, 1U << kTimerShift, (kTimerBuckets / 2 - 1) << kTimerShift);
  PairId& bucket = timer_[(at >> kTimerShift) % kTimerBuckets];
  places_[pair].queue_next = bucket;
  places_[pair].pair_flags |= Place::kQueued;
  bucket = pair;
}

// An open gate for a client that has left would ask for turns for ever.
bool Shard::gate_expired(PairId pair, Tick now) const {
  const PlaceId newest = newest_waiting(pair);
  return newest == kNone || silent_too_long(places_[newest], now);
}

void Shard::run_timer(Tick now) {
  const Tick present = now >> kTimerShift;
  // After a jump of the clock one lap meets everyone.
  if (present - timer_at_ > kTimerBuckets) timer_at_ = present - kTimerBuckets;
  while (timer_at_ != present) {
    ++timer_at_;
    PairId pair = std::exchange(timer_[timer_at_ % kTimerBuckets], kNone);
    while (pair != kNone) {
      Place& head = places_[pair];
      const PairId next = head.queue_next;
      head.pair_flags &= static_cast<std::uint8_t>(~Place::kQueued);
      if ((head.pair_flags & Place::kGateOpen) != 0) {
        if (gate_expired(pair, now)) {
          head.pair_flags &= static_cast<std::uint8_t>(~Place::kGateOpen);
          --lanes_[head.lane].open_gates;
          mark(head.lane);
        } else {
          set_timer(pair, kNone, now);
        }
      } else if ((head.pair_flags & Place::kParallelMask) != 0) {
        enqueue(pair, now);
      }
      pair = next;
    }
  }
}

void Shard::fade(Tick now) {
  if (tick_diff(now, faded_) < static_cast<std::int32_t>(kFadeEvery)) return;
  faded_ = now;
  for (std::size_t i = 0; i < lane_end_; ++i) {
    if (lanes_[i].used) lanes_[i].presence.fade();
  }
}

LaneReport Shard::report(LaneId id) const {
  const Lane& lane = lanes_[id];
  LaneReport out = lane.ledger;
  out.waiting = lane.queued();
  if (!conduits_[lane.config.conduit].owned_here && lane.open_gates > lane.stash)
    out.waiting += std::min<std::uint32_t>(lane.open_gates - lane.stash, 4);
  out.held = lane.stash + lane.fresh.size + lane.slow.size;
  out.slow = lane.slow.size;
  return out;
}

bool Shard::idle() const {
  return std::ranges::all_of(
      lanes_.begin(), lanes_.begin() + static_cast<std::ptrdiff_t>(lane_end_),
      [](const Lane& lane) {
        return lane.queued() + lane.open_gates + lane.stash + lane.fresh.size + lane.slow.size == 0;
      });
}

bool Shard::next_dirty(LaneId& lane) {
  for (std::size_t word = lane / 64; word < dirty_.size(); ++word) {
    const std::uint64_t from =
        word == lane / 64 ? ~std::uint64_t{0} << lane % 64 : ~std::uint64_t{0};
    const std::uint64_t bits = dirty_[word] & from;
    if (bits == 0) continue;
    lane = static_cast<LaneId>(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
    dirty_[word] &= ~(std::uint64_t{1} << lane % 64);
    return true;
  }
  return false;
}

bool Shard::has_dirty() const {
  return std::ranges::any_of(dirty_, [](std::uint64_t word) { return word != 0; });
}

void Shard::mark(LaneId id) {
  if (lanes_[id].used) dirty_[id / 64] |= std::uint64_t{1} << id % 64;
}

void Shard::end_flight(Lane& lane, PlaceId id) {
  Place& place = places_[id];
  unlink((place.attempt_flags & Place::kSlow) != 0 ? lane.slow : lane.fresh, id);
  place.attempt_flags &= static_cast<std::uint8_t>(~Place::kSlow);
  ++lane.returned;
  // The state is the caller's to change: it says how far the handshake came.
}

void Shard::link(List& list, PlaceId id) {
  Place& place = places_[id];
  place.flight_next = kNone;
  place.flight_prev = list.tail;
  if (list.tail != kNone) {
    places_[list.tail].flight_next = id;
  } else {
    list.head = id;
  }
  list.tail = id;
  ++list.size;
}

void Shard::unlink(List& list, PlaceId id) {
  const Place& place = places_[id];
  (place.flight_prev != kNone ? places_[place.flight_prev].flight_next : list.head) =
      place.flight_next;
  (place.flight_next != kNone ? places_[place.flight_next].flight_prev : list.tail) =
      place.flight_prev;
  --list.size;
}

void Shard::audit() const {
  std::vector<std::uint32_t> flights(lanes_.size());
  std::vector<std::uint32_t> queued(conduits_.size());
  for (PlaceId id = 0; id < places_.size(); ++id) {
    if (in_flight(places_[id].state)) ++flights[places_[pair_of(id)].lane];
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const Lane& lane = lanes_[i];
    check(lane);
    SALLYPORT_CHECK(flights[i] == lane.fresh.size + lane.slow.size);
    if (!lane.used) continue;
    queued[lane.config.conduit] += lane.queued();
    for (const List* list : {&lane.fresh, &lane.slow}) {
      std::uint32_t n = 0;
      for (PlaceId at = list->head; at != kNone; at = places_[at].flight_next, ++n) {
        SALLYPORT_CHECK(in_flight(places_[at].state) && places_[pair_of(at)].lane == i);
      }
      SALLYPORT_CHECK(n == list->size);
    }
  }
  for (std::size_t i = 0; i < conduits_.size(); ++i)
    SALLYPORT_CHECK(queued[i] == conduits_[i].queued);
}

}  // namespace sallyport::admission
