// The owner's side: the credits of the conduits that one worker owns. It decides which lane, and
// which worker's part of it, gets the next turn, and keeps the ledger
//     granted = returned + in flight
// which is checked after every change in every build. It knows lanes only by the reports of the
// shards that hold their places; it never sees a place.
//
// Order: priority (with a leak below, kLeakEvery), then weighted deficit round robin over lanes,
// then smooth weighted round robin over workers by how many pairs wait there.
//
// Thread: the owner worker's alone. Everything is allocated in the constructor.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "policy/admission/capacity.h"
#include "policy/admission/cost_ledger.h"
#include "policy/admission/types.h"

namespace sallyport::admission {

class Budget {
 public:
  // Below the highest priority that waits goes every kLeakEvery-th turn.
  static constexpr std::uint32_t kLeakEvery = 64;
  // A bucket holds this much of the rate, and always one full handshake and what comes in between
  // two polls.
  static constexpr Duration kBurst = std::chrono::milliseconds(3);
  static constexpr Duration kPollSlack = std::chrono::milliseconds(2);
  // Turns that came back unused are given again at this fraction of the rate on top of it, so that
  // many at once do not become a burst.
  static constexpr std::int64_t kRepayShare = 14;
  static constexpr Duration kRepayWithin = std::chrono::milliseconds(100);  // of the rate

  Budget(std::size_t max_conduits, std::size_t max_lanes, WorkerId workers);

  // Starts a new ledger for `conduit`. Nothing is granted before each worker in `expected` (bits)
  // has reported every lane of it; what they still hold is the opening balance.
  void open(ConduitId conduit, const ConduitConfig& config, std::uint32_t generation,
            std::uint32_t expected, Instant now);
  void close(ConduitId conduit);
  void add_lane(LaneId lane, const LaneConfig& config);
  void remove_lane(LaneId lane);

  // False (and only counted) for a report of another generation, of an unknown lane or worker, or
  // older than one already taken.
  bool take_report(const LaneReport& report, Instant now);

  // One turn for `lane` at `worker` outside the order, if nobody waits and bounds allow: the way
  // of an ordinary day. The turn counts as granted.
  bool take_turn(LaneId lane, WorkerId worker, Instant now);

  // Advances buckets and capacity, then gives turns while bounds allow. Each turn calls
  // give(lane, worker) once; a false answer means that nobody was there, and the turn is undone
  // (only a shard on this worker can know that at once).
  // Stops when room() is false.
  template <class Give, class Room>
  void poll(Instant now, Give&& give, Room&& room);

  // The grant message that brings `worker` up to date, `count` turns of it new.
  LaneGrant grant_message(LaneId lane, WorkerId worker, std::uint32_t count) const;

  // Whether the last grant to `worker` is still unseen; poll resends it (see Engine).
  bool unseen(LaneId lane, WorkerId worker) const;

  bool lane_used(LaneId lane) const { return lanes_[lane].used; }
  bool idle() const { return active_.empty(); }
  bool is_open(ConduitId conduit) const { return conduits_[conduit].open; }
  bool quiet(ConduitId conduit) const { return conduits_[conduit].demand == 0; }
  std::uint32_t generation(ConduitId conduit) const { return conduits_[conduit].generation; }
  std::uint32_t in_flight(ConduitId conduit) const { return conduits_[conduit].in_flight; }
  std::uint32_t demand(ConduitId conduit) const { return conduits_[conduit].demand; }
  const Capacity& capacity(ConduitId conduit) const { return conduits_[conduit].capacity; }
  std::uint64_t ignored_reports() const { return ignored_; }

