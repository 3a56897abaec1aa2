// The naive twin of the admission engine: the same rules for one worker, told without links,
// bitmaps, deltas or messages; to be read against the rules, which are numbered as in
// docs/design/0003-admission.md, "Who is next". It shares with the engine only what has tests of
// its own: Capacity, CostLedger, Presence, turn_moment() and the plain types. In four files: the
// books (1, 2), the order (4 to 6), handshakes in flight, and here what happens to attempts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "policy/admission/engine.h"
#include "tests/support/admission_naive_books.h"
#include "tests/support/admission_naive_flights.h"
#include "tests/support/admission_naive_lanes.h"

namespace sallyport::admission::test {

using namespace std::chrono_literals;

class NaiveEngine : private NaiveFlights {
 public:
  using Act = NaiveAct;

  NaiveEngine(const ConduitConfig& config, const std::vector<Engine::LaneSpec>& lanes, Instant now)
      : NaiveFlights(config), books_(config, lanes, now) {
    std::uint64_t weights = 0;
    for (const auto& spec : lanes) weights += spec.weight;
    for (const auto& spec : lanes) {
      NaiveLane lane;
      lane.slow_limit =
          std::max<std::size_t>(1, std::uint64_t{config.inflight} / 4 * spec.weight / weights);
      order_.lanes.push_back(lane);
    }
  }

  void bind(PairId id, LaneId lane, unsigned parallel) {
    NaivePair pair;
    pair.id = id;
    pair.lane = lane;
    pair.attempts.resize(parallel);
    order_.pairs.emplace(id, pair);
  }

  Verdict arrive(PairId id, const Arrival& arrival, Instant now) {
    const Tick at = to_tick(now);
    NaivePair& pair = order_.pairs.at(id);
    NaiveAttempt* attempt = nullptr;
    for (NaiveAttempt& a : pair.attempts) {
      if (a.state != PlaceState::kFree && a.syn.same_attempt(arrival.syn) && attempt == nullptr)
        attempt = &a;
    }
    if (attempt != nullptr) {
      if (in_flight(attempt->state)) return Verdict::kPass;
      retry(pair, *attempt, arrival, at);
      if (pair.queued && !pair.gate_open) return Verdict::kHold;
    } else {
      attempt = start(pair, arrival, at);
      if (attempt == nullptr) return Verdict::kFull;
    }
    const bool quiet = order_.empty() && books_.demand() == 0;
    if (rate_allows(pair, at) && (pair.gate_open || quiet) &&
        (books_.fill(now), books_.may_start(in_flight_total(), now))) {
      books_.pay(pair.lane, now);
      books_.leave_if_idle(pair.lane);
      launch(pair, *attempt, at);
      active_ = true;
      return Verdict::kPass;
    }
    if (!pair.queued && !pair.gate_open) order_.enqueue(pair, at);
    return Verdict::kHold;
  }

  bool asks(PlaceId place, Handshake kind) {
    auto [pair, attempt] = find(place);
    if (!in_flight(attempt->state)) return false;
    foresee(*pair, *attempt, kind);
    return true;
  }

  bool progress(PlaceId place, Progress what, Handshake kind, Duration server_time, Instant now) {
    auto [pair, attempt] = find(place);
    if (!in_flight(attempt->state)) return false;
    if (what == Progress::kServerHello && attempt->state != PlaceState::kReplied)
      reply(*pair, *attempt, kind, server_time, to_tick(now));
    const PlaceState reached = what == Progress::kServerAnswered ? PlaceState::kAnswered
                               : what == Progress::kClientHello  ? PlaceState::kHello
                                                                 : PlaceState::kReplied;
    if (what != Progress::kClientHello) note(pair->lane).sample.server_signs += 1;
    if (works(reached) && !works(attempt->state)) show_up(*pair, *attempt, to_tick(now));
    attempt->state = std::max(attempt->state, reached);
    return true;
  }

