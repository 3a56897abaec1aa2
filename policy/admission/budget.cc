#include "policy/admission/budget.h"

#include <algorithm>
#include <bit>

#include "policy/base/check.h"

namespace sallyport::admission {

namespace {
constexpr std::int64_t kNanos = 1'000'000'000;
constexpr std::int64_t kTurn = std::int64_t{kFullCost} * kNanos;

// How far a lane's share may be behind or ahead, in sixteenths; ahead per weight. What many turns
// that came to nothing leave behind is not made up for in one block, to the others' loss.
constexpr std::int64_t kMostOwing = -64 * std::int64_t{kFullCost};
constexpr std::int64_t kMostOwed = 4 * std::int64_t{kFullCost};

// Whether counter `b` comes after or is `a` (both wrap).
constexpr bool not_before(std::uint32_t b, std::uint32_t a) {
  return static_cast<std::int32_t>(b - a) >= 0;
}
// Turns that came back without having become a handshake.
constexpr std::uint32_t untaken(const LaneReport& r) { return r.seen - r.stash - r.taken; }
// What a full bucket holds: a burst, but one turn and what the time between two polls may add.
constexpr std::int64_t bucket(std::int64_t rate16) {
  return std::max(kTurn + rate16 * Budget::kPollSlack.count(), rate16 * Budget::kBurst.count());
}
}  // namespace

Budget::Budget(std::size_t max_conduits, std::size_t max_lanes, WorkerId workers)
    : workers_(workers), conduits_(max_conduits), lanes_(max_lanes), ledgers_(max_lanes * workers) {
  SALLYPORT_CHECK(workers >= 1 && workers <= kMaxWorkers);
  active_.reserve(max_conduits);
}

void Budget::open(ConduitId id, const ConduitConfig& config, std::uint32_t generation,
                  std::uint32_t expected, Instant now) {
  close(id);
  Conduit& conduit = conduits_[id];
  conduit.config = config;
  // A quarter of what may be in flight is left to slow handshakes, see Shard.
  conduit.capacity =
      Capacity(config.rate_per_s, config.inflight - config.inflight / 4, config.cost, now);
  conduit.generation = generation;
  conduit.expected = expected;
  conduit.filled = now;
  conduit.tokens = kTurn;
  conduit.open = true;
}

void Budget::close(ConduitId id) {
  Conduit& conduit = conduits_[id];
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (lanes_[lane].used && lanes_[lane].config.conduit == id)
      remove_lane(static_cast<LaneId>(lane));
  }
  check(conduit);
  SALLYPORT_CHECK(conduit.in_flight == 0);
  if (conduit.active) std::erase(active_, id);
  conduit = Conduit{};
}

void Budget::add_lane(LaneId id, const LaneConfig& config) {
  Lane& lane = lanes_[id];
  SALLYPORT_CHECK(!lane.used && conduits_[config.conduit].open && config.weight > 0 &&
                  config.priority < kMaxPriorities);
  lane = Lane{};
  lane.config = config;
  lane.used = true;
  Conduit& conduit = conduits_[config.conduit];
  for (WorkerId worker = 0; worker < workers_; ++worker) {
    ledger(id, worker) = Ledger{};
    if ((conduit.expected >> worker & 1U) != 0) ++conduit.unheard;
  }
}

void Budget::remove_lane(LaneId id) {
  Lane& lane = lanes_[id];
  if (!lane.used) return;
  Conduit& conduit = conduits_[lane.config.conduit];
  drop_ledgers(conduit, id);
  dequeue(conduit, id);
  conduit.demand -= lane.demand;
  lane = Lane{};
}

// What a lane had in flight when it was removed counts as returned: its connections are no longer
// this ledger's business.
void Budget::drop_ledgers(Conduit& conduit, LaneId id) {
  for (WorkerId worker = 0; worker < workers_; ++worker) {
    Ledger& l = ledger(id, worker);
    conduit.in_flight -= l.outstanding();
    conduit.returned += l.outstanding();
    conduit.slow -= l.last.slow;
    if (!l.heard && (conduit.expected >> worker & 1U) != 0) --conduit.unheard;
    l = Ledger{};
  }
  check(conduit);
}

