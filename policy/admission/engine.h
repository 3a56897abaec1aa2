// The admission engine of one worker: its shard of places and the budgets of the conduits that it
// owns. This is the face that the data plane, the simulator and the tests use.
//
// Per packet (at a flow-table miss of a SYN or first ClientHello that policy allows):
//     engine.prefetch(pair of the packet kPrefetchAhead later), engine.arrive(pair, arrival, now)
// Per loop, at least every millisecond while anything waits or is in flight:
//     n = engine.poll(now, actions): release SYNs, forget flows, carry messages to other workers
// Per event of an admitted flow: progress(), finished(). A credit is named by place and generation;
// a return of another generation changes nothing and is counted.
//
// Messages (LaneReport to a conduit's owner, LaneGrant to a shard) are values that the caller
// carries over any single-producer single-consumer ring and hands to receive() at the other side.
// They may be lost or repeated; nothing is ever granted beyond a bound because of it.
//
// Time: `now` never needs to be the same clock for two engines. An earlier `now` than before counts
// as the latest one seen.
//
// Thread: one worker's. Configuration calls come from the same thread. Everything is allocated in
// the constructor, save the places, which the caller provides. Source: issue of reconnect storms
// (2.4.7.25), docs/design/0003-admission.md.
#pragma once

#include <span>
#include <vector>

#include "policy/admission/budget.h"
#include "policy/admission/shard.h"
#include "policy/admission/types.h"

namespace sallyport::admission {

// Interleaved with decisions, misses overlap with work; in one go before them they do not.
inline constexpr unsigned kPrefetchAhead = 16;

class Engine {
 public:
  struct Limits {
    std::size_t conduits = 1;
    std::size_t lanes = 1;
    WorkerId self = 0;
    WorkerId workers = 1;
  };
  struct LaneSpec {
    LaneId id = 0;
    std::uint16_t weight = 1;
    std::uint8_t priority = 0;
  };

  // `places` zeroed (or of a former engine with the same limits), 64-byte aligned, outliving this.
  Engine(std::span<Place> places, const Limits& limits);

  // Brings a conduit into force, or replaces it: `lanes` are all it has from now on. Each worker
  // must be given the same with the same generation, which must differ from the one before; what is
  // in flight in lanes that stay is carried over.
  void set_conduit(ConduitId id, const ConduitConfig& config, std::span<const LaneSpec> lanes,
                   std::uint32_t generation, Instant now);
  // Its credits are void. Its pairs must be unbound before they are bound again.
  void remove_conduit(ConduitId id, Instant now);
  void bind(PairId pair, LaneId lane, unsigned parallel) { shard_.bind(pair, lane, parallel); }
  void unbind(PairId pair) { shard_.unbind(pair); }

  void prefetch(PairId pair) const { shard_.prefetch(pair); }
  Decision arrive(PairId pair, const Arrival& arrival, Instant now) noexcept;
  // Of the place's newest credit.
  std::uint32_t generation(PlaceId place) const { return shard_.place(place).generation; }
  // `kind` and `server_time` (ClientHello seen to first flight seen, or the terminator's own
  // measurement) count with kServerHello; a caller that cannot see them gives them to finished().
  bool progress(PlaceId place, std::uint32_t generation, Progress what, Handshake kind,
                Duration server_time, Instant now) noexcept {
    return shard_.progress(place, generation, what, kind, server_time, tick(now));
  }
  // For a caller that can read a ClientHello: what kind of handshake it asks for (a ticket, a PSK,
  // a hybrid share). Without it the client is charged with what its last one was.
  bool asks(PlaceId place, std::uint32_t generation, Handshake kind) noexcept {
    return shard_.asks(place, generation, kind);
  }
  bool finished(PlaceId place, std::uint32_t generation, Outcome outcome, Handshake kind,
                Duration server_time, Instant now) noexcept {
    return shard_.finished(place, generation, outcome, kind, server_time, tick(now));
  }

  void receive(const LaneReport& report, Instant now) { budget_.take_report(report, advance(now)); }
  void receive(const LaneGrant& grant, Instant now);

  // Fills `out` from its beginning and says how much; what found no room comes with the next call.
  std::size_t poll(Instant now, std::span<Action> out);
  // Nothing waits, nothing is in flight, no message is due: poll may pause until the next event.
  bool idle() const;

  const Shard& shard() const { return shard_; }
  const Budget& budget() const { return budget_; }
  void audit() const { shard_.audit(); }

 private:
  struct Conduit {
    ConduitConfig config{};
    std::uint32_t generation = 0;
    bool used = false;
  };
  // What poll has to send to another worker.
  struct Pending {
    LaneId lane = 0;
    WorkerId worker = 0;
  };

  Instant advance(Instant now) {
    if (now > now_) now_ = now;
    return now_;
  }
  Tick tick(Instant now) { return to_tick(advance(now)); }
  bool owns(ConduitId id) const { return conduits_[id].config.owner == limits_.self; }
  void settle(std::span<Action> out, std::size_t& used);
  void repeat_messages(Tick now);
  void send_grants(std::span<Action> out, std::size_t& used);
  void spend_stashes(std::span<Action> out, std::size_t& used);
  Action release(PlaceId place) const;

  Limits limits_;
  Shard shard_;
  Budget budget_;
  std::vector<Conduit> conduits_;
  std::vector<std::uint32_t> granting_;  // turns not yet sent, by lane and worker
  std::vector<Pending> to_send_;
  std::vector<bool> resend_;
  std::vector<LaneId> stashed_;   // lanes that received turns
  std::vector<LaneId> deferred_;  // reports to others that wait for the next tick
  Instant now_;
  Tick reported_ = 0;  // when reports last went to others
  Tick repeated_ = 0;
};

}  // namespace sallyport::admission