  bool finished(PlaceId place, Outcome outcome, Handshake kind, Duration server_time, Instant now) {
    auto [pair, attempt] = find(place);
    if (!in_flight(attempt->state)) return false;
    const Tick at = to_tick(now);
    NaiveLane& lane = order_.lanes[pair->lane];
    NaiveBooks::Statement& told = note(pair->lane);
    const Tick age = attempt->newest - attempt->started;
    const Tick flight = std::max<Tick>(1, at - attempt->newest);
    if (outcome == Outcome::kEstablished) {
      if (attempt->state != PlaceState::kReplied) reply(*pair, *attempt, kind, server_time, at);
      if (!works(attempt->state)) show_up(*pair, *attempt, at);
      attempt->state = PlaceState::kReplied;
      pair->kind = kind;
    }
    if (!works(attempt->state)) spare(pair->lane, *attempt);
    if (outcome == Outcome::kEstablished) {
      ++told.sample.server_signs;
      ++told.sample.established;
      told.sample.flight_time_us += in_us(flight);
      lane.flight16 = lane.flight16 - lane.flight16 / 16 + flight;
      pair->seen_at = std::max(pair->seen_at, age_code(age));
      lane.presence.was_there(age);
      pair->senior = false;
      pair->since = at;
    } else if (outcome == Outcome::kServerFailed) {
      ++told.sample.failed;
      pair->served_round.reset();
    } else if (outcome == Outcome::kClientFailed) {
      ++told.sample.server_signs;
      pair->senior = false;
      pair->since = at;
    } else if (outcome == Outcome::kClientLeft) {
      if (attempt->state >= PlaceState::kAnswered) ++told.sample.server_signs;
      if (attempt->state == PlaceState::kHello) --told.sample.hellos;
      gone(*pair, at - attempt->started, true);
      pair->served_round.reset();
    } else {
      gone(*pair, age, false);
    }
    land(*pair, *attempt);
    return true;
  }

  // Everything that happens in one poll, in order.
  std::vector<Act> poll(Instant now) {
    const Tick at = to_tick(now);
    std::vector<Act> acts;
    sweep(at, acts);
    settle(now);
    if (!active_) return acts;
    books_.fill(now);
    books_.capacity().tick(in_flight_total(), in_flight_total() - books_.slow(), now);
    books_.fill(now);
    while (books_.demand() > 0 && books_.may_start(in_flight_total(), now)) {
      const auto lane = books_.next_lane();
      if (!lane) break;
      books_.pay(*lane, now);
      if (NaiveAttempt* attempt = choose(*lane, at)) {
        acts.push_back({false, {}, place_of(*attempt)});
        launch(*owner_, *attempt, at);
      } else {
        books_.undo(*lane);
      }
      books_.leave_if_idle(*lane);
    }
    if (books_.demand() > 0) {
      books_.capacity().held_back();
    } else {
      books_.forgive();
      books_.capacity().starved();
    }
    if (books_.demand() == 0 && in_flight_total() == 0) active_ = false;
    return acts;
  }

  std::uint32_t in_flight_total() const {
    std::uint32_t n = 0;
    for (const auto& [id, pair] : order_.pairs)
      for (const NaiveAttempt& a : pair.attempts) n += in_flight(a.state) ? 1 : 0;
    return n + landed_;  // what has ended since the last poll is not in the books yet
  }
  const Capacity& capacity() const { return books_.capacity(); }

 private:
  std::pair<NaivePair*, NaiveAttempt*> find(PlaceId place) {
    auto it = std::prev(order_.pairs.upper_bound(place));
    return {&it->second, &it->second.attempts.at(place - it->first)};
  }
  void retry(NaivePair& pair, NaiveAttempt& attempt, const Arrival& arrival, Tick at) {
    const std::int32_t silent =
        std::clamp<std::int32_t>(tick_diff(at, attempt.newest) / 16, 0, 0xffff);
    attempt.interval16 = std::max(attempt.interval16, static_cast<Tick>(silent));
    attempt.retried = true;
    attempt.newest = at;
    attempt.syn = arrival.syn;
    attempt.holdable = arrival.holdable;
    attempt.state = arrival.holdable ? PlaceState::kWaiting : PlaceState::kGate;
    const Tick age = at - attempt.started;
    const AgeCode code = age_code(age);
    pair.seen_at = std::max(pair.seen_at, code);
    if (code >= pair.gone_at) pair.gone_at = 0;
    Presence& presence = order_.lanes[pair.lane].presence;
    if (age >= presence.edge()) presence.was_there(age);
  }

  static NaiveAttempt* start(NaivePair& pair, const Arrival& arrival, Tick at) {
    NaiveAttempt* chosen = nullptr;
    bool recent = false;
    for (NaiveAttempt& a : pair.attempts) {
      if (a.state != PlaceState::kFree &&
          tick_diff(at, a.newest) <= static_cast<std::int32_t>(ticks(kPlaceKept)))
        recent = true;
    }
    for (NaiveAttempt& a : pair.attempts)  // the first free one
      if (a.state == PlaceState::kFree && chosen == nullptr) chosen = &a;
    if (chosen == nullptr) {
      for (NaiveAttempt& a : pair.attempts)  // else the first of those silent the longest
        if (waits(a.state) && (chosen == nullptr || tick_diff(chosen->newest, a.newest) > 0))
          chosen = &a;
    }
    if (chosen == nullptr) return nullptr;
    if (!pair.senior ||
        (tick_diff(at, pair.since) > static_cast<std::int32_t>(ticks(kPlaceKept)) && !recent)) {
      pair.since = at;
      pair.senior = true;
    }
    *chosen = NaiveAttempt{};
    chosen->syn = arrival.syn;
    chosen->started = chosen->newest = at;
    chosen->holdable = arrival.holdable;
    chosen->state = arrival.holdable ? PlaceState::kWaiting : PlaceState::kGate;
    return chosen;
  }