bool Budget::take_report(const LaneReport& report, Instant now) {
  if (report.lane >= lanes_.size() || report.worker >= workers_ || !lanes_[report.lane].used) {
    ++ignored_;
    return false;
  }
  Lane& lane = lanes_[report.lane];
  Conduit& conduit = conduits_[lane.config.conduit];
  Ledger& l = ledger(report.lane, report.worker);
  const bool plausible = report.generation == conduit.generation &&
                         not_before(l.granted, report.seen) && not_before(report.seen, l.last.seen);
  const bool newer = !l.heard || not_before(report.seen - report.held, l.returned());
  if (!plausible || !newer) {
    ++ignored_;
    return false;
  }
  const LaneReport before = l.last;
  const std::uint32_t was_out = l.outstanding();
  const std::uint32_t was_returned = l.returned();
  l.last = report;
  if (!l.heard) {
    // The opening balance: credits of an earlier generation that are still out.
    l.heard = true;
    if ((conduit.expected >> report.worker & 1U) != 0) --conduit.unheard;
    conduit.granted += report.held;
    conduit.in_flight += report.held;
    conduit.slow += report.slow;
    lane.in_flight += report.held;
  } else {
    const std::uint32_t returned = l.returned() - was_returned;
    conduit.returned += returned;
    conduit.in_flight += l.outstanding() - was_out;
    lane.in_flight += l.outstanding() - was_out;
    conduit.slow += report.slow - before.slow;
    // Turns are paid for in advance at the lane's usual price, again at what the client is expected
    // to cost once it is known which client, and at last at what it did cost.
    CostLedger::Settlement settled =
        lane.costs.settle(report.taken - before.taken, untaken(report) - untaken(before),
                          report.expected - before.expected);
    settled.change -= report.due - before.due;
    settled.unused += static_cast<std::int64_t>(report.spare - before.spare);
    fill(conduit, now);
    credit(conduit, settled);
    lane.deficit = std::clamp<std::int64_t>(lane.deficit + settled.change + settled.unused,
                                            kMostOwing, kMostOwed * lane.config.weight);
    Capacity::Sample sample;
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      sample.replies.count[k] = report.replied[k] - before.replied[k];
      sample.replies.server_time_us[k] = report.server_time_us[k] - before.server_time_us[k];
    }
    sample.reply_time_us = report.reply_time_us - before.reply_time_us;
    sample.established = report.established - before.established;
    sample.flight_time_us = report.flight_time_us - before.flight_time_us;
    sample.failed = report.failed - before.failed;
    sample.server_signs = report.server_signs - before.server_signs;
    sample.hellos = static_cast<std::int32_t>(report.hellos - before.hellos);
    sample.absent = report.absent - before.absent;
    sample.taken = report.taken - before.taken;
    sample.due = report.due - before.due;
    conduit.capacity.learn(sample, now);
  }
  check(conduit);
  set_demand(conduit, report.lane);
  if (conduit.demand > 0 || conduit.in_flight > 0) activate(lane.config.conduit, now);
  return true;
}

bool Budget::take_turn(LaneId lane, WorkerId worker, Instant now) {
  if (!lanes_[lane].used) return false;
  const ConduitId id = lanes_[lane].config.conduit;
  Conduit& conduit = conduits_[id];
  fill(conduit, now);
  if (!may_start(conduit, now)) return false;
  give_turn(conduit, lane, worker, now);
  set_demand(conduit, lane);
  activate(id, now);
  return true;
}

