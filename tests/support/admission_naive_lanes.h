// The naive twin's pairs and the order in which they are served, told with plain vectors and linear
// searches. See admission_naive.h. Rules 4 to 6 of docs/design/0003-admission.md, "Who is next".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "policy/admission/patience.h"
#include "policy/admission/presence.h"
#include "policy/admission/turn_queue.h"
#include "policy/admission/types.h"
#include "tests/support/admission_naive_books.h"

namespace sallyport::admission::test {

struct NaiveAttempt {
  PlaceState state = PlaceState::kFree;
  SynImage syn;
  Tick started = 0, newest = 0, interval16 = 0;
  bool retried = false, holdable = true, slow = false;
  std::uint8_t expected = 0;
  std::uint64_t joined = 0;  // order of joining the list that it is in
};

struct NaivePair {
  PairId id = 0;
  LaneId lane = 0;
  std::vector<NaiveAttempt> attempts;
  bool queued = false, gate_open = false;
  std::optional<Tick> timer, next_turn;
  bool senior = false;
  Tick since = 0;
  std::optional<std::uint16_t> served_round;
  std::optional<Handshake> kind;
  AgeCode seen_at = 0, gone_at = 0;
  std::uint64_t timer_order = 0;

  NaiveAttempt* newest_waiting() {
    NaiveAttempt* newest = nullptr;
    for (NaiveAttempt& a : attempts)
      if (waits(a.state) && (newest == nullptr || tick_diff(a.newest, newest->newest) > 0))
        newest = &a;
    return newest;
  }
};

struct NaiveLane {
  std::size_t slow_limit = 1;
  Presence presence;
  std::uint16_t round = 1;
  std::int64_t first_cohort[2] = {0, 0};  // of this round's order and the next one's
  unsigned current = 0;
  std::uint32_t flight16 = 16 * 48, show16 = 16 * 24;
  std::uint32_t usual256 = kFullCost * 256, priced = 0;
  bool dirty = true;
  NaiveBooks::Statement unsettled;

  Tick slow_after() const { return std::max(flight16 / 4, ticks(kSlowAtLeast)); }
  Tick show_after() const { return std::max(show16 / 4, ticks(kShowAtLeast)); }
};

// Who waits, and who is next.
class NaiveOrder {
 public:
  std::map<PairId, NaivePair> pairs;
  std::vector<NaiveLane> lanes;

  bool empty() const { return queue_.empty(); }
  std::uint32_t waiting(LaneId lane) const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(queue_, [&](const Entry& e) { return e.lane == lane; }));
  }
  std::uint64_t next() { return ++order_; }

  void enqueue(NaivePair& pair, Tick at) {
    NaiveAttempt* newest = pair.newest_waiting();
    if (newest == nullptr) return;
    NaiveLane& lane = lanes[pair.lane];
    const Tick wait = pair.gone_at != 0 ? age_of(static_cast<AgeCode>(pair.gone_at + 1))
                      : lane.presence.edge() != kNone ? lane.presence.edge()
                                                      : ticks(std::chrono::seconds(127));
    Entry e;
    e.pair = pair.id;
    e.lane = pair.lane;
    e.next_round = pair.served_round == lane.round;
    std::int64_t& first = lane.first_cohort[lane.current ^ (e.next_round ? 1U : 0U)];
    const std::int64_t wanted = pair.since >> TurnQueue::kCohortShift;
    const bool none = std::ranges::none_of(queue_, [&](const Entry& other) {
      return other.lane == e.lane && other.next_round == e.next_round;
    });
    if (none) first = wanted;
    e.cohort = std::clamp<std::int64_t>(wanted, first, first + TurnQueue::kCohorts - 1);
    const std::int64_t from = cursor(e.lane, e.next_round, e.cohort, at);
    const Tick moment = turn_moment(pair.id, newest->started, wait, at);
    e.bucket = std::clamp<std::int64_t>(moment >> TurnQueue::kBucketShift, from,
                                        from + TurnQueue::kBuckets - 1);
    e.order = next();
    queue_.push_back(e);
    pair.queued = true;
    lane.dirty = true;
  }

  NaivePair* dequeue(LaneId id) {
    NaiveLane& lane = lanes[id];
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
    NaivePair& pair = pairs.at(best->pair);
    queue_.erase(best);
    pair.queued = false;
    return &pair;
  }

  void set_timer(NaivePair& pair, Tick wait, Tick at) {
    pair.timer = (at + std::clamp<Tick>(wait, 16, 63 * 16)) >> 4;
    pair.timer_order = next();
    pair.queued = true;
  }
  // The pair whose timer has run out first, latest set first; unset.
  NaivePair* due(Tick at) {
    NaivePair* first = nullptr;
    for (auto& [id, pair] : pairs) {
      if (!pair.timer || tick_diff(*pair.timer, at >> 4) > 0) continue;
      if (first == nullptr || *pair.timer < *first->timer ||
          (*pair.timer == *first->timer && pair.timer_order > first->timer_order))
        first = &pair;
    }
    if (first != nullptr) {
      first->timer.reset();
      first->queued = false;
    }
    return first;
  }

  static bool silent_too_long(const NaiveAttempt& a, Tick at) {
    const Tick within =
        a.retried ? std::max<Tick>(a.interval16, 59) * 56 + ticks(std::chrono::milliseconds(500))
                  : ticks(std::chrono::seconds(70));
    return tick_diff(at, a.newest) > static_cast<std::int32_t>(within);
  }
  bool presumed_gone(const NaivePair& pair, const NaiveAttempt& a, Tick at) const {
    const NaiveLane& lane = lanes[pair.lane];
    if (tick_diff(at, a.newest) < static_cast<std::int32_t>(ticks(std::chrono::milliseconds(400))))
      return false;
    if (silent_too_long(a, at)) return true;
    const Tick age = at - a.started;
    if (pair.gone_at != 0 && age_code(age) > pair.gone_at) return true;
    if (age_code(age) < pair.seen_at) return false;
    const Tick flight = lane.flight16 / 16;
    return age + flight + flight / 4 >= lane.presence.edge();
  }

 private:
  struct Entry {
    PairId pair = 0;
    LaneId lane = 0;
    bool next_round = false;
    std::int64_t cohort = 0, bucket = 0;
    std::uint64_t order = 0;
  };

  // The window of moments of one cohort begins at the present or at its earliest entry.
  std::int64_t cursor(LaneId lane, bool next_round, std::int64_t cohort, Tick at) const {
    std::int64_t first = at >> TurnQueue::kBucketShift;
    for (const Entry& e : queue_)
      if (e.lane == lane && e.next_round == next_round && e.cohort == cohort)
        first = std::min(first, e.bucket);
    return first;
  }

  std::vector<Entry> queue_;
  std::uint64_t order_ = 0;
};

}  // namespace sallyport::admission::test
