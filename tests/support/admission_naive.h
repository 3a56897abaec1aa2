// The naive twin of the admission engine: the same rules for one worker, told with plain vectors
// and linear searches, without links, bitmaps, deltas or messages. Slow and plain on purpose, and
// long because it is in one file, to be read against the rules from top to bottom. It
// shares with the engine only what has tests of its own: Capacity, CostLedger, Presence and the
// plain types.
//
// Rules are numbered as in docs/design/0003-admission.md, "Who is next".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "policy/admission/capacity.h"
#include "policy/admission/engine.h"
#include "policy/admission/presence.h"

namespace sallyport::admission::test {

using namespace std::chrono_literals;

class NaiveEngine {
 public:
  struct Act {
    bool cut = false;
    Cut why = Cut::kUnanswered;
    PlaceId place = kNone;
    friend bool operator==(const Act&, const Act&) = default;
  };

  NaiveEngine(const ConduitConfig& config, const std::vector<Engine::LaneSpec>& lanes, Instant now)
      : config_(config),
        capacity_(config.rate_per_s, config.inflight - config.inflight / 4, config.cost, now),
        filled_(now) {
    std::uint64_t weights = 0;
    for (const auto& spec : lanes) weights += spec.weight;
    for (const auto& spec : lanes) {
      Lane lane;
      lane.weight = spec.weight;
      lane.priority = spec.priority;
      lane.slow_limit =
          std::max<std::size_t>(1, std::uint64_t{config.inflight} / 4 * spec.weight / weights);
      lanes_.push_back(lane);
    }
  }

  void bind(PairId id, LaneId lane, unsigned parallel) {
    Pair pair;
    pair.id = id;
    pair.lane = lane;
    pair.attempts.resize(parallel);
    pairs_.emplace(id, pair);
  }