LaneGrant Budget::grant_message(LaneId lane, WorkerId worker, std::uint32_t count) const {
  return {.lane = lane,
          .worker = worker,
          .reserved = 0,
          .generation = conduits_[lanes_[lane].config.conduit].generation,
          .granted = ledger(lane, worker).granted,
          .count = count};
}

bool Budget::unseen(LaneId lane, WorkerId worker) const {
  const Ledger& l = ledger(lane, worker);
  return l.granted != l.last.seen;
}

void Budget::activate(ConduitId id, Instant now) {
  Conduit& conduit = conduits_[id];
  if (conduit.active) return;
  fill(conduit, now);
  conduit.active = true;
  active_.push_back(id);
}

void Budget::fill(Conduit& conduit, Instant now) {
  const std::int64_t elapsed = std::clamp<std::int64_t>((now - conduit.filled).count(), 0, kNanos);
  conduit.filled = now;
  const auto rate = static_cast<std::int64_t>(conduit.capacity.rate16());
  const std::int64_t most = bucket(rate);
  const std::int64_t earned = rate * elapsed;
  const std::int64_t repaid = std::min(conduit.repay, earned / kRepayShare);
  conduit.repay -= repaid;
  conduit.tokens = std::min(conduit.tokens + earned + repaid, most);
}

void Budget::credit(Conduit& conduit, const CostLedger::Settlement& settled) {
  const auto rate = static_cast<std::int64_t>(conduit.capacity.rate16());
  const std::int64_t most = bucket(rate);
  // What the server stood idle for longer ago is lost: more now would only queue.
  conduit.repay = std::min(conduit.repay + settled.unused * kNanos, rate * kRepayWithin.count());
  conduit.tokens = std::clamp(conduit.tokens + settled.change * kNanos, -most, most);
}

bool Budget::may_start(const Conduit& conduit, Instant now) const {
  if (conduit.unheard > 0 || conduit.in_flight >= conduit.config.inflight) return false;
  if (conduit.capacity.probe_due(now)) return true;
  return conduit.tokens >= kTurn && conduit.in_flight - conduit.slow < conduit.capacity.window() &&
         conduit.capacity.may_start(now);
}

// While others wait too, a lane holds at most its share of the bound: connections that hang in one
// segment do not take another's turns.
bool Budget::has_room(const Conduit& conduit, const Lane& lane) const {
  if (conduit.waiting_weight == lane.config.weight) return true;
  const std::uint64_t share =
      std::uint64_t{conduit.config.inflight} * lane.config.weight / conduit.waiting_weight;
  return lane.in_flight < std::max<std::uint64_t>(share, 1);
}

// Precondition: some lane waits.
LaneId Budget::next_lane(Conduit& conduit) {
  unsigned waiting = 0;  // bits of priorities
  for (unsigned p = 0; p < kMaxPriorities; ++p)
    waiting |= (conduit.rings[p].size > 0 ? 1U : 0U) << p;
  const auto highest = static_cast<unsigned>(std::countr_zero(waiting));
  const unsigned below = waiting & (waiting - 1);
  unsigned priority = highest;
  if (below != 0 && ++conduit.since_leak >= kLeakEvery) {
    conduit.since_leak = 0;
    priority = static_cast<unsigned>(std::countr_zero(below));
  }
  // Whoever has priority but no room leaves the turn to those below.
  for (; priority < kMaxPriorities; ++priority) {
    Ring& ring = conduit.rings[priority];
    // Deficits are bounded below (take_report), so this ends after a bounded number of laps.
    for (std::uint32_t without_room = 0; without_room < ring.size;) {
      const LaneId id = lanes_[ring.tail].next;
      Lane& lane = lanes_[id];
      if (!has_room(conduit, lane)) {
        ++without_room;
      } else {
        if (lane.deficit < std::int64_t{kFullCost})
          lane.deficit += std::int64_t{lane.config.weight} * kFullCost;
        if (lane.deficit >= std::int64_t{kFullCost}) return id;
        without_room = 0;
      }
      ring.tail = id;
    }
  }
  return kNoLane;
}

