// One thread's event loop: readiness of descriptors, deadlines, and things to do right after this
// round. Level-triggered. The clock is read once per round, after waking: now() is the same for
// everything that a round does.
//
// Safe against removal: a watcher that is forgotten in the middle of a round gets no event of that
// round, even if its descriptor's number is used again at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>
#include <vector>

#include "policy/base/result.h"
#include "policy/base/units.h"
#include "policy/os/fd.h"

namespace sallyport::terminator {

class Watcher {
 public:
  virtual ~Watcher() = default;
  // `events` are epoll(7)'s.
  virtual void on_ready(int fd, std::uint32_t events) = 0;
};

class TimerTarget {
 public:
  virtual ~TimerTarget() = default;
  virtual void on_timer() = 0;
};

class Loop {
 public:
  static Result<Loop> create(Instant (*clock)());
  Instant now() const { return now_; }

  // Starts or changes watching; 0 events watch for errors only.
  void watch(int fd, std::uint32_t events, Watcher& watcher);
  void forget(int fd);

  // One deadline per target; setting replaces it.
  void set_timer(TimerTarget& target, Instant when);
  void cancel_timer(TimerTarget& target);

  // Done at the end of this round, before sleeping again.
  void defer(std::function<void()> work) { deferred_.push_back(std::move(work)); }

  // Waits until something happens, a deadline passes or `longest` is over, then dispatches.
  void run_once(std::chrono::milliseconds longest);
  // How often it has gone round: a loop with nothing to do hardly does.
  std::uint64_t rounds() const { return rounds_; }

 private:
  struct Entry {
    int fd = -1;
    Watcher* watcher = nullptr;
    std::uint32_t events = 0;
  };
  os::UniqueFd epoll_;
  Instant (*clock_)() = nullptr;
  Instant now_;
  std::uint64_t next_id_ = 1;
  std::uint64_t rounds_ = 0;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::unordered_map<int, std::uint64_t> by_fd_;
  std::set<std::pair<Instant, TimerTarget*>> timers_;
  std::unordered_map<TimerTarget*, Instant> deadlines_;
  std::vector<std::function<void()>> deferred_;
};

}  // namespace sallyport::terminator