 private:
  struct Ledger {
    LaneReport last{};          // what the worker said last
    std::uint32_t granted = 0;  // turns ever given to it in this generation
    std::int32_t share = 0;     // smooth weighted round robin
    bool heard = false;
    // In flight as far as the owner knows: given and not yet seen, or held.
    std::uint32_t outstanding() const { return granted - last.seen + last.held; }
    std::uint32_t returned() const { return last.seen - last.held; }
    // Pairs that wait and for which no turn is under way yet.
    std::uint32_t demand() const {
      const std::uint32_t coming = granted - last.seen;
      return last.waiting > coming ? last.waiting - coming : 0;
    }
  };
  struct Lane {
    LaneConfig config{};
    std::int64_t deficit = 0;  // sixteenths
    CostLedger costs;
    std::uint32_t demand = 0;
    std::uint32_t in_flight = 0;
    LaneId next = 0;  // in the ring of waiting lanes of its priority
    bool used = false;
    bool queued = false;
  };
  struct Ring {  // circular list; `tail` is the last, tail->next the one whose turn it is
    LaneId tail = 0;
    std::uint32_t size = 0;
  };
  struct Conduit {
    ConduitConfig config{};
    Capacity capacity;
    std::array<Ring, kMaxPriorities> rings{};
    std::int64_t tokens = 0;  // sixteenths times 1e9
    std::int64_t repay = 0;   // the same unit: of turns that came back unused
    Instant filled;           // when tokens were last brought up to date
    std::uint64_t granted = 0;
    std::uint64_t returned = 0;
    std::uint32_t in_flight = 0;
    std::uint32_t slow = 0;
    std::uint32_t demand = 0;
    std::uint32_t generation = 0;
    std::uint32_t unheard = 0;  // reports missing before the first grant
    std::uint32_t expected = 0;
    std::uint32_t since_leak = 0;
    std::uint32_t waiting_weight = 0;  // of the lanes in `rings`
    bool open = false;
    bool active = false;
  };

  static constexpr LaneId kNoLane = 0xffff;

  Ledger& ledger(LaneId lane, WorkerId worker) {
    return ledgers_[std::size_t{lane} * workers_ + worker];
  }
  const Ledger& ledger(LaneId lane, WorkerId worker) const {
    return ledgers_[std::size_t{lane} * workers_ + worker];
  }
  void activate(ConduitId id, Instant now);
  void fill(Conduit& conduit, Instant now);
  void credit(Conduit& conduit, const CostLedger::Settlement& settled);
  bool may_start(const Conduit& conduit, Instant now) const;
  // kNoLane when every waiting lane has its full share of what may be in flight.
  LaneId next_lane(Conduit& conduit);
  bool has_room(const Conduit& conduit, const Lane& lane) const;
  WorkerId next_worker(LaneId lane);
  void give_turn(Conduit& conduit, LaneId lane, WorkerId worker, Instant now);
  void undo_turn(Conduit& conduit, LaneId lane, WorkerId worker);
  void set_demand(Conduit& conduit, LaneId lane);
  void enqueue(Conduit& conduit, LaneId lane);
  void dequeue(Conduit& conduit, LaneId lane);
  void drop_ledgers(Conduit& conduit, LaneId lane);
  void check(const Conduit& conduit) const;

  WorkerId workers_;
  std::vector<Conduit> conduits_;
  std::vector<Lane> lanes_;
  std::vector<Ledger> ledgers_;
  std::vector<ConduitId> active_;
  std::uint64_t ignored_ = 0;
};

template <class Give, class Room>
void Budget::poll(Instant now, Give&& give, Room&& room) {
  for (std::size_t i = 0; i < active_.size();) {
    Conduit& conduit = conduits_[active_[i]];
    fill(conduit, now);
    conduit.capacity.tick(conduit.in_flight, conduit.in_flight - conduit.slow, now);
    fill(conduit, now);  // the rate may be another now
    while (conduit.demand > 0 && room() && may_start(conduit, now)) {
      const LaneId lane = next_lane(conduit);
      if (lane == kNoLane) break;
      const WorkerId worker = next_worker(lane);
      give_turn(conduit, lane, worker, now);
      if (!give(lane, worker)) undo_turn(conduit, lane, worker);
      set_demand(conduit, lane);
    }
    if (conduit.demand > 0) {
      conduit.capacity.held_back();
    } else {
      conduit.repay = 0;  // nobody misses them
      conduit.capacity.starved();
    }
    if (conduit.demand == 0 && conduit.in_flight == 0) {
      conduit.active = false;
      active_[i] = active_.back();
      active_.pop_back();
    } else {
      ++i;
    }
  }
}

}  // namespace sallyport::admission
