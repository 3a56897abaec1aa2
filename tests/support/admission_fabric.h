// Several admission engines of one conduit, and a post between them that can lose, repeat and
// delay messages; a server that ends every handshake after a fixed time. Time by assignment.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "policy/admission/engine.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {

class Fabric {
 public:
  struct Options {
    WorkerId workers = 3;
    WorkerId owner = 1;
    std::uint32_t rate = 1000;
    std::uint32_t inflight = 64;
    LaneId lanes = 2;
    std::uint32_t pairs_per_lane = 200;  // at each worker
    Duration flight = std::chrono::milliseconds(20);
    Duration post = std::chrono::milliseconds(1);
  };

  explicit Fabric(const Options& options) : options_(options) {
    for (WorkerId w = 0; w < kMaxWorkers; ++w) memory_.emplace_back(places());
    start(options.workers);
    configure(1);
    for (WorkerId w = 0; w < workers(); ++w) bind(w);
  }

  WorkerId workers() const { return static_cast<WorkerId>(engines_.size()); }
  Engine& engine(WorkerId w) { return *engines_[w]; }
  Engine& owner() { return *engines_[options_.owner]; }
  std::size_t places() const { return std::size_t{options_.lanes} * options_.pairs_per_lane; }
  PairId pair(LaneId lane, std::uint32_t i) const { return lane * options_.pairs_per_lane + i; }

  void configure(std::uint32_t generation) {
    for (WorkerId w = 0; w < workers(); ++w) configure_one(w, generation);
  }
  void configure_one(WorkerId w, std::uint32_t generation) {
    ConduitConfig config;
    config.owner = options_.owner;
    config.rate_per_s = options_.rate;
    config.inflight = options_.inflight;
    config.per_device_per_s = 0;
    std::vector<Engine::LaneSpec> lanes;
    for (LaneId lane = 0; lane < options_.lanes; ++lane) lanes.push_back({.id = lane});
    engines_[w]->set_conduit(0, config, lanes, generation, at(now));
  }
  void move_owner(WorkerId to, std::uint32_t generation) {
    options_.owner = to;
    configure(generation);
  }

  // Another number of workers: new engines, as after a restart of the data plane's threads; what
  // was in flight is known to nobody any more.
  void restart(WorkerId workers, std::uint32_t generation) {
    mail_.clear();
    flying_.clear();
    engines_.clear();
    for (auto& memory : memory_) std::ranges::fill(memory, Place{});
    start(workers);
    configure(generation);
    for (WorkerId w = 0; w < workers; ++w) bind(w);
  }

  void everybody_dials(std::uint16_t port) {
    for (WorkerId w = 0; w < workers(); ++w)
      for (LaneId lane = 0; lane < options_.lanes; ++lane)
        for (std::uint32_t i = 0; i < options_.pairs_per_lane; ++i) arrive(w, pair(lane, i), port);
  }
  void arrive(WorkerId w, PairId pair, std::uint16_t port) {
    const Decision d = engines_[w]->arrive(pair, syn(port, pair), at(now));
    if (d.verdict == Verdict::kPass) fly(w, d.place, engines_[w]->generation(d.place));
  }

  // One millisecond: messages arrive, handshakes end, every worker polls.
  void step() {
    now += std::chrono::milliseconds(1);
    deliver();
    for (std::size_t i = 0; i < flying_.size();) {
      const Flight f = flying_[i];
      if (f.end > now) {
        ++i;
        continue;
      }
      flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(i));
      Engine& e = *engines_[f.worker];
      e.progress(f.place, f.generation, Progress::kServerAnswered, Handshake::kFull, {}, at(now));
      e.progress(f.place, f.generation, Progress::kClientHello, Handshake::kFull, {}, at(now));
      if (e.finished(f.place, f.generation, Outcome::kEstablished, Handshake::kFull,
                     std::chrono::milliseconds(10), at(now)))
        ++established;
    }
    for (WorkerId w = 0; w < workers(); ++w) poll(w);
  }
  void run(Duration span) {
    for (const Duration end = now + span; now < end;) step();
  }

  // What is really in flight, as the workers' places say.
  std::uint32_t truly_in_flight() const {
    std::uint32_t n = 0;
    for (const auto& engine : engines_)
      for (PlaceId id = 0; id < places(); ++id)
        n += in_flight(engine->shard().place(id).state) ? 1 : 0;
    return n;
  }

  Duration now{};
  std::uint64_t established = 0;
  std::vector<Duration> starts;  // of every handshake
  // What happens to a message: how many copies arrive, and how much later each.
  std::function<std::vector<Duration>(const Action&)> fate;

 private:
  struct Mail {
    Duration due;
    Action action;
  };
  struct Flight {
    WorkerId worker;
    PlaceId place;
    std::uint32_t generation;
    Duration end;
  };

  void start(WorkerId workers) {
    for (WorkerId w = 0; w < workers; ++w)
      engines_.push_back(std::make_unique<Engine>(
          memory_[w],
          Engine::Limits{.conduits = 1, .lanes = options_.lanes, .self = w, .workers = workers}));
  }
  void bind(WorkerId w) {
    for (LaneId lane = 0; lane < options_.lanes; ++lane)
      for (std::uint32_t i = 0; i < options_.pairs_per_lane; ++i)
        engines_[w]->bind(pair(lane, i), lane, 1);
  }
  void fly(WorkerId w, PlaceId place, std::uint32_t generation) {
    starts.push_back(now);
    flying_.push_back({w, place, generation, now + options_.flight});
  }
  void deliver() {
    for (std::size_t i = 0; i < mail_.size();) {
      if (mail_[i].due > now) {
        ++i;
        continue;
      }
      const Action a = mail_[i].action;
      mail_.erase(mail_.begin() + static_cast<std::ptrdiff_t>(i));
      if (a.to >= workers()) continue;
      if (a.kind == Action::Kind::kReport) {
        engines_[a.to]->receive(a.report, at(now));
      } else {
        engines_[a.to]->receive(a.grant, at(now));
      }
    }
  }
  void poll(WorkerId w) {
    std::array<Action, 64> actions;
    for (std::size_t n = actions.size(); n == actions.size();) {
      n = engines_[w]->poll(at(now), actions);
      for (std::size_t i = 0; i < n; ++i) {
        const Action& a = actions[i];
        if (a.kind == Action::Kind::kRelease) {
          fly(w, a.place, a.generation);
        } else if (a.kind != Action::Kind::kCut) {
          for (const Duration later : fate ? fate(a) : std::vector<Duration>{Duration(0)})
            mail_.push_back({now + options_.post + later, a});
        }
      }
    }
  }

  Options options_;
  std::vector<std::vector<Place>> memory_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<Mail> mail_;
  std::vector<Flight> flying_;
};

}  // namespace sallyport::admission::test
