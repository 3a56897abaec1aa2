// One worker's places: who waits, who is next inside a lane, what is in flight. It files each
// arriving SYN in constant time and turns credits into releases. It knows nothing of rates.
//
// A turn received leaves on exactly one of these paths, each counted:
//   finished()               the handshake ended, well or not
//   sweep()                  no answer, no show, too slow (Cut); a stash that found nobody
//   spend()                  nobody was there
//   unbind(), remove_lane()  the pair is gone
// and for each lane   opening + seen = returned + stash + in flight   is checked after every change
// in every build.
//
// A handshake in flight is in one of three lists: `called` until the client's ClientHello is seen,
// `fresh` while the server works on it, `slow` when either takes much longer than usual. The slow
// ones leave the window to others and have an allowance of their own.
//
// Thread: the worker's alone. Everything but the places (the caller's memory) is allocated in the
// constructor. Nothing throws after it. Turns are in shard.cc, flights in flights.cc, lanes and
// pairs coming and going in lanes.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/admission/flight_list.h"
#include "policy/admission/pair_timer.h"
#include "policy/admission/patience.h"
#include "policy/admission/place.h"
#include "policy/admission/presence.h"
#include "policy/admission/table.h"
#include "policy/admission/turn_queue.h"
#include "policy/admission/types.h"
#include "policy/base/check.h"

namespace sallyport::admission {

// A flight is slow when it takes four times the usual, at least this long.
inline constexpr Duration kSlowAtLeast = std::chrono::milliseconds(400);
// So is one whose ClientHello takes four times the usual, at least this long.
inline constexpr Duration kShowAtLeast = std::chrono::milliseconds(100);
// A server that has not answered a SYN for this long did not get it, or is not there.
inline constexpr Duration kAnswerWithin = std::chrono::seconds(1);
// A client that has its answer and whose ClientHello is not complete for this long is gone.
inline constexpr Duration kShowWithin = std::chrono::seconds(2);
// A handshake under way may be slow for this long although its lane's allowance is used up.
inline constexpr Duration kSlowTolerated = std::chrono::seconds(4);
// On top of a conduit's handshake timeout (design: dataplane <-> terminator).
inline constexpr Duration kReclaimAfter = std::chrono::seconds(5);

class Shard {
 public:
  struct Stats {
    std::uint64_t arrivals = 0;
    std::uint64_t passed = 0;  // at once, or by a repeated SYN
    std::uint64_t full = 0;
    std::uint64_t released = 0;
    std::uint64_t gates = 0;      // opened
    std::uint64_t set_aside = 0;  // presumed gone when their turn came
    std::uint64_t ghosts = 0;     // attempts overtaken by a newer one of the same pair
    std::uint64_t established = 0;
    std::uint64_t failed = 0;  // server's or client's fault
    std::uint64_t left = 0;    // client gone, before or during the handshake
    std::uint64_t cut = 0;
    std::uint64_t stale_returns = 0;  // of a generation that is no longer in flight
    std::uint64_t wait_ticks = 0;     // over `established`: first SYN to turn
  };

  // `places` zeroed, outliving the shard.
  Shard(std::span<Place> places, std::size_t max_conduits, std::size_t max_lanes);

  // `owned_here`: turns for packets at hand come through arrive()'s `take`, not from a stash.
  void set_conduit(ConduitId conduit, const ConduitConfig& config, bool owned_here);
  // `slow_limit`: how many of this lane's handshakes may be slow at once, here.
  void add_lane(LaneId lane, const LaneConfig& config, std::uint32_t generation,
                std::uint32_t slow_limit, WorkerId self);
  // Takes up to `limit` waiting pairs out of a lane's order; true when none is left. Before
  // remove_lane(), to spread a large lane's removal over many calls.
  bool drain_lane(LaneId lane, std::size_t limit, Tick now);
  // Its credits are returned, its places are free; its pairs must be unbound before they are bound
  // again.
  void remove_lane(LaneId lane, Tick now);
  // A new ledger: what is in flight stays and becomes the opening balance.
  void renew_lane(LaneId lane, const LaneConfig& config, std::uint32_t generation,
                  std::uint32_t slow_limit);
  void bind(PairId pair, LaneId lane, unsigned parallel);
  // The flows of its handshakes are the caller's to forget; their credits are returned.
  void unbind(PairId pair);

  void prefetch(PairId pair) const { __builtin_prefetch(&places_[pair], 1); }

  // Files a SYN. take(lane, gate_open) is asked at most once whether this very packet may have a
  // turn; a true answer is a turn received.
  template <class Take>
  Decision arrive(PairId pair, const Arrival& arrival, Tick now, Take&& take) noexcept;

  // `count` turns came for the lane.
  void receive(LaneId lane, std::uint32_t count, Tick now);
  // `count` turns were lost on their way: received and returned unused at once.
  void receive_lost(LaneId lane, std::uint32_t count);
  // Uses one turn of the stash: the place to release, or kNone when nobody is there (the turn stays
  // for an open gate, or is back).
  PlaceId spend(LaneId lane, Tick now);
  // Receives and uses one turn; kNone when nobody is there, and nothing has changed.
  PlaceId spend_own(LaneId lane, Tick now);
  std::uint32_t stash(LaneId lane) const { return lanes_[lane].stash; }