  Verdict arrive(PairId id, const Arrival& arrival, Instant now) {
    const Tick at = to_tick(now);
    Pair& pair = pairs_.at(id);
    Attempt* attempt = nullptr;
    for (Attempt& a : pair.attempts) {
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
    const bool quiet = queue_.empty() && demand_total() == 0;
    if (rate_allows(pair, at) && (pair.gate_open || quiet) && (fill(now), may_start(now))) {
      pay(lanes_[pair.lane], now);
      ++lanes_[pair.lane].given;
      if (lanes_[pair.lane].demand() == 0) leave_ring(lanes_[pair.lane]);
      launch(pair, *attempt, at);
      active_ = true;
      return Verdict::kPass;
    }
    if (!pair.queued && !pair.gate_open) enqueue(pair, at);
    return Verdict::kHold;
  }

  bool progress(PlaceId place, Progress what, Handshake kind, Duration server_time, Instant now) {
    auto [pair, attempt] = find(place);
    if (!in_flight(attempt->state)) return false;
    if (what == Progress::kServerHello && attempt->state != PlaceState::kReplied)
      reply(*pair, *attempt, kind, server_time, to_tick(now));
    const PlaceState reached = what == Progress::kServerAnswered ? PlaceState::kAnswered
                               : what == Progress::kClientHello  ? PlaceState::kHello
                                                                 : PlaceState::kReplied;
    if (what != Progress::kClientHello) note(pair->lane).server_signs += 1;
    attempt->state = std::max(attempt->state, reached);
    return true;
  }

  bool finished(PlaceId place, Outcome outcome, Handshake kind, Duration server_time, Instant now) {
    auto [pair, attempt] = find(place);
    if (!in_flight(attempt->state)) return false;
    const Tick at = to_tick(now);
    Lane& lane = lanes_[pair->lane];
    Capacity::Sample& sample = note(pair->lane);
    const Tick age = attempt->newest - attempt->started;
    const Tick flight = std::max<Tick>(1, at - attempt->newest);
    if (outcome == Outcome::kEstablished && attempt->state != PlaceState::kReplied)
      reply(*pair, *attempt, kind, server_time, at);
    const bool worked = attempt->state >= PlaceState::kHello;
    if (outcome == Outcome::kEstablished || worked) {
      lane.unsettled_cost += config_.cost[static_cast<std::size_t>(kind)];
    } else {
      ++sample.unused;
    }
    if (outcome == Outcome::kEstablished) {
      ++sample.server_signs;
      ++sample.established;
      sample.flight_time_us += (std::uint64_t{flight} << kTickShift) / 1000;
      lane.flight16 = lane.flight16 - lane.flight16 / 16 + flight;
      pair->seen_at = std::max(pair->seen_at, age_code(age));
      lane.presence.was_there(age);
      pair->senior = false;
      pair->since = at;
    } else if (outcome == Outcome::kServerFailed) {
      ++sample.failed;
      pair->served_round.reset();
    } else if (outcome == Outcome::kClientFailed) {
      ++sample.server_signs;
      pair->senior = false;
      pair->since = at;
    } else if (outcome == Outcome::kClientLeft) {
      if (attempt->state >= PlaceState::kAnswered) ++sample.server_signs;
      gone(*pair, age, true);
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
    fill(now);
    std::uint32_t slow = 0;
    for (const Lane& lane : lanes_) slow += lane.booked_slow;
    capacity_.tick(in_flight_total() - slow, now);
    while (demand_total() > 0 && may_start(now)) {
      Lane* lane = next_lane();
      if (lane == nullptr) break;
      pay(*lane, now);
      if (Attempt* attempt = choose(*lane, at)) {
        acts.push_back({false, {}, place_of(*attempt)});
        ++lane->given;
        launch(*owner_, *attempt, at);
      } else {  // nobody was there: as if it had not been given
        lane->costs.undo();
        tokens_ += lane->costs.price() * kNanos;
        lane->deficit += lane->costs.price();
        lane->reported = 0;
      }
      if (lane->demand() == 0) leave_ring(*lane);
    }
    if (demand_total() > 0) capacity_.held_back();
    if (demand_total() == 0 && in_flight_total() == 0) active_ = false;
    return acts;
  }

  std::uint32_t in_flight_total() const {
    std::uint32_t n = 0;
    for (const auto& [id, pair] : pairs_)
      for (const Attempt& a : pair.attempts) n += in_flight(a.state) ? 1 : 0;
    return n + landed_;  // what has ended since the last poll is not in the books yet
  }
  const Capacity& capacity() const { return capacity_; }

 private:
  static constexpr std::int64_t kNanos = 1'000'000'000;
  static constexpr std::int64_t kTurn = std::int64_t{kFullCost} * kNanos;

  struct Attempt {
    PlaceState state = PlaceState::kFree;
    SynImage syn;
    Tick started = 0, newest = 0, interval16 = 0;
    bool retried = false, holdable = true, slow = false;
    std::uint64_t launched = 0;  // order of release
    std::uint64_t slowed = 0;    // order of becoming slow
  };
  struct Pair {
    PairId id = 0;
    LaneId lane = 0;
    std::vector<Attempt> attempts;
    bool queued = false, gate_open = false;
    std::optional<Tick> timer, next_turn;
    bool senior = false;
    Tick since = 0;
    std::optional<std::uint16_t> served_round;
    AgeCode seen_at = 0, gone_at = 0;
    std::uint64_t timer_order = 0;
  };
  struct Entry {  // of the order: rule 5
    PairId pair = 0;
    LaneId lane = 0;
    bool next_round = false;
    std::int64_t cohort = 0, bucket = 0;
    std::uint64_t order = 0;
  };
  struct Lane {
    std::uint16_t weight = 1;
    std::uint8_t priority = 0;
    std::size_t slow_limit = 1;
    Presence presence;
    std::uint16_t round = 1;
    std::int64_t first_cohort[2] = {0, 0};  // of this round's order and the next one's
    unsigned current = 0;
    std::uint32_t flight16 = 16 * 48;
    // What the budget knows of it: as of the last settling, and given since.
    std::uint32_t reported = 0, given = 0;
    std::uint32_t booked_in_flight = 0, booked_slow = 0;
    std::int64_t deficit = 0;
    bool dirty = true;
    Capacity::Sample unsettled{};
    std::uint64_t unsettled_cost = 0;
    CostLedger costs;
    std::uint32_t unsettled_returns = 0;
    std::uint32_t demand() const { return reported > given ? reported - given : 0; }
    Tick slow_after() const { return std::max(flight16 / 4, ticks(kSlowAtLeast)); }
  };

  PlaceId place_of(const Attempt& attempt) const {
    for (const auto& [id, pair] : pairs_)
      for (std::size_t i = 0; i < pair.attempts.size(); ++i)
        if (&pair.attempts[i] == &attempt) return id + static_cast<PlaceId>(i);
    return kNone;
  }
  std::pair<Pair*, Attempt*> find(PlaceId place) {
    auto it = std::prev(pairs_.upper_bound(place));
    return {&it->second, &it->second.attempts.at(place - it->first)};
  }
  LaneId lane_id(const Lane& lane) const { return static_cast<LaneId>(&lane - lanes_.data()); }
  Capacity::Sample& note(LaneId lane) {
    lanes_[lane].dirty = true;
    return lanes_[lane].unsettled;
  }
  void land(Pair& pair, Attempt& attempt) {
    attempt.state = PlaceState::kFree;
    attempt.slow = false;
    lanes_[pair.lane].dirty = true;
    ++lanes_[pair.lane].unsettled_returns;
    ++landed_;
  }

  void reply(const Pair& pair, const Attempt& attempt, Handshake kind, Duration server_time,
             Tick at) {
    Capacity::Sample& sample = note(pair.lane);
    ++sample.replied[static_cast<std::size_t>(kind)];
    sample.server_time_us[static_cast<std::size_t>(kind)] +=
        static_cast<std::uint64_t>(server_time.count() / 1000);
    sample.reply_time_us +=
        (std::uint64_t{std::max<Tick>(1, at - attempt.newest)} << kTickShift) / 1000;
  }

  static bool silent_too_long(const Attempt& a, Tick at) {
    const Tick within =
        a.retried ? a.interval16 * 56 + ticks(Duration(500ms)) : ticks(Duration(70s));
    return tick_diff(at, a.newest) > static_cast<std::int32_t>(within);
  }

  void retry(Pair& pair, Attempt& attempt, const Arrival& arrival, Tick at) {
    attempt.interval16 =
        static_cast<Tick>(std::clamp<std::int32_t>(tick_diff(at, attempt.newest) / 16, 1, 0xffff));
    attempt.retried = true;
    attempt.newest = at;
    attempt.syn = arrival.syn;
    attempt.holdable = arrival.holdable;
    attempt.state = arrival.holdable ? PlaceState::kWaiting : PlaceState::kGate;
    const Tick age = at - attempt.started;
    const AgeCode code = age_code(age);
    pair.seen_at = std::max(pair.seen_at, code);
    if (code >= pair.gone_at) pair.gone_at = 0;
    Presence& presence = lanes_[pair.lane].presence;
    if (age >= presence.edge()) presence.was_there(age);
  }

  Attempt* start(Pair& pair, const Arrival& arrival, Tick at) {
    Attempt* chosen = nullptr;
    bool recent = false;
    for (Attempt& a : pair.attempts) {
      if (a.state != PlaceState::kFree &&
          tick_diff(at, a.newest) <= static_cast<std::int32_t>(ticks(kPlaceKept)))
        recent = true;
    }
    for (Attempt& a : pair.attempts)  // the first free one
      if (a.state == PlaceState::kFree && chosen == nullptr) chosen = &a;
    if (chosen == nullptr) {
      for (Attempt& a : pair.attempts)  // else the first of those silent the longest
        if (waits(a.state) && (chosen == nullptr || tick_diff(chosen->newest, a.newest) > 0))
          chosen = &a;
    }
    if (chosen == nullptr) return nullptr;
    if (!pair.senior ||
        (tick_diff(at, pair.since) > static_cast<std::int32_t>(ticks(kPlaceKept)) && !recent)) {
      pair.since = at;
      pair.senior = true;
    }
    *chosen = Attempt{};
    chosen->syn = arrival.syn;
    chosen->started = chosen->newest = at;
    chosen->holdable = arrival.holdable;
    chosen->state = arrival.holdable ? PlaceState::kWaiting : PlaceState::kGate;
    return chosen;
  }

  static Attempt* newest_waiting(Pair& pair) {
    Attempt* newest = nullptr;
    for (Attempt& a : pair.attempts)
      if (waits(a.state) && (newest == nullptr || tick_diff(a.newest, newest->newest) > 0))
        newest = &a;
    return newest;
  }

  // The window of deadlines of one cohort begins at the present or at its earliest entry.
  std::int64_t cursor(LaneId lane, bool next_round, std::int64_t cohort, Tick at) const {
    std::int64_t first = at >> TurnQueue::kBucketShift;
    for (const Entry& e : queue_)
      if (e.lane == lane && e.next_round == next_round && e.cohort == cohort)
        first = std::min(first, e.bucket);
    return first;
  }

  void enqueue(Pair& pair, Tick at) {
    Attempt* newest = newest_waiting(pair);
    if (newest == nullptr) return;
    Lane& lane = lanes_[pair.lane];
    const Tick patience = pair.gone_at != 0 ? age_of(static_cast<AgeCode>(pair.gone_at + 1))
                          : lane.presence.edge() != kNone ? lane.presence.edge()
                                                          : ticks(Duration(127s));
    Entry e;
    e.pair = pair.id;
    e.lane = pair.lane;
    e.next_round = pair.served_round == lane.round;
    std::int64_t& first = lane.first_cohort[lane.current ^ (e.next_round ? 1U : 0U)];
    const std::int64_t wanted = pair.since >> TurnQueue::kCohortShift;
    const bool empty = std::ranges::none_of(queue_, [&](const Entry& other) {
      return other.lane == e.lane && other.next_round == e.next_round;
    });
    if (empty) first = wanted;
    e.cohort = std::clamp<std::int64_t>(wanted, first, first + TurnQueue::kCohorts - 1);
    const std::int64_t from = cursor(e.lane, e.next_round, e.cohort, at);
    e.bucket = std::clamp<std::int64_t>((newest->started + patience) >> TurnQueue::kBucketShift,
                                        from, from + TurnQueue::kBuckets - 1);
    e.order = ++order_;
    queue_.push_back(e);
    pair.queued = true;
    lane.dirty = true;
  }

  // Rules 4 and 5.
  Pair* dequeue(Lane& lane) {
    const LaneId id = lane_id(lane);
    const auto of_round = [&](bool next) {
      return std::ranges::any_of(
          queue_, [&](const Entry& e) { return e.lane == id && e.next_round == next; });
    };
    if (!of_round(false)) {
      if (!of_round(true)) return nullptr;
      for (Entry& e : queue_)
        if (e.lane == id) e.next_round = false;
      lane.current ^= 1U;
      ++lane.round;
    }
    auto best = queue_.end();
    for (auto it = queue_.begin(); it != queue_.end(); ++it) {
      if (it->lane != id || it->next_round) continue;
      if (best == queue_.end() || it->cohort < best->cohort ||
          (it->cohort == best->cohort &&
           (it->bucket < best->bucket || (it->bucket == best->bucket && it->order < best->order))))
        best = it;
    }
    lane.first_cohort[lane.current] = best->cohort;
    Pair& pair = pairs_.at(best->pair);
    queue_.erase(best);
    pair.queued = false;
    return &pair;
  }

  bool presumed_gone(const Lane& lane, const Pair& pair, const Attempt& a, Tick at) const {
    if (tick_diff(at, a.newest) < static_cast<std::int32_t>(ticks(Duration(400ms)))) return false;
    if (silent_too_long(a, at)) return true;
    const Tick age = at - a.started;
    if (pair.gone_at != 0 && age_code(age) > pair.gone_at) return true;
    if (age_code(age) < pair.seen_at) return false;
    return age + lane.flight16 / 16 >= lane.presence.edge();
  }

  Tick turn_interval() const {
    return config_.per_device_per_s == 0
               ? 0
               : std::max<Tick>(1, ticks(Duration(1s)) / config_.per_device_per_s);
  }
  bool rate_allows(const Pair& pair, Tick at) const {
    if (turn_interval() == 0 || !pair.next_turn) return true;
    return tick_diff(*pair.next_turn, at) <=
           static_cast<std::int32_t>(turn_interval() * (pair.attempts.size() - 1));
  }

  void set_timer(Pair& pair, Tick wait, Tick at) {
    pair.timer = (at + std::clamp<Tick>(wait, 16, 63 * 16)) >> 4;
    pair.timer_order = ++order_;
    pair.queued = true;
  }

  Attempt* choose(Lane& lane, Tick at) {
    lane.dirty = true;
    for (int looks = 0; looks < 64; ++looks) {
      Pair* pair = dequeue(lane);
      if (pair == nullptr) return nullptr;
      Attempt* attempt = newest_waiting(*pair);
      if (attempt == nullptr) continue;
      if (!rate_allows(*pair, at)) {
        set_timer(
            *pair,
            *pair->next_turn - at - turn_interval() * static_cast<Tick>(pair->attempts.size() - 1),
            at);
      } else if (presumed_gone(lane, *pair, *attempt, at)) {
        continue;
      } else if (attempt->state == PlaceState::kGate) {
        pair->gate_open = true;
        set_timer(*pair, kNone, at);
      } else {
        owner_ = pair;
        return attempt;
      }
    }
    return nullptr;
  }

  void launch(Pair& pair, Attempt& attempt, Tick at) {
    Lane& lane = lanes_[pair.lane];
    attempt.state = PlaceState::kReleased;
    attempt.newest = at;
    attempt.slow = false;
    attempt.launched = ++order_;
    pair.gate_open = false;
    pair.served_round = lane.round;
    if (turn_interval() != 0) {
      const Tick from = pair.next_turn && tick_diff(*pair.next_turn, at) > 0 ? *pair.next_turn : at;
      pair.next_turn = from + turn_interval();
    }
    bool more = false;
    for (Attempt& other : pair.attempts) {
      if (!waits(other.state)) continue;
      if (tick_diff(other.newest, attempt.started) < 0) {
        other.state = PlaceState::kFree;
      } else {
        more = true;
      }
    }
    if (more && !pair.queued) enqueue(pair, at);
    lane.dirty = true;
  }

  void gone(Pair& pair, Tick age, bool of_lane) {
    const AgeCode code = age_code(age);
    if (code == 0) return;
    if (of_lane && (pair.gone_at == 0 || code < pair.gone_at))
      lanes_[pair.lane].presence.was_gone(age);
    if (pair.gone_at == 0 || code < pair.gone_at) pair.gone_at = code;
    pair.seen_at = std::min(pair.seen_at, code);
  }

  void sweep(Tick at, std::vector<Act>& acts) {
    if (at == swept_) return;
    swept_ = at;
    run_timer(at);
    if (tick_diff(at, faded_) >= static_cast<std::int32_t>(ticks(Duration(8s)))) {
      faded_ = at;
      for (Lane& lane : lanes_) lane.presence.fade();
    }
    for (Lane& lane : lanes_) {
      std::vector<std::pair<Pair*, Attempt*>> fresh, slow;
      for (auto& [id, pair] : pairs_) {
        if (pair.lane != lane_id(lane)) continue;
        for (Attempt& a : pair.attempts)
          if (in_flight(a.state)) (a.slow ? slow : fresh).push_back({&pair, &a});
      }
      std::ranges::sort(fresh, {}, [](auto& f) { return f.second->launched; });
      for (auto& [pair, a] : fresh) {
        if (tick_diff(at, a->newest) < static_cast<std::int32_t>(lane.slow_after())) break;
        a->slow = true;
        a->slowed = ++order_;
        slow.push_back({pair, a});
        lane.dirty = true;
      }
      std::ranges::sort(slow, {}, [](auto& s) { return s.second->slowed; });
      std::size_t left = slow.size();
      if (left == 0 || ((at & 31U) != 0 && left <= lane.slow_limit)) continue;
      for (auto& [pair, a] : slow) {
        if (const auto why = overdue(lane, *a, left > lane.slow_limit, at)) {
          acts.push_back({true, *why, place_of(*a)});
          --left;
          take_back(*pair, *a, *why, at);
        }
      }
    }
  }

  std::optional<Cut> overdue(const Lane& lane, const Attempt& a, bool crowded, Tick at) const {
    const Tick age = at - a.newest;
    const Tick usual = lane.slow_after();
    if (a.state == PlaceState::kReleased && age > std::max(ticks(kAnswerWithin), usual))
      return Cut::kUnanswered;
    if (a.state == PlaceState::kAnswered && (crowded || age > std::max(ticks(kShowWithin), usual)))
      return Cut::kNoShow;
    if (age > ticks(config_.handshake_timeout + kReclaimAfter)) return Cut::kTooSlow;
    if (crowded && age > std::max(ticks(kSlowTolerated), usual)) return Cut::kTooSlow;
    return std::nullopt;
  }

  void take_back(Pair& pair, Attempt& a, Cut why, Tick at) {
    const Tick age = a.newest - a.started;
    if (a.state >= PlaceState::kHello) {
      lanes_[pair.lane].unsettled_cost += kFullCost;
    } else {
      ++note(pair.lane).unused;
    }
    land(pair, a);
    if (why == Cut::kUnanswered) {
      a.state = a.holdable ? PlaceState::kWaiting : PlaceState::kGate;
      pair.served_round.reset();
      if (!pair.queued) enqueue(pair, at);
    } else if (why == Cut::kNoShow) {
      gone(pair, age, false);
    }
  }

  void run_timer(Tick at) {
    const Tick present = at >> 4;
    for (;;) {
      Pair* first = nullptr;
      for (auto& [id, pair] : pairs_) {
        if (!pair.timer || tick_diff(*pair.timer, present) > 0) continue;
        if (first == nullptr || *pair.timer < *first->timer ||
            (*pair.timer == *first->timer && pair.timer_order > first->timer_order))
          first = &pair;
      }
      if (first == nullptr) return;
      first->timer.reset();
      first->queued = false;
      if (!first->gate_open) {
        enqueue(*first, at);
      } else {
        Attempt* newest = newest_waiting(*first);
        if (newest == nullptr || silent_too_long(*newest, at)) {
          first->gate_open = false;
          lanes_[first->lane].dirty = true;
        } else {
          set_timer(*first, kNone, at);
        }
      }
    }
  }

  // What the lanes have to tell reaches the books.
  void settle(Instant now) {
    for (Lane& lane : lanes_) {
      if (!lane.dirty) continue;
      lane.dirty = false;
      const Capacity::Sample s = std::exchange(lane.unsettled, Capacity::Sample{});
      const std::uint32_t returns = std::exchange(lane.unsettled_returns, 0);
      const auto settled =
          lane.costs.settle(returns - s.unused, s.unused, std::exchange(lane.unsettled_cost, 0));
      landed_ -= returns;
      fill(now);
      const std::int64_t most = bucket_size();
      repay_ = std::min(repay_ + settled.unused * kNanos,
                        static_cast<std::int64_t>(capacity_.rate16()) * kNanos);
      tokens_ = std::clamp(tokens_ + settled.change * kNanos, -most, most);
      lane.deficit =
          std::clamp<std::int64_t>(lane.deficit + settled.change + settled.unused,
                                   -64 * std::int64_t{kFullCost}, 64 * std::int64_t{kFullCost});
      capacity_.learn(s, now);
      const LaneId id = lane_id(lane);
      lane.reported = static_cast<std::uint32_t>(
          std::ranges::count_if(queue_, [&](const Entry& e) { return e.lane == id; }));
      lane.given = 0;
      lane.booked_in_flight = lane.booked_slow = 0;
      for (auto& [pid, pair] : pairs_) {
        if (pair.lane != id) continue;
        for (const Attempt& a : pair.attempts) {
          lane.booked_in_flight += in_flight(a.state) ? 1 : 0;
          lane.booked_slow += in_flight(a.state) && a.slow ? 1 : 0;
        }
      }
      const bool ringed = std::ranges::count(ring_, id) > 0;
      if (lane.demand() > 0 && !ringed) {
        lane.deficit = std::min<std::int64_t>(lane.deficit, 0);
        ring_.push_back(id);
      }
      if (lane.demand() == 0 && ringed) leave_ring(lane);
      if (demand_total() > 0 || in_flight_total() > 0) active_ = true;
    }
  }

  std::uint32_t demand_total() const {
    std::uint32_t n = 0;
    for (const Lane& lane : lanes_) n += lane.demand();
    return n;
  }
  std::int64_t bucket_size() const {
    const auto rate = static_cast<std::int64_t>(capacity_.rate16());
    return std::max(kTurn + rate * Budget::kPollSlack.count(), rate * Budget::kBurst.count());
  }
  void fill(Instant now) {
    const std::int64_t elapsed = std::clamp<std::int64_t>((now - filled_).count(), 0, kNanos);
    filled_ = now;
    const std::int64_t earned = static_cast<std::int64_t>(capacity_.rate16()) * elapsed;
    const std::int64_t repaid = std::min(repay_, earned / Budget::kRepayShare);
    repay_ -= repaid;
    tokens_ = std::min(tokens_ + earned + repaid, bucket_size());
  }
  bool may_start(Instant now) {
    const std::uint32_t flying = in_flight_total();
    if (flying >= config_.inflight) return false;
    if (capacity_.probe_due(now)) return true;
    std::uint32_t slow = 0;
    for (const Lane& lane : lanes_) slow += lane.booked_slow;
    return tokens_ >= kTurn && flying - slow < capacity_.window();
  }
  void pay(Lane& lane, Instant now) {
    tokens_ -= lane.costs.price() * kNanos;
    lane.deficit -= lane.costs.price();
    lane.costs.charge();
    capacity_.granted(1, now);
    const LaneId id = lane_id(lane);
    auto first = std::ranges::find_if(
        ring_, [&](LaneId other) { return lanes_[other].priority == lane.priority; });
    if (first != ring_.end() && *first == id && lane.deficit < kFullCost) {
      ring_.erase(first);
      ring_.push_back(id);
    }
  }
  void leave_ring(Lane& lane) { std::erase(ring_, lane_id(lane)); }

  // Rules 1 and 2. `ring_` holds every waiting lane; those of one priority in the order of service.
  Lane* next_lane() {
    std::vector<std::uint8_t> priorities;
    for (const LaneId id : ring_) priorities.push_back(lanes_[id].priority);
    std::ranges::sort(priorities);
    const auto repeated = std::ranges::unique(priorities);
    priorities.erase(repeated.begin(), repeated.end());
    std::size_t from = 0;
    if (priorities.size() > 1 && ++since_leak_ >= Budget::kLeakEvery) {
      since_leak_ = 0;
      from = 1;
    }
    std::uint64_t weights = 0;
    for (const LaneId id : ring_) weights += lanes_[id].weight;
    for (std::size_t p = from; p < priorities.size(); ++p) {
      std::vector<LaneId> members;
      for (const LaneId id : ring_)
        if (lanes_[id].priority == priorities[p]) members.push_back(id);
      for (std::size_t without_room = 0; without_room < members.size();) {
        Lane& lane = lanes_[members.front()];
        const std::uint64_t share = std::uint64_t{config_.inflight} * lane.weight / weights;
        if (weights != lane.weight &&
            lane.booked_in_flight + lane.given >= std::max<std::uint64_t>(share, 1)) {
          ++without_room;
        } else {
          if (lane.deficit < kFullCost) lane.deficit += std::int64_t{lane.weight} * kFullCost;
          if (lane.deficit >= kFullCost) {
            replace_in_ring(priorities[p], members);
            return &lane;
          }
          without_room = 0;
        }
        std::ranges::rotate(members, members.begin() + 1);
      }
      replace_in_ring(priorities[p], members);
    }
    return nullptr;
  }
  void replace_in_ring(std::uint8_t priority, const std::vector<LaneId>& members) {
    std::size_t n = 0;
    for (LaneId& id : ring_)
      if (lanes_[id].priority == priority) id = members[n++];
  }

  ConduitConfig config_;
  Capacity capacity_;
  Instant filled_;
  std::int64_t tokens_ = kTurn;
  std::int64_t repay_ = 0;
  std::map<PairId, Pair> pairs_;
  std::vector<Lane> lanes_;
  std::vector<Entry> queue_;
  std::vector<LaneId> ring_;
  Pair* owner_ = nullptr;
  std::uint64_t order_ = 0;
  std::uint32_t since_leak_ = 0;
  std::uint32_t landed_ = 0;
  Tick swept_ = 0, faded_ = 0;
  bool active_ = false;
};

}  // namespace sallyport::admission::test
