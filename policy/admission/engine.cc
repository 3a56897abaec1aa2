#include "policy/admission/engine.h"

#include <algorithm>
#include <utility>

namespace sallyport::admission {

namespace {
// How often states that others may have missed are told again.
constexpr Tick kRepeatEvery = ticks(std::chrono::milliseconds(50));
}  // namespace

Engine::Engine(std::span<Place> places, const Limits& limits)
    : limits_(limits),
      shard_(places, limits.conduits, limits.lanes),
      budget_(limits.conduits, limits.lanes, limits.workers),
      conduits_(limits.conduits),
      granting_(limits.lanes * limits.workers),
      resend_(limits.lanes * limits.workers) {
  SALLYPORT_CHECK(limits.self < limits.workers && limits.conduits < kNone && limits.lanes < 0xffff);
  to_send_.reserve(limits.lanes * limits.workers);
  stashed_.reserve(limits.lanes);
  deferred_.reserve(limits.lanes);
}

void Engine::set_conduit(ConduitId id, const ConduitConfig& config, std::span<const LaneSpec> lanes,
                         std::uint32_t generation, Instant now) {
  SALLYPORT_CHECK(config.owner < limits_.workers && config.inflight >= 4);
  const Tick at = tick(now);
  Conduit& conduit = conduits_[id];
  if (conduit.used && owns(id)) budget_.close(id);
  for (std::size_t i = 0; i < limits_.lanes; ++i) {
    const auto lane = static_cast<LaneId>(i);
    if (!shard_.lane_used(lane) || shard_.lane_config(lane).conduit != id) continue;
    const bool stays = std::ranges::any_of(lanes, [&](const LaneSpec& l) { return l.id == lane; });
    if (!stays) shard_.remove_lane(lane, at);
  }
  conduit = {.config = config, .generation = generation, .used = true};
  const bool mine = owns(id);
  shard_.set_conduit(id, config, mine);
  if (mine) budget_.open(id, config, generation, (1U << limits_.workers) - 1, now_);
  std::uint64_t weights = 0;
  for (const LaneSpec& lane : lanes) weights += lane.weight;
  for (const LaneSpec& spec : lanes) {
    SALLYPORT_CHECK(weights > 0);
    const LaneConfig lane{.conduit = id, .weight = spec.weight, .priority = spec.priority};
    const auto slow = static_cast<std::uint32_t>(std::uint64_t{config.inflight} / 4 * spec.weight /
                                                 weights / limits_.workers);
    if (shard_.lane_used(spec.id)) {
      shard_.renew_lane(spec.id, lane, generation, slow);
    } else {
      shard_.add_lane(spec.id, lane, generation, slow, limits_.self);
    }
    if (mine) budget_.add_lane(spec.id, lane);
  }
  // This worker's own opening balance is known at once.
  for (const LaneSpec& spec : lanes) {
    if (mine) budget_.take_report(shard_.report(spec.id), now_);
  }
}

void Engine::remove_conduit(ConduitId id, Instant now) {
  Conduit& conduit = conduits_[id];
  if (!conduit.used) return;
  const Tick at = tick(now);
  if (owns(id)) budget_.close(id);
  for (std::size_t i = 0; i < limits_.lanes; ++i) {
    const auto lane = static_cast<LaneId>(i);
    if (shard_.lane_used(lane) && shard_.lane_config(lane).conduit == id)
      shard_.remove_lane(lane, at);
  }
  conduit = Conduit{};
}

Decision Engine::arrive(PairId pair, const Arrival& arrival, Instant now) noexcept {
  return shard_.arrive(pair, arrival, tick(now), [this](LaneId lane, bool gate_open) {
    const ConduitId id = shard_.lane_config(lane).conduit;
    if (!owns(id)) return gate_open && shard_.stash(lane) > 0;
    // An ordinary day: nobody waits, so nobody is overtaken.
    if (!gate_open && (shard_.queued(id) > 0 || !budget_.quiet(id))) return false;
    return budget_.take_turn(lane, limits_.self, now_);
  });
}

void Engine::receive(const LaneGrant& grant, Instant now) {
  const Tick at = tick(now);
  if (grant.lane >= limits_.lanes || !shard_.lane_used(grant.lane)) return;
  const LaneReport known = shard_.report(grant.lane);
  if (grant.generation != known.generation) return;
  const std::uint32_t missing = grant.granted - known.seen;
  if (static_cast<std::int32_t>(missing) <= 0) return;  // a repetition
  const std::uint32_t fresh = std::min(grant.count, missing);
  if (missing > fresh) shard_.receive_lost(grant.lane, missing - fresh);
  if (fresh == 0) return;
  if (shard_.stash(grant.lane) == 0) stashed_.push_back(grant.lane);
  shard_.receive(grant.lane, fresh, at);
}

std::size_t Engine::poll(Instant now, std::span<Action> out) {
  const Tick at = tick(now);
  std::size_t used = 0;
  shard_.sweep(at, out.size(), [&](PlaceId place, std::uint32_t generation, Cut why) {
    Action& action = out[used++];
    action = Action{};
    action.kind = Action::Kind::kCut;
    action.cut = why;
    action.place = place;
    action.pair = shard_.pair_of(place);
    action.generation = generation;
  });
  repeat_messages(at);
  settle(out, used);
  spend_stashes(out, used);
  budget_.poll(
      now_,
      [&](LaneId lane, WorkerId worker) {
        if (worker != limits_.self) {
          std::uint32_t& count = granting_[std::size_t{lane} * limits_.workers + worker];
          if (count++ == 0) to_send_.push_back({lane, worker});
          return true;
        }
        const PlaceId place = shard_.spend_own(lane, at);
        if (place == kNone) return false;
        out[used++] = release(place);
        return true;
      },
      [&] { return used < out.size(); });
  send_grants(out, used);
  return used;
}

bool Engine::idle() const {
  return !shard_.has_dirty() && to_send_.empty() && stashed_.empty() && budget_.idle() &&
         shard_.idle();
}

// Reports: to the budget here at once, to other owners once per tick.
void Engine::settle(std::span<Action> out, std::size_t& used) {
  const Tick at = to_tick(now_);
  const bool may_send = at != reported_;
  bool sent = false;
  for (LaneId lane = 0; shard_.next_dirty(lane); ++lane) {
    const ConduitId id = shard_.lane_config(lane).conduit;
    if (owns(id)) {
      budget_.take_report(shard_.report(lane), now_);
    } else if (may_send && used < out.size()) {
      Action& action = out[used++];
      action = Action{};
      action.kind = Action::Kind::kReport;
      action.to = conduits_[id].config.owner;
      action.lane = lane;
      action.report = shard_.report(lane);
      sent = true;
    } else {
      deferred_.push_back(lane);
    }
  }
  if (sent) reported_ = at;
  for (const LaneId lane : deferred_) shard_.mark(lane);
  deferred_.clear();
}

void Engine::repeat_messages(Tick now) {
  if (limits_.workers == 1 || tick_diff(now, repeated_) < static_cast<std::int32_t>(kRepeatEvery))
    return;
  repeated_ = now;
  for (std::size_t i = 0; i < limits_.lanes; ++i) {
    const auto lane = static_cast<LaneId>(i);
    if (!shard_.lane_used(lane)) continue;
    const ConduitId id = shard_.lane_config(lane).conduit;
    if (!owns(id)) {
      shard_.mark(lane);
      continue;
    }
    for (WorkerId worker = 0; worker < limits_.workers; ++worker) {
      const std::size_t at = std::size_t{lane} * limits_.workers + worker;
      if (worker == limits_.self || granting_[at] != 0 || resend_[at] ||
          !budget_.unseen(lane, worker))
        continue;
      resend_[at] = true;
      to_send_.push_back({lane, worker});
    }
  }
}

void Engine::send_grants(std::span<Action> out, std::size_t& used) {
  while (!to_send_.empty() && used < out.size()) {
    const Pending next = to_send_.back();
    to_send_.pop_back();
    const std::size_t at = std::size_t{next.lane} * limits_.workers + next.worker;
    const std::uint32_t count = std::exchange(granting_[at], 0);
    resend_[at] = false;
    if (!budget_.lane_used(next.lane)) continue;  // removed meanwhile
    Action& action = out[used++];
    action = Action{};
    action.kind = Action::Kind::kGrant;
    action.to = next.worker;
    action.lane = next.lane;
    action.grant = budget_.grant_message(next.lane, next.worker, count);
  }
}

void Engine::spend_stashes(std::span<Action> out, std::size_t& used) {
  const Tick at = to_tick(now_);
  for (std::size_t i = 0; i < stashed_.size();) {
    const LaneId lane = stashed_[i];
    while (used < out.size() && shard_.lane_used(lane) && shard_.stash(lane) > 0) {
      const std::uint32_t before = shard_.stash(lane);
      const PlaceId place = shard_.spend(lane, at);
      if (place != kNone) {
        out[used++] = release(place);
      } else if (shard_.stash(lane) == before) {
        break;  // kept for an open gate
      }
    }
    if (used == out.size() && shard_.lane_used(lane) && shard_.stash(lane) > 0) {
      ++i;
      continue;
    }
    stashed_[i] = stashed_.back();
    stashed_.pop_back();
  }
}

Action Engine::release(PlaceId place) const {
  Action action;
  action.kind = Action::Kind::kRelease;
  action.place = place;
  action.pair = shard_.pair_of(place);
  action.lane = shard_.place(action.pair).lane;
  action.generation = shard_.place(place).generation;
  return action;
}

}  // namespace sallyport::admission
