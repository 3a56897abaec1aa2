// Shard's handshakes in flight: how far they come, how they end, and which are taken back.
#include <algorithm>
#include <utility>

#include "policy/admission/patience.h"
#include "policy/admission/shard.h"

namespace sallyport::admission {

namespace {

constexpr std::uint32_t kCostMemory = 16;  // handshakes

std::uint64_t in_us(Tick span) { return (std::uint64_t{span} << kTickShift) / 1000; }

// Of a span that may not have begun at all by a clock that jumped.
Tick since(const Place& place, Tick now) {
  return static_cast<Tick>(std::max(1, tick_diff(now, place.newest)));
}

}  // namespace

bool Shard::progress(PlaceId id, std::uint32_t generation, Progress what, Handshake kind,
                     Duration server_time, Tick now) noexcept {
  if (id >= places_.size()) return false;
  Place& place = places_[id];
  if (!in_flight(place.state) || place.generation != generation) return false;
  const LaneId lane_id = places_[pair_of(id)].lane;
  Lane& lane = lanes_[lane_id];
  const PlaceState reached = what == Progress::kServerAnswered ? PlaceState::kAnswered
                             : what == Progress::kClientHello  ? PlaceState::kHello
                                                               : PlaceState::kReplied;
  if (what == Progress::kServerHello && place.state != PlaceState::kReplied)
    note_reply(lane, place, kind, server_time, now);
  if (what != Progress::kClientHello) {
    ++lane.ledger.server_signs;
    mark(lane_id);
  }
  if (works(reached) && !works(place.state)) showed_up(lane, id, now);
  place.state = std::max(place.state, reached);
  return true;
}

bool Shard::asks(PlaceId id, std::uint32_t generation, Handshake kind) noexcept {
  if (id >= places_.size()) return false;
  Place& place = places_[id];
  if (!in_flight(place.state) || place.generation != generation) return false;
  foresee(lanes_[places_[pair_of(id)].lane], place, kind);
  return true;
}

// Sooner or later what was only expected is known.
void Shard::foresee(Lane& lane, Place& place, Handshake kind) {
  const std::uint8_t cost =
      conduits_[lane.config.conduit].config.cost[static_cast<std::size_t>(kind)];
  lane.ledger.due += std::int64_t{cost} - place.expected;
  place.expected = cost;
  mark(lane.ledger.lane);
}

// The client has come: from now on its handshake is the server's to finish.
void Shard::showed_up(Lane& lane, PlaceId id, Tick now) {
  Place& place = places_[id];
  list_of(lane, place).remove(places_, id);
  ++lane.ledger.hellos;
  mark(lane.ledger.lane);
  place.attempt_flags &= static_cast<std::uint8_t>(~Place::kSlow);
  lane.fresh.push(places_, id);
  lane.show16 = lane.show16 - lane.show16 / 16 + since(place, now);
}

void Shard::note_reply(Lane& lane, Place& place, Handshake kind, Duration server_time, Tick now) {
  const auto k = static_cast<std::size_t>(kind);
  foresee(lane, place, kind);
  ++lane.ledger.replied[k];
  lane.ledger.server_time_us[k] +=
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, server_time.count() / 1000));
  lane.ledger.reply_time_us += in_us(since(place, now));
  lane.priced = std::min(lane.priced + 1, kCostMemory);
  const std::uint32_t cost = conduits_[lane.config.conduit].config.cost[k] * 256U;
  lane.usual256 = (lane.usual256 * (lane.priced - 1) + cost) / lane.priced;
}

