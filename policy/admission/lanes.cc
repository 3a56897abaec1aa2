// Shard's lanes and pairs coming and going, and what it tells of them.
#include <algorithm>
#include <bit>
#include <utility>

#include "policy/admission/shard.h"

namespace sallyport::admission {

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
  for (FlightList* list : {&lane.called, &lane.fresh, &lane.slow}) {
    while (list->oldest() != kNone) {
      const PlaceId place = list->oldest();
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
  lane.opening = lane.in_flight();
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
      if (!works(place.state)) spare(lane, place);
      end_flight(lane, pair + i);
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

LaneReport Shard::report(LaneId id) const {
  const Lane& lane = lanes_[id];
  LaneReport out = lane.ledger;
  out.waiting = lane.queued();
  if (!conduits_[lane.config.conduit].owned_here && lane.open_gates > lane.stash)
    out.waiting += std::min<std::uint32_t>(lane.open_gates - lane.stash, 4);
  out.stash = lane.stash;
  out.held = lane.stash + lane.in_flight();
  out.slow = lane.slow.size();
  return out;
}

bool Shard::idle() const {
  return std::ranges::all_of(
      lanes_.begin(), lanes_.begin() + static_cast<std::ptrdiff_t>(lane_end_),
      [](const Lane& lane) {
        return lane.queued() + lane.open_gates + lane.stash + lane.in_flight() == 0;
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

void Shard::audit() const {
  std::vector<std::uint32_t> flights(lanes_.size());
  std::vector<std::uint32_t> queued(conduits_.size());
  for (PlaceId id = 0; id < places_.size(); ++id) {
    if (in_flight(places_[id].state)) ++flights[places_[pair_of(id)].lane];
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const Lane& lane = lanes_[i];
    check(lane);
    SALLYPORT_CHECK(flights[i] == lane.in_flight());
    if (!lane.used) continue;
    queued[lane.config.conduit] += lane.queued();
    for (const FlightList* list : {&lane.called, &lane.fresh, &lane.slow}) {
      std::uint32_t n = 0;
      for (PlaceId at = list->oldest(); at != kNone; at = places_[at].flight_next, ++n) {
        SALLYPORT_CHECK(in_flight(places_[at].state) && places_[pair_of(at)].lane == i);
        SALLYPORT_CHECK(((places_[at].attempt_flags & Place::kSlow) != 0) == (list == &lane.slow));
        SALLYPORT_CHECK(list == &lane.slow || works(places_[at].state) == (list == &lane.fresh));
      }
      SALLYPORT_CHECK(n == list->size());
    }
  }
  for (std::size_t i = 0; i < conduits_.size(); ++i)
    SALLYPORT_CHECK(queued[i] == conduits_[i].queued);
}

}  // namespace sallyport::admission