  Tick turn_interval() const {
    return config_.per_device_per_s == 0
               ? 0
               : std::max<Tick>(1, ticks(Duration(1s)) / config_.per_device_per_s);
  }
  Tick turn_burst(const NaivePair& pair) const {
    return turn_interval() * static_cast<Tick>(pair.attempts.size() - 1);
  }
  bool rate_allows(const NaivePair& pair, Tick at) const {
    if (turn_interval() == 0 || !pair.next_turn) return true;
    return tick_diff(*pair.next_turn, at) <= static_cast<std::int32_t>(turn_burst(pair));
  }

  NaiveAttempt* choose(LaneId lane, Tick at) {
    order_.lanes[lane].dirty = true;
    for (int looks = 0; looks < 64; ++looks) {
      NaivePair* pair = order_.dequeue(lane);
      if (pair == nullptr) return nullptr;
      NaiveAttempt* attempt = pair->newest_waiting();
      if (attempt == nullptr) continue;
      if (!rate_allows(*pair, at)) {
        order_.set_timer(*pair, *pair->next_turn - turn_burst(*pair) - at, at);
      } else if (order_.presumed_gone(*pair, *attempt, at)) {
        continue;
      } else if (attempt->state == PlaceState::kGate) {
        pair->gate_open = true;
        order_.set_timer(*pair, kNone, at);
      } else {
        owner_ = pair;
        return attempt;
      }
    }
    return nullptr;
  }

  void launch(NaivePair& pair, NaiveAttempt& attempt, Tick at) {
    NaiveLane& lane = order_.lanes[pair.lane];
    attempt.state = PlaceState::kReleased;
    attempt.newest = at;
    attempt.slow = false;
    attempt.joined = order_.next();
    attempt.expected = pair.kind ? config_.cost[static_cast<std::size_t>(*pair.kind)]
                                 : static_cast<std::uint8_t>((lane.usual256 + 128) / 256);
    ++note(pair.lane).taken;
    note(pair.lane).expected += attempt.expected;
    pair.gate_open = false;
    pair.served_round = lane.round;
    if (turn_interval() != 0) {
      const Tick from = pair.next_turn && tick_diff(*pair.next_turn, at) > 0 ? *pair.next_turn : at;
      pair.next_turn = from + turn_interval();
    }
    bool more = false;
    for (NaiveAttempt& other : pair.attempts) {
      if (!waits(other.state)) continue;
      if (tick_diff(other.newest, attempt.started) < 0) {
        other.state = PlaceState::kFree;
      } else {
        more = true;
      }
    }
    if (more && !pair.queued) order_.enqueue(pair, at);
  }

  void sweep(Tick at, std::vector<Act>& acts) {
    if (at == swept_) return;
    swept_ = at;
    run_timer(at);
    if (tick_diff(at, faded_) >= static_cast<std::int32_t>(ticks(Duration(64s)))) {
      faded_ = at;
      for (NaiveLane& lane : order_.lanes) lane.presence.fade();
    }
    sweep_flights(at, acts);
  }

  void run_timer(Tick at) {
    while (NaivePair* pair = order_.due(at)) {
      if (!pair->gate_open) {
        order_.enqueue(*pair, at);
        continue;
      }
      const NaiveAttempt* newest = pair->newest_waiting();
      if (newest == nullptr || NaiveOrder::silent_too_long(*newest, at)) {
        pair->gate_open = false;
        order_.lanes[pair->lane].dirty = true;
      } else {
        order_.set_timer(*pair, kNone, at);
      }
    }
  }

  void settle(Instant now) {
    for (std::size_t i = 0; i < order_.lanes.size(); ++i) {
      const auto id = static_cast<LaneId>(i);
      NaiveLane& lane = order_.lanes[id];
      if (!lane.dirty) continue;
      lane.dirty = false;
      NaiveBooks::Statement told = std::exchange(lane.unsettled, NaiveBooks::Statement{});
      landed_ -= told.returned;
      told.waiting = order_.waiting(id);
      for (auto& [pid, pair] : order_.pairs) {
        if (pair.lane != id) continue;
        for (const NaiveAttempt& a : pair.attempts) {
          told.in_flight += in_flight(a.state) ? 1 : 0;
          told.slow += in_flight(a.state) && a.slow ? 1 : 0;
        }
      }
      books_.settle(id, told, now);
      if (books_.demand() > 0 || in_flight_total() > 0) active_ = true;
    }
  }

  NaiveBooks books_;
  NaivePair* owner_ = nullptr;
  Tick swept_ = 0, faded_ = 0;
  bool active_ = false;
};

}  // namespace sallyport::admission::test