  bool progress(PlaceId place, std::uint32_t generation, Progress what, Handshake kind,
                Duration server_time, Tick now) noexcept;
  // The client's ClientHello asks for this kind of handshake.
  bool asks(PlaceId place, std::uint32_t generation, Handshake kind) noexcept;
  bool finished(PlaceId place, std::uint32_t generation, Outcome outcome, Handshake kind,
                Duration server_time, Tick now) noexcept;

  // Takes back credits that nobody will return, ends stashes and files pairs again whose own rate
  // allows a turn. Calls cut(place, generation, why) for each flight that the caller must forget,
  // at most `room` times; what is left waits for the next call.
  template <class OnCut>
  void sweep(Tick now, std::size_t room, OnCut&& cut);

  LaneReport report(LaneId lane) const;
  // Takes the first lane at or after `lane` whose report has changed; false when there is none.
  bool next_dirty(LaneId& lane);
  bool has_dirty() const;
  // The report of this lane is wanted again, changed or not.
  void mark(LaneId lane);

  const Place& place(PlaceId id) const { return places_[id]; }
  std::size_t places() const { return places_.size(); }
  PairId pair_of(PlaceId id) const {
    return id - (places_[id].attempt_flags >> Place::kIndexShift);
  }
  const LaneConfig& lane_config(LaneId lane) const { return lanes_[lane].config; }
  bool lane_used(LaneId lane) const { return lanes_[lane].used; }
  // Pairs of the conduit that are queued here.
  std::uint32_t queued(ConduitId conduit) const { return conduits_[conduit].queued; }
  const Stats& stats() const { return stats_; }
  // Nothing waits in any order and nothing is in flight.
  bool idle() const;
  const Presence& presence(LaneId lane) const { return lanes_[lane].presence; }

  // Walks every list and recounts; for tests. Aborts when anything disagrees.
  void audit() const;

 private:
  struct Conduit {
    ConduitConfig config{};
    std::uint32_t queued = 0;
    Tick edge = kNone;       // what one of its lanes found last, see Presence
    Tick turn_interval = 0;  // of the per-device rate; 0: no bound
    Tick reclaim_after = 0;
    bool owned_here = false;
  };
  struct Lane {
    std::array<TurnQueue, 2> queues;  // of this round and the next
    Presence presence;
    LaneConfig config{};
    LaneReport ledger{};  // `waiting`, `held`, `stash` and `slow` are filled in by report()
    FlightList called;    // in flight: each in order of joining
    FlightList fresh;
    FlightList slow;
    std::uint32_t returned = 0;
    std::uint32_t opening = 0;
    std::uint32_t stash = 0;
    std::uint32_t open_gates = 0;
    std::uint32_t slow_limit = 1;
    std::uint32_t flight16 = 16 * 48;          // usual flight, sixteenths of a tick
    std::uint32_t show16 = 16 * 24;            // usual time from turn to ClientHello, the same
    std::uint32_t usual256 = kFullCost * 256;  // usual cost, 256ths of a sixteenth
    std::uint32_t priced = 0;                  // handshakes that `usual256` is made of, up to 16
    Tick stash_end = 0;
    std::uint16_t round = 1;
    std::uint8_t current = 0;  // index in `queues`
    bool used = false;

    std::uint32_t queued() const { return queues[0].size() + queues[1].size(); }
    std::uint32_t in_flight() const { return called.size() + fresh.size() + slow.size(); }
    Tick flight() const { return flight16 / 16; }
    Tick slow_after() const { return std::max(flight16 / 4, ticks(kSlowAtLeast)); }
    Tick show_after() const { return std::max(show16 / 4, ticks(kShowAtLeast)); }
  };

  static constexpr unsigned kMaxLooks = 64;  // pairs judged for one turn

  void retried(Place& head, Place& place, const Arrival& arrival, Tick now);
  PlaceId started(PairId pair, const Arrival& arrival, Tick now);
  void enqueue(PairId pair, Tick now);
  PairId dequeue(LaneId id, Tick now);
  PlaceId choose(LaneId id, Tick now);
  PlaceId newest_waiting(PairId pair) const;
  bool rate_allows(const Place& head, Tick now) const;
  static void set_waiting(Place& place, bool holdable) {
    place.state = holdable ? PlaceState::kWaiting : PlaceState::kGate;
    place.attempt_flags = static_cast<std::uint8_t>((place.attempt_flags & ~Place::kUnholdable) |
                                                    (holdable ? 0 : Place::kUnholdable));
  }
  Decision take_off(PairId pair, PlaceId id, Tick now);
  void wake(PairId pair, Tick now);
  void end_stash(LaneId id, Tick now);