bool Shard::finished(PlaceId id, std::uint32_t generation, Outcome outcome, Handshake kind,
                     Duration server_time, Tick now) noexcept {
  if (id >= places_.size() || !in_flight(places_[id].state) ||
      places_[id].generation != generation) {
    ++stats_.stale_returns;
    return false;
  }
  Place& place = places_[id];
  Place& head = places_[pair_of(id)];
  Lane& lane = lanes_[head.lane];
  LaneReport& ledger = lane.ledger;
  const Tick age = age_at(place, place.newest);
  if (outcome == Outcome::kEstablished) {
    if (place.state != PlaceState::kReplied) note_reply(lane, place, kind, server_time, now);
    if (!works(place.state)) showed_up(lane, id, now);  // unseen by this caller
    place.state = PlaceState::kReplied;
    head.attempt_flags =
        static_cast<std::uint8_t>((head.attempt_flags & ~Place::kKindMask) |
                                  ((static_cast<unsigned>(kind) + 1) << Place::kKindShift));
  }
  if (!works(place.state)) spare(lane, place);
  end_flight(lane, id);
  switch (outcome) {
    case Outcome::kEstablished:
      note_established(lane, head, place, now);
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
      if (place.state == PlaceState::kHello) --ledger.hellos;
      learn_gone(lane, head, age_at(place, now), true);
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

void Shard::note_established(Lane& lane, Place& head, const Place& place, Tick now) {
  const Tick age = age_at(place, place.newest);
  const Tick flight = since(place, now);
  ++stats_.established;
  stats_.wait_ticks += static_cast<Tick>(std::max(0, tick_diff(place.newest, head.since)));
  ++lane.ledger.established;
  ++lane.ledger.server_signs;
  lane.ledger.flight_time_us += in_us(flight);
  lane.flight16 = lane.flight16 - lane.flight16 / 16 + flight;
  head.seen_at = std::max(head.seen_at, age_code(age));
  lane.presence.was_there(age);
  head.pair_flags &= static_cast<std::uint8_t>(~Place::kSenior);
  head.since = now;  // for parallel attempts that still wait
}

// `of_lane`: the client's own stack said that the attempt was given up, so others of its kind may
// have the same habit. One pair testifies once, until it is seen to live longer.
void Shard::learn_gone(Lane& lane, Place& head, Tick age, bool of_lane) {
  const AgeCode code = age_code(age);
  if (code == 0) return;
  const bool news = head.gone_at == 0 || code < head.gone_at;
  if (of_lane && news) {
    // What another lane of the conduit has found out takes one witness here.
    Tick& elsewhere = conduits_[lane.config.conduit].edge;
    if (lane.presence.edge() == kNone && age >= elsewhere && age - elsewhere < elsewhere / 4)
      lane.presence.believe(elsewhere);
    lane.presence.was_gone(age);
    if (lane.presence.edge() != kNone) elsewhere = lane.presence.edge();
  }
  if (news) head.gone_at = code;
  head.seen_at = std::min(head.seen_at, code);
}

FlightList& Shard::list_of(Lane& lane, const Place& place) {
  if ((place.attempt_flags & Place::kSlow) != 0) return lane.slow;
  return works(place.state) ? lane.fresh : lane.called;
}

// The state is the caller's to change: it says how far the handshake came.
void Shard::end_flight(Lane& lane, PlaceId id) {
  Place& place = places_[id];
  list_of(lane, place).remove(places_, id);
  place.attempt_flags &= static_cast<std::uint8_t>(~Place::kSlow);
  ++lane.returned;
}

// The server spent nothing on it.
void Shard::spare(Lane& lane, Place& place) {
  if (place.expected == 0) return;  // known already
  lane.ledger.spare += std::exchange(place.expected, std::uint8_t{0});
  if (place.state == PlaceState::kAnswered) ++lane.ledger.absent;
}

// Those that take much longer than usual leave the window to others.
void Shard::set_slow_aside(LaneId id, Tick now) {
  Lane& lane = lanes_[id];
  const auto move = [&](FlightList& from, auto&& after) {
    while (from.oldest() != kNone) {
      const PlaceId oldest = from.oldest();
      Place& place = places_[oldest];
      if (tick_diff(now, place.newest) < static_cast<std::int32_t>(after(place))) return;
      from.remove(places_, oldest);
      lane.slow.push(places_, oldest);
      place.attempt_flags |= Place::kSlow;
      // Whoever is not there yet is charged anew if it comes after all.
      if (place.state == PlaceState::kAnswered) spare(lane, place);
      mark(id);
    }
  };
  // Who has no answer yet is not late itself.
  move(lane.called, [&](const Place& place) {
    return place.state == PlaceState::kAnswered ? lane.show_after() : lane.slow_after();
  });
  move(lane.fresh, [&](const Place&) { return lane.slow_after(); });
}

bool Shard::overdue(const Lane& lane, const Place& place, Tick now, Cut& why) const {
  const auto age = static_cast<Tick>(std::max(0, tick_diff(now, place.newest)));
  const Tick usual = lane.slow_after();
  if (place.state == PlaceState::kReleased && age > std::max(ticks(kAnswerWithin), usual)) {
    why = Cut::kUnanswered;
    return true;
  }
  const bool crowded = lane.slow.size() > lane.slow_limit;
  if (place.state == PlaceState::kAnswered &&
      age > (crowded ? usual : std::max(ticks(kShowWithin), usual))) {
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
  ++stats_.cut;
  if (!works(place.state)) spare(lane, place);
  end_flight(lane, place_id);
  place.state = PlaceState::kFree;
  if (why == Cut::kUnanswered) {
    // The client still waits for an answer, with its place and the turn it is owed.
    place.state =
        (place.attempt_flags & Place::kUnholdable) == 0 ? PlaceState::kWaiting : PlaceState::kGate;
    head.pair_flags &= static_cast<std::uint8_t>(~Place::kServed);
  } else if (why == Cut::kNoShow) {
    learn_gone(lane, head, age_at(place, place.newest), false);
  }
  check(lane);
  mark(id);
  if (why == Cut::kUnanswered && (head.pair_flags & Place::kQueued) == 0) enqueue(pair, now);
}

}  // namespace sallyport::admission
