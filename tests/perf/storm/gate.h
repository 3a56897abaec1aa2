// What stands between clients and server: the admission engine, or one of the baselines. A gate is
// told of packets and decides; the storm carries out.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "policy/admission/engine.h"
#include "tests/perf/storm/scenario.h"

namespace sallyport::storm {

enum class SynFate : std::uint8_t { kForward, kDrop, kReset, kAccept };

// A token bucket in front of the SYN: drop or reset above the rate.
class Bucket {
 public:
  Bucket(double rate, double size) : rate_(rate), size_(size), tokens_(size) {}
  bool take(Slot now) {
    tokens_ = std::min(size_, tokens_ + to_seconds(now - filled_) * rate_);
    filled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double rate_, size_, tokens_;
  Slot filled_ = 0;
};

// Calls into `operator new` since the program began; counted by the bench's own operator.
std::uint64_t allocations();

// The real engine, on as many workers as the scenario says, with messages that take a millisecond.
class EngineGate {
 public:
  struct Release {
    std::uint32_t client;
    admission::PlaceId place;
    std::uint32_t generation;
  };
  struct Forget {
    std::uint32_t client;
    admission::Cut why;
  };

  EngineGate(const Scenario& scenario, std::span<const std::uint8_t> segment_of, Slot now);

  admission::Decision arrive(std::uint32_t client, const admission::Arrival& arrival, Slot now);
  std::uint32_t generation(std::uint32_t client, admission::PlaceId place) const {
    return engines_[worker_of(client)]->generation(place);
  }
  void progress(std::uint32_t client, admission::PlaceId place, std::uint32_t generation,
                admission::Progress what, bool resumed, Slot server_time, Slot now);
  void asks(std::uint32_t client, admission::PlaceId place, std::uint32_t generation, bool resumed);
  // An ordinary day before the storm: everyone connects once, in no hurry.
  template <class Resumed>
  void teach(Resumed&& resumed, std::uint32_t clients) {
    for (std::uint32_t c = 0; c < clients; ++c) teach_one(c, resumed(c), c == clients - 1);
  }
  void finished(std::uint32_t client, admission::PlaceId place, std::uint32_t generation,
                admission::Outcome outcome, bool resumed, Slot server_time, Slot now);
  // One millisecond of polling every worker.
  template <class OnRelease, class OnForget>
  void poll(Slot now, OnRelease&& on_release, OnForget&& on_forget) {
    deliver(now);
    for (std::uint32_t w = 0; w < engines_.size(); ++w) {
      // A worker's loop turns many times a millisecond; one turn does a bounded amount of work.
      for (int turn = 0; turn < 20; ++turn) {
        const std::uint64_t before = allocations();
        const std::size_t n = engines_[w]->poll(instant(now), actions_);
        allocations_ += allocations() - before;
        for (std::size_t i = 0; i < n; ++i) {
          const admission::Action& a = actions_[i];
          if (a.kind == admission::Action::Kind::kRelease) {
            on_release(Release{client_of(w, a.pair), a.place, a.generation});
          } else if (a.kind == admission::Action::Kind::kCut) {
            on_forget(Forget{client_of(w, a.pair), a.cut});
          } else {
            mail_.push_back(a);
            mail_.back().place = w;  // the sender, for nobody's use but the reader's eye
          }
        }
        if (n == 0) break;
      }
    }
  }
  bool idle() const;
  std::uint64_t engine_allocations() const { return allocations_; }
  const admission::Engine& engine(std::size_t w) const { return *engines_[w]; }

  Instant instant(Slot slot) const { return begin_ + std::chrono::microseconds(250) * slot; }

 private:
  struct Lesson {
    std::uint32_t client;
    admission::PlaceId place;
    std::uint32_t generation;
    bool resumed;
    Instant end;
  };
  void teach_one(std::uint32_t client, bool resumed, bool last);
  void deliver(Slot now);
  std::uint32_t client_of(std::uint32_t worker, admission::PairId pair) const {
    return pair * static_cast<std::uint32_t>(engines_.size()) + worker;
  }
  std::uint32_t worker_of(std::uint32_t client) const {
    return client % static_cast<std::uint32_t>(engines_.size());
  }

  std::vector<std::unique_ptr<admission::Place[]>> memory_;
  std::vector<std::unique_ptr<admission::Engine>> engines_;
  std::vector<admission::Action> actions_;
  std::vector<admission::Action> mail_, delivered_;
  std::deque<Lesson> lessons_;
  Instant begin_ = Instant::from_ns(10'000'000'000);  // of the storm
  std::uint64_t allocations_ = 0;
};

}  // namespace sallyport::storm
