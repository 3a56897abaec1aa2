// The modelled server: processor sharing with a bound per handshake. With n handshakes in progress
// each advances at min(C / n, 1 / L) per second, where L is what one takes alone; so up to C * L of
// them it is merely busy, beyond that everyone waits longer. A handshake that has not ended after
// the handshake timeout is thrown away, with the work that went into it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "tests/perf/storm/event_wheel.h"

namespace sallyport::storm {

class Server {
 public:
  Server(double capacity, double alone_s, Slot timeout)
      : capacity_(capacity), alone_s_(alone_s), timeout_(timeout) {}

  void set_capacity(double capacity, double alone_s) {
    capacity_ = capacity;
    alone_s_ = alone_s;
  }
  double capacity() const { return capacity_; }

  // `cost` 1 for a full handshake, a quarter for a resumed one.
  void start(std::uint32_t client, std::uint32_t attempt, bool resumed, Slot now) {
    const unsigned kind = resumed ? 1 : 0;
    const Job job{client, attempt, now, progress_ + (resumed ? 0.25 : 1.0)};
    running_[kind].push_back(job);
    ++active_;
    if (client >= alive_.size()) alive_.resize(client + 1, 0);
    alive_[client] = attempt + 1;
  }
  // The client is gone; its job ends without result.
  void cancel(std::uint32_t client, std::uint32_t attempt) {
    if (client >= alive_.size() || alive_[client] != attempt + 1) return;
    alive_[client] = 0;
    --active_;
  }
  void lose_all() {
    for (auto& jobs : running_) jobs.clear();
    std::ranges::fill(alive_, 0);
    active_ = 0;
  }
  std::uint32_t active() const { return active_; }

  // One slot passes. done(client, attempt, started) and expired(client, attempt).
  template <class Done, class Expired>
  void step(Slot now, Done&& done, Expired&& expired) {
    if (active_ == 0) return;
    double left = to_seconds(1);
    // The share changes as handshakes end within the slot.
    for (;;) {
      drop_dead();
      if (active_ == 0) break;
      const double rate = std::min(capacity_ / active_, 1.0 / alone_s_);
      Job* first = nullptr;
      unsigned kind = 0;
      for (unsigned k = 0; k < running_.size(); ++k) {
        if (running_[k].empty()) continue;
        if (first == nullptr || running_[k].front().ends < first->ends) {
          first = &running_[k].front();
          kind = k;
        }
      }
      const double needs = (first->ends - progress_) / rate;
      if (needs > left) {
        progress_ += rate * left;
        break;
      }
      left -= std::max(needs, 0.0);
      progress_ = std::max(progress_, first->ends);
      const Job job = *first;
      running_[kind].pop_front();
      alive_[job.client] = 0;
      --active_;
      done(job.client, job.attempt, job.started);
    }
    for (auto& jobs : running_) {
      while (!jobs.empty() && now - jobs.front().started >= timeout_) {
        const Job job = jobs.front();
        jobs.pop_front();
        if (alive_[job.client] != job.attempt + 1) continue;
        alive_[job.client] = 0;
        --active_;
        expired(job.client, job.attempt);
      }
    }
  }

 private:
  struct Job {
    std::uint32_t client, attempt;
    Slot started;
    double ends;  // in progress of one handshake since the beginning
  };
  void drop_dead() {
    for (auto& jobs : running_)
      while (!jobs.empty() && alive_[jobs.front().client] != jobs.front().attempt + 1)
        jobs.pop_front();
  }

  double capacity_;
  double alone_s_;
  Slot timeout_;
  double progress_ = 0;
  std::array<std::deque<Job>, 2> running_;  // by cost; of one cost the first in is the first out
  std::vector<std::uint32_t> alive_;        // by client: attempt + 1 of its job
  std::uint32_t active_ = 0;
};

}  // namespace sallyport::storm
