// The worker thread: polls its ports and host-stack rings, runs the pipeline, sleeps when there is
// nothing to do: until a frame arrives if all of its ports can tell (app/doze.h), else briefly.
// Everything else talks to it by do_between_bursts(), which runs a function on the worker between
// two bursts: at that moment no packet is in the pipeline, so swapping tables there is a quiescent
// swap, and reading any of its state is safe.
//
// A worker that does not come round any more would leave a gateway that looks alive and forwards
// nothing, or forwards under yesterday's policy: then the process ends, and its supervisor starts
// another.
//
// Thread: start, stop and do_between_bursts are for the control thread alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/app/doze.h"
#include "dataplane/cache_line.h"
#include "dataplane/crew.h"
#include "dataplane/poller.h"
#include "dataplane/tap/tap_thread.h"

namespace sallyport::dataplane {

class alignas(kCacheLine) Worker {
 public:
  using Port = Poller::Port;
  // All outlive the worker. `longest_doze`: as Doze's.
  Worker(Pipeline& pipeline, TapThread& taps, std::vector<Port> ports, std::string name = "worker",
         Duration longest_doze = Doze::kLongest);
  ~Worker();
  // Another worker, to be rung after each turn that has put something into this ring of its.
  // Before start().
  void stand_beside(Crossing& to, std::shared_ptr<Bell> bell) {
    beside_.push_back({&to, std::move(bell)});
  }
  void start();
  // What the thread does over and over: bursts of all of its ports, and what others want of it.
  // Returns how many packets came. While it has no thread, anybody's.
  std::size_t turn(Instant now) noexcept;
  // Returns when `work` has run. `work` must not block.
  void do_between_bursts(const std::function<void(Pipeline&)>& work);

  // Time without a turn after which the process ends.
  static constexpr Duration kLongestTurn = std::chrono::seconds(5);
  static constexpr int kStalledExit = 70;  // EX_SOFTWARE
  // Looks whether the worker has come round since the last look, and ends the process if it has not
  // for kLongestTurn. Call at least twice a second; of a longer pause between two looks (the whole
  // process was stopped) half a second counts.
  void watch(Instant now) noexcept;

  // Between bursts only.
  const LineVector<Poller::PortLoad>& loads() const { return poller_.loads(); }
  std::uint64_t polls() const { return turns_.value.load(std::memory_order_relaxed); }
  std::uint64_t sleeps() const { return sleeps_; }

  // Whether it sleeps until it is woken. Any thread.
  bool woken() const noexcept { return doze_.possible(); }
  // To be rung by those who leave packets in a ring of the worker's.
  const std::shared_ptr<Bell>& bell() const noexcept { return doze_.bell(); }

 private:
  struct Beside {
    Crossing* to;
    std::shared_ptr<Bell> bell;
  };
  void run();
  bool asked() const noexcept { return request_.load(std::memory_order_acquire) != nullptr; }

  OwnLine<std::atomic<std::uint64_t>> turns_;
  std::string name_;
  Pipeline& pipeline_;
  TapThread& taps_;
  std::uint64_t sleeps_ = 0;
  std::atomic<const std::function<void(Pipeline&)>*> request_{nullptr};
  Poller poller_;
  Doze doze_;
  // Written by the control thread.
  alignas(kCacheLine) std::uint64_t seen_turns_ = 0;
  Instant looked_;
  Duration without_turn_{0};
  std::vector<Beside> beside_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
};

}  // namespace sallyport::dataplane
