// The naive twin's handshakes in flight: how far they come and which are taken back, told with
// plain vectors and linear searches. See admission_naive.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "policy/admission/shard.h"
#include "tests/support/admission_naive_books.h"
#include "tests/support/admission_naive_lanes.h"

namespace sallyport::admission::test {

using namespace std::chrono_literals;

// What a poll does to a place.
struct NaiveAct {
  bool cut = false;
  Cut why = Cut::kUnanswered;
  PlaceId place = kNone;
  friend bool operator==(const NaiveAct&, const NaiveAct&) = default;
};

class NaiveFlights {
 protected:
  explicit NaiveFlights(const ConduitConfig& config) : config_(config) {}

  static std::uint64_t in_us(Tick span) { return (std::uint64_t{span} << kTickShift) / 1000; }

  PlaceId place_of(const NaiveAttempt& attempt) const {
    for (const auto& [id, pair] : order_.pairs)
      for (std::size_t i = 0; i < pair.attempts.size(); ++i)
        if (&pair.attempts[i] == &attempt) return id + static_cast<PlaceId>(i);
    return kNone;
  }
  NaiveBooks::Statement& note(LaneId lane) {
    order_.lanes[lane].dirty = true;
    return order_.lanes[lane].unsettled;
  }
  void land(NaivePair& pair, NaiveAttempt& attempt) {
    attempt.state = PlaceState::kFree;
    attempt.slow = false;
    ++note(pair.lane).returned;
    ++landed_;
  }

  void foresee(const NaivePair& pair, NaiveAttempt& attempt, Handshake kind) {
    const std::uint8_t cost = config_.cost[static_cast<std::size_t>(kind)];
    note(pair.lane).due += std::int64_t{cost} - attempt.expected;
    attempt.expected = cost;
  }

  void show_up(const NaivePair& pair, NaiveAttempt& attempt, Tick at) {
    NaiveLane& lane = order_.lanes[pair.lane];
    attempt.slow = false;
    attempt.joined = order_.next();
    ++note(pair.lane).sample.hellos;
    lane.show16 = lane.show16 - lane.show16 / 16 + std::max<Tick>(1, at - attempt.newest);
  }

  void reply(const NaivePair& pair, NaiveAttempt& attempt, Handshake kind, Duration server_time,
             Tick at) {
    foresee(pair, attempt, kind);
    Capacity::Sample& sample = note(pair.lane).sample;
    ++sample.replies.count[static_cast<std::size_t>(kind)];
    sample.replies.server_time_us[static_cast<std::size_t>(kind)] +=
        static_cast<std::uint64_t>(server_time.count() / 1000);
    sample.reply_time_us += in_us(std::max<Tick>(1, at - attempt.newest));
    NaiveLane& lane = order_.lanes[pair.lane];
    lane.priced = std::min(lane.priced + 1, 16U);
    lane.usual256 =
        (lane.usual256 * (lane.priced - 1) + config_.cost[static_cast<std::size_t>(kind)] * 256U) /
        lane.priced;
  }

  void gone(NaivePair& pair, Tick age, bool of_lane) {
    const AgeCode code = age_code(age);
    if (code == 0) return;
    const bool news = pair.gone_at == 0 || code < pair.gone_at;
    if (of_lane && news) {
      Presence& presence = order_.lanes[pair.lane].presence;
      if (presence.edge() == kNone && edge_elsewhere_ && age >= *edge_elsewhere_ &&
          age - *edge_elsewhere_ < *edge_elsewhere_ / 4)
        presence.believe(*edge_elsewhere_);
      presence.was_gone(age);
      if (presence.edge() != kNone) edge_elsewhere_ = presence.edge();
    }
    if (news) pair.gone_at = code;
    pair.seen_at = std::min(pair.seen_at, code);
  }

  void spare(LaneId lane, NaiveAttempt& attempt) {
    const bool known = attempt.expected == 0;
    note(lane).spare += std::exchange(attempt.expected, 0);
    if (!known && attempt.state == PlaceState::kAnswered) ++note(lane).sample.absent;
  }

  void sweep_flights(Tick at, std::vector<NaiveAct>& acts) {
    for (std::size_t i = 0; i < order_.lanes.size(); ++i) {
      const auto id = static_cast<LaneId>(i);
      NaiveLane& lane = order_.lanes[id];
      for (const bool worked : {false, true}) {
        for (const auto& [pair, a] : flights(id, false, worked)) {
          const Tick after =
              a->state == PlaceState::kAnswered ? lane.show_after() : lane.slow_after();
          if (tick_diff(at, a->newest) < static_cast<std::int32_t>(after)) break;
          a->slow = true;
          if (a->state == PlaceState::kAnswered) spare(id, *a);
          a->joined = order_.next();
          lane.dirty = true;
        }
      }
      const auto slow = flights(id, true, false);
      std::size_t left = slow.size();
      if (left == 0 || ((at & 31U) != 0 && left <= lane.slow_limit)) continue;
      for (const auto& [pair, a] : slow) {
        if (const auto why = overdue(lane, *a, left > lane.slow_limit, at)) {
          acts.push_back({true, *why, place_of(*a)});
          --left;
          take_back(*pair, *a, *why, at);
        }
      }
    }
  }

  ConduitConfig config_;
  NaiveOrder order_;
  std::uint32_t landed_ = 0;            // ended and not yet told to the books
  std::optional<Tick> edge_elsewhere_;  // found by one lane, for the others

 private:
  struct Flight {
    NaivePair* pair;
    NaiveAttempt* attempt;
  };
  std::vector<Flight> flights(LaneId lane, bool slow, bool worked) {
    std::vector<Flight> out;
    for (auto& [id, pair] : order_.pairs)
      for (NaiveAttempt& a : pair.attempts)
        if (pair.lane == lane && in_flight(a.state) && a.slow == slow &&
            (slow || works(a.state) == worked))
          out.push_back({&pair, &a});
    std::ranges::sort(out, {}, [](const Flight& f) { return f.attempt->joined; });
    return out;
  }

  std::optional<Cut> overdue(const NaiveLane& lane, const NaiveAttempt& a, bool crowded,
                             Tick at) const {
    const Tick age = at - a.newest;
    const Tick usual = lane.slow_after();
    if (a.state == PlaceState::kReleased && age > std::max(ticks(kAnswerWithin), usual))
      return Cut::kUnanswered;
    if (a.state == PlaceState::kAnswered &&
        age > (crowded ? usual : std::max(ticks(kShowWithin), usual)))
      return Cut::kNoShow;
    if (age > ticks(config_.handshake_timeout + kReclaimAfter)) return Cut::kTooSlow;
    if (crowded && age > std::max(ticks(kSlowTolerated), usual)) return Cut::kTooSlow;
    return std::nullopt;
  }

  void take_back(NaivePair& pair, NaiveAttempt& a, Cut why, Tick at) {
    const Tick age = a.newest - a.started;
    if (!works(a.state)) spare(pair.lane, a);
    land(pair, a);
    if (why == Cut::kUnanswered) {
      a.state = a.holdable ? PlaceState::kWaiting : PlaceState::kGate;
      pair.served_round.reset();
      if (!pair.queued) order_.enqueue(pair, at);
    } else if (why == Cut::kNoShow) {
      gone(pair, age, false);
    }
  }
};

}  // namespace sallyport::admission::test