  FlightList& list_of(Lane& lane, const Place& place);
  void showed_up(Lane& lane, PlaceId id, Tick now);
  void foresee(Lane& lane, Place& place, Handshake kind);
  void note_reply(Lane& lane, Place& place, Handshake kind, Duration server_time, Tick now);
  void note_established(Lane& lane, Place& head, const Place& place, Tick now);
  void learn_gone(Lane& lane, Place& head, Tick age, bool of_lane);
  void spare(Lane& lane, Place& place);
  void end_flight(Lane& lane, PlaceId id);
  void set_slow_aside(LaneId id, Tick now);
  // Whether the flight must be taken back now, and why.
  bool overdue(const Lane& lane, const Place& place, Tick now, Cut& why) const;
  void take_back(LaneId id, PlaceId place, Cut why, Tick now);
  void fade(Tick now);
  void check(const Lane& lane) const {
    SALLYPORT_CHECK(lane.opening + lane.ledger.seen ==
                    lane.returned + lane.stash + lane.in_flight());
  }

  Places places_;
  Table<Conduit> conduits_;
  Table<Lane> lanes_;
  std::vector<std::uint64_t> dirty_;  // bit per lane
  PairTimer timer_;                   // pairs above their own rate, or with an open gate
  Tick swept_ = 0;
  Tick faded_ = 0;
  std::size_t lane_end_ = 0;  // lanes at or after it were never used
  std::uint32_t next_generation_ = 1;
  Stats stats_;
};

// Inline: what most packets of a storm come to.
inline void Shard::retried(Place& head, Place& place, const Arrival& arrival, Tick now) {
  const std::int32_t silent = tick_diff(now, place.newest);
  place.interval =
      std::max(place.interval, static_cast<std::uint16_t>(std::clamp(silent >> 4, 0, 0xffff)));
  place.newest = now;
  place.syn = arrival.syn;
  place.attempt_flags |= Place::kRetried;
  set_waiting(place, arrival.holdable);
  // It lives at this age; what was believed otherwise was wrong.
  const Tick age = age_at(place, now);
  const AgeCode code = age_code(age);
  head.seen_at = std::max(head.seen_at, code);
  if (head.gone_at <= code) head.gone_at = 0;
  Presence& presence = lanes_[head.lane].presence;
  if (age >= presence.edge()) [[unlikely]]
    presence.was_there(age);
}

template <class Take>
Decision Shard::arrive(PairId pair, const Arrival& arrival, Tick now, Take&& take) noexcept {
  ++stats_.arrivals;
  Place& head = places_[pair];
  const unsigned parallel = head.pair_flags & Place::kParallelMask;
  PlaceId id = kNone;
  for (unsigned i = 0; i < parallel; ++i) {
    const Place& place = places_[pair + i];
    if (place.state != PlaceState::kFree && place.syn.same_attempt(arrival.syn)) {
      id = pair + i;
      break;
    }
  }
  if (id != kNone) {
    Place& place = places_[id];
    if (in_flight(place.state)) {  // its turn has come, this is the same SYN again
      ++stats_.passed;
      return {id, Verdict::kPass};
    }
    retried(head, place, arrival, now);
    // The ordinary case of a storm: it waits already.
    if ((head.pair_flags & (Place::kQueued | Place::kGateOpen)) == Place::kQueued) return {};
  } else {
    id = started(pair, arrival, now);
    if (id == kNone) {
      ++stats_.full;
      return {kNone, Verdict::kFull};
    }
  }
  if (rate_allows(head, now) && take(head.lane, (head.pair_flags & Place::kGateOpen) != 0)) {
    Lane& lane = lanes_[head.lane];
    if (lane.stash == 0) {  // from the owner here; else it was counted when it came
      ++lane.ledger.seen;
      ++lane.stash;
    }
    ++stats_.passed;
    return take_off(pair, id, now);
  }
  if ((head.pair_flags & (Place::kQueued | Place::kGateOpen)) == 0) enqueue(pair, now);
  return {};
}

template <class OnCut>
void Shard::sweep(Tick now, std::size_t room, OnCut&& cut) {
  if (now == swept_) return;
  swept_ = now;
  timer_.run(places_, now, [&](PairId pair) { wake(pair, now); });
  fade(now);
  const bool all_slow = (now & 31U) == 0;
  for (std::size_t i = 0; i < lane_end_; ++i) {
    Lane& lane = lanes_[i];
    if (!lane.used) continue;
    const auto id = static_cast<LaneId>(i);
    end_stash(id, now);
    set_slow_aside(id, now);
    if (lane.slow.size() == 0 || (!all_slow && lane.slow.size() <= lane.slow_limit)) continue;
    for (PlaceId at = lane.slow.oldest(); at != kNone && room > 0;) {
      const PlaceId next = places_[at].flight_next;
      Cut why{};
      if (overdue(lane, places_[at], now, why)) {
        --room;
        cut(at, places_[at].generation, why);
        take_back(id, at, why, now);
      }
      at = next;
    }
  }
}

}  // namespace sallyport::admission