WorkerId Budget::next_worker(LaneId lane) {
  if (workers_ == 1) return 0;
  WorkerId best = 0;
  std::int32_t best_share = INT32_MIN;
  std::int32_t total = 0;
  for (WorkerId worker = 0; worker < workers_; ++worker) {
    Ledger& l = ledger(lane, worker);
    const auto demand = static_cast<std::int32_t>(std::min<std::uint32_t>(l.demand(), 1U << 24));
    if (demand == 0) {
      l.share = 0;
      continue;
    }
    total += demand;
    l.share += demand;
    if (l.share > best_share) {
      best_share = l.share;
      best = worker;
    }
  }
  ledger(lane, best).share -= total;
  return best;
}

void Budget::give_turn(Conduit& conduit, LaneId lane, WorkerId worker, Instant now) {
  const std::int64_t price = lanes_[lane].costs.price();
  lanes_[lane].costs.charge();
  conduit.tokens -= price * kNanos;
  ++conduit.granted;
  ++conduit.in_flight;
  ++ledger(lane, worker).granted;
  ++lanes_[lane].in_flight;
  lanes_[lane].deficit -= price;
  conduit.capacity.granted(1, now);
  // One lane's deficit is spent: the ring moves on.
  Ring& ring = conduit.rings[lanes_[lane].config.priority];
  if (lanes_[lane].queued && lanes_[lane].deficit < std::int64_t{kFullCost} && ring.size > 0 &&
      lanes_[ring.tail].next == lane)
    ring.tail = lane;
  check(conduit);
}

// Nobody was there: the turn was never used, and whatever it displaced gets it back.
void Budget::undo_turn(Conduit& conduit, LaneId lane, WorkerId worker) {
  Ledger& l = ledger(lane, worker);
  --l.granted;
  --conduit.granted;
  --conduit.in_flight;
  --lanes_[lane].in_flight;
  lanes_[lane].costs.undo();
  conduit.tokens += lanes_[lane].costs.price() * kNanos;
  lanes_[lane].deficit += lanes_[lane].costs.price();
  l.last.waiting = 0;  // its next report says better
  check(conduit);
}

void Budget::set_demand(Conduit& conduit, LaneId id) {
  Lane& lane = lanes_[id];
  std::uint32_t demand = 0;
  for (WorkerId worker = 0; worker < workers_; ++worker) demand += ledger(id, worker).demand();
  conduit.demand += demand - lane.demand;
  lane.demand = demand;
  if (demand > 0 && !lane.queued) enqueue(conduit, id);
  if (demand == 0 && lane.queued) dequeue(conduit, id);
}

void Budget::enqueue(Conduit& conduit, LaneId id) {
  Lane& lane = lanes_[id];
  Ring& ring = conduit.rings[lane.config.priority];
  lane.deficit = std::min<std::int64_t>(lane.deficit, 0);  // no credit for having been away
  if (ring.size == 0) {
    lane.next = id;
  } else {
    lane.next = lanes_[ring.tail].next;
    lanes_[ring.tail].next = id;
  }
  ring.tail = id;
  ++ring.size;
  conduit.waiting_weight += lane.config.weight;
  lane.queued = true;
}

void Budget::dequeue(Conduit& conduit, LaneId id) {
  Lane& lane = lanes_[id];
  if (!lane.queued) return;
  Ring& ring = conduit.rings[lane.config.priority];
  LaneId before = ring.tail;
  while (lanes_[before].next != id) before = lanes_[before].next;
  lanes_[before].next = lane.next;
  if (ring.tail == id) ring.tail = before;
  --ring.size;
  conduit.waiting_weight -= lane.config.weight;
  lane.queued = false;
}

void Budget::check(const Conduit& conduit) const {
  SALLYPORT_CHECK(conduit.granted == conduit.returned + conduit.in_flight);
}

}  // namespace sallyport::admission
