// A small world around an admission engine for tests: one worker, a few lanes, time by assignment,
// and a server that the test answers for by hand. Nothing here decides anything.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "policy/admission/engine.h"

namespace sallyport::admission::test {

using namespace std::chrono_literals;

// Seeded chance in 32 bits.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

inline Instant at(Duration since_start) {
  return Instant::from_ns(1'000'000'000'000) + since_start;
}

inline Arrival syn(std::uint16_t port, std::uint32_t sequence, bool holdable = true) {
  Arrival arrival;
  arrival.syn.source_port = port;
  arrival.syn.sequence = sequence;
  arrival.holdable = holdable;
  return arrival;
}

struct Released {
  PlaceId place = kNone;
  PairId pair = kNone;
  std::uint32_t generation = 0;
  LaneId lane = 0;
  Duration when{};
};

class World {
 public:
  struct Options {
    std::uint32_t rate = 1000;
    std::uint32_t inflight = 1024;
    std::uint32_t per_device = 0;
    std::vector<std::uint16_t> weights{1};
    std::vector<std::uint8_t> priorities{};
    std::uint32_t pairs_per_lane = 100;
    unsigned parallel = 1;
  };

  explicit World(const Options& options)
      : options_(options),
        memory_(options.weights.size() * options.pairs_per_lane * options.parallel),
        engine_(memory_,
                {.conduits = 2, .lanes = options.weights.size() + 1, .self = 0, .workers = 1}) {
    configure(1);
    for (std::size_t lane = 0; lane < options_.weights.size(); ++lane) {
      for (std::uint32_t i = 0; i < options_.pairs_per_lane; ++i)
        engine_.bind(pair(static_cast<LaneId>(lane), i), static_cast<LaneId>(lane),
                     options_.parallel);
    }
  }

  void configure(std::uint32_t generation) {
    ConduitConfig config;
    config.rate_per_s = options_.rate;
    config.inflight = options_.inflight;
    config.per_device_per_s = options_.per_device;
    std::vector<Engine::LaneSpec> lanes;
    for (std::size_t lane = 0; lane < options_.weights.size(); ++lane)
      lanes.push_back({.id = static_cast<LaneId>(lane),
                       .weight = options_.weights[lane],
                       .priority = lane < options_.priorities.size() ? options_.priorities[lane]
                                                                     : std::uint8_t{0}});
    engine_.set_conduit(0, config, lanes, generation, at(now));
  }

  PairId pair(LaneId lane, std::uint32_t index) const {
    return (lane * options_.pairs_per_lane + index) * options_.parallel;
  }

  Decision arrive(PairId pair, const Arrival& arrival) {
    return engine_.arrive(pair, arrival, at(now));
  }

  // The credit of a decision that let its packet through.
  Released released(const Decision& decision) const {
    return {.place = decision.place, .generation = engine_.generation(decision.place)};
  }

  // One millisecond of polling; what was released joins `flights`.
  std::vector<Released> poll() {
    std::array<Action, 64> actions;
    std::vector<Released> out;
    for (;;) {
      const std::size_t n = engine_.poll(at(now), actions);
      for (std::size_t i = 0; i < n; ++i) {
        const Action& action = actions[i];
        if (action.kind == Action::Kind::kRelease) {
          out.push_back({action.place, action.pair, action.generation, action.lane, now});
        } else if (action.kind == Action::Kind::kCut) {
          cuts.push_back(action);
        }
      }
      if (n < actions.size()) return out;
    }
  }

  // Runs for `span`; every release is finished as established `flight` later.
  std::vector<Released> run(Duration span, Duration flight = 20ms) {
    std::vector<Released> out;
    for (const Duration end = now + span; now < end; now += 1ms) {
      while (!pending_.empty() && pending_.front().when + flight <= now) {
        finish(pending_.front(), Outcome::kEstablished, flight / 2);
        pending_.erase(pending_.begin());
      }
      for (const Released& r : poll()) {
        out.push_back(r);
        pending_.push_back(r);
      }
    }
    return out;
  }

  bool finish(const Released& r, Outcome outcome, Duration server_time = 10ms,
              Handshake kind = Handshake::kFull) {
    if (outcome == Outcome::kEstablished) {
      engine_.progress(r.place, r.generation, Progress::kServerAnswered, Handshake::kFull, 0ms,
                       at(now));
      engine_.progress(r.place, r.generation, Progress::kClientHello, Handshake::kFull, 0ms,
                       at(now));
    }
    return engine_.finished(r.place, r.generation, outcome, kind, server_time, at(now));
  }

  Engine& engine() { return engine_; }
  std::uint32_t in_flight() const { return engine_.budget().in_flight(0); }

  Duration now{};
  std::vector<Action> cuts;

 private:
  Options options_;
  std::vector<Place> memory_;
  Engine engine_;
  std::vector<Released> pending_;
};

}  // namespace sallyport::admission::test
