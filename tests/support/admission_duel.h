// The engine and its naive twin, side by side under one schedule of events. Choices come from a
// function of the caller's (a seeded generator, or a fuzzer's bytes), so any run can be repeated.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/admission_naive.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {

class Duel {
 public:
  // `choose(n)` yields a number below n; what it says when it has run out does not matter.
  template <class Choose>
  explicit Duel(Choose& choose) {
    config_.rate_per_s = std::array{0U, 20U, 50U, 200U, 1000U}[choose(5)];
    config_.inflight = std::array{4U, 8U, 32U}[choose(3)];
    config_.per_device_per_s = choose(3);
    config_.handshake_timeout = std::array<Duration, 2>{1s, 4s}[choose(2)];
    const unsigned lanes = 1 + choose(3);
    parallel_ = 1 + choose(4);
    per_lane_ = 1 + choose(6);
    for (unsigned i = 0; i < lanes; ++i)
      specs_.push_back({.id = static_cast<LaneId>(i),
                        .weight = static_cast<std::uint16_t>(1 + choose(3)),
                        .priority = static_cast<std::uint8_t>(choose(4) == 0 ? 1 : 0)});
    memory_.resize(std::size_t{lanes} * per_lane_ * parallel_);
    engine_ = std::make_unique<Engine>(
        memory_, Engine::Limits{.conduits = 1, .lanes = lanes, .self = 0, .workers = 1});
    engine_->set_conduit(0, config_, specs_, 1, at(now_));
    naive_ = std::make_unique<NaiveEngine>(config_, specs_, at(now_));
    for (unsigned i = 0; i < lanes * per_lane_; ++i) {
      engine_->bind(i * parallel_, static_cast<LaneId>(i / per_lane_), parallel_);
      naive_->bind(i * parallel_, static_cast<LaneId>(i / per_lane_), parallel_);
    }
    clients_.resize(std::size_t{lanes} * per_lane_);
  }

  // One event for both; what they did differently, if anything.
  template <class Choose>
  std::optional<std::string> step(Choose&& choose) {
    switch (choose(8)) {
      case 0:
      case 1:
        return arrival(choose(static_cast<unsigned>(clients_.size())), true, choose);
      case 2:
      case 3:
        return arrival(choose(static_cast<unsigned>(clients_.size())), false, choose);
      case 4:
        return finish(choose);
      case 5:
        return progress(choose);
      default: {
        const unsigned kind = choose(16);
        now_ += kind == 0   ? Duration(std::chrono::milliseconds(100 * (1 + choose(9))))
                : kind == 1 ? Duration(0)
                            : Duration(std::chrono::milliseconds(1 + choose(40)));
        return poll();
      }
    }
  }

  std::optional<std::string> poll() {
    std::vector<NaiveEngine::Act> ours;
    for (std::size_t n = actions_.size(); n == actions_.size();) {
      n = engine_->poll(at(now_), actions_);
      for (std::size_t i = 0; i < n; ++i) {
        const Action& a = actions_[i];
        const bool cut = a.kind == Action::Kind::kCut;
        ours.push_back({cut, cut ? a.cut : Cut::kUnanswered, a.place});
        if (cut) {
          std::erase_if(flights_, [&](const Flight& f) { return f.place == a.place; });
        } else {
          flights_.push_back({a.place, a.generation});
        }
      }
    }
    engine_->audit();
    const auto theirs = naive_->poll(at(now_));
    if (ours != theirs) return "acts: " + text(ours) + " but the twin: " + text(theirs);
    if (engine_->budget().in_flight(0) != naive_->in_flight_total()) return "in flight differs";
    if (engine_->budget().in_flight(0) > config_.inflight) return "in flight above its bound";
    return std::nullopt;
  }

  Duration now() const { return now_; }

 private:
  struct Flight {
    PlaceId place;
    std::uint32_t generation;
  };
  struct Client {
    std::vector<Arrival> attempts;  // newest last
  };

  template <class Choose>
  std::optional<std::string> arrival(unsigned index, bool fresh, Choose&& choose) {
    Client& client = clients_[index];
    if (fresh || client.attempts.empty()) {
      client.attempts.push_back(
          syn(static_cast<std::uint16_t>(1024 + serial_ % 5), serial_ / 3, choose(8) != 0));
      ++serial_;
      if (client.attempts.size() > 5) client.attempts.erase(client.attempts.begin());
    }
    const Arrival& a = fresh
                           ? client.attempts.back()
                           : client.attempts[choose(static_cast<unsigned>(client.attempts.size()))];
    const Decision decision = engine_->arrive(index * parallel_, a, at(now_));
    const Verdict verdict = naive_->arrive(index * parallel_, a, at(now_));
    if (decision.verdict == Verdict::kPass && std::ranges::none_of(flights_, [&](const Flight& f) {
          return f.generation == engine_->generation(decision.place);
        }))
      flights_.push_back({decision.place, engine_->generation(decision.place)});
    if (decision.verdict != verdict)
      return "verdict " + std::to_string(static_cast<int>(decision.verdict)) +
             " but the twin: " + std::to_string(static_cast<int>(verdict));
    return std::nullopt;
  }

  template <class Choose>
  std::optional<std::string> finish(Choose&& choose) {
    if (flights_.empty()) return std::nullopt;
    const unsigned i = choose(static_cast<unsigned>(flights_.size()));
    const Flight flight = flights_[i];
    flights_.erase(flights_.begin() + i);
    const auto outcome = static_cast<Outcome>(choose(5));
    const auto kind = static_cast<Handshake>(choose(4));
    const Duration server = std::chrono::milliseconds(choose(60));
    if (!engine_->finished(flight.place, flight.generation, outcome, kind, server, at(now_)))
      return "a flight was not in flight";
    if (engine_->finished(flight.place, flight.generation, outcome, kind, server, at(now_)))
      return "a credit came back twice";
    if (!naive_->finished(flight.place, outcome, kind, server, at(now_))) return "not for the twin";
    return std::nullopt;
  }

  template <class Choose>
  std::optional<std::string> progress(Choose&& choose) {
    if (flights_.empty()) return std::nullopt;
    const Flight flight = flights_[choose(static_cast<unsigned>(flights_.size()))];
    const auto what = static_cast<Progress>(choose(3));
    const auto kind = static_cast<Handshake>(choose(4));
    const Duration server = std::chrono::milliseconds(choose(60));
    if (choose(4) == 0) {
      engine_->asks(flight.place, flight.generation, kind);
      naive_->asks(flight.place, kind);
    }
    engine_->progress(flight.place, flight.generation, what, kind, server, at(now_));
    naive_->progress(flight.place, what, kind, server, at(now_));
    return std::nullopt;
  }

  static std::string text(const std::vector<NaiveEngine::Act>& acts) {
    std::string out;
    for (const auto& a : acts)
      out += (a.cut ? "cut" + std::to_string(static_cast<int>(a.why)) + ":" : "go:") +
             std::to_string(a.place) + " ";
    return out;
  }

  ConduitConfig config_;
  std::vector<Engine::LaneSpec> specs_;
  unsigned parallel_ = 1, per_lane_ = 1;
  std::vector<Place> memory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<NaiveEngine> naive_;
  std::vector<Client> clients_;
  std::vector<Flight> flights_;
  std::array<Action, 512> actions_;
  std::uint32_t serial_ = 1;
  Duration now_ = 1s;
};

}  // namespace sallyport::admission::test
