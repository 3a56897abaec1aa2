// The worker thread: polls its ports and host-stack rings, runs the pipeline, sleeps briefly when
// there is nothing to do. Everything else talks to it by do_between_bursts(), which runs a function
// on the worker between two bursts: at that moment no packet is in the pipeline, so swapping tables
// there is a quiescent swap, and reading any of its state is safe.
//
// Thread: start, stop and do_between_bursts are for the control thread alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "dataplane/poller.h"
#include "dataplane/tap/tap_thread.h"

namespace sallyport::dataplane {

class Worker {
 public:
  using Port = Poller::Port;
  // All outlive the worker.
  Worker(Pipeline& pipeline, TapThread& taps, std::vector<Port> ports);
  ~Worker();
  void start();
  // Returns when `work` has run. `work` must not block.
  void do_between_bursts(const std::function<void(Pipeline&)>& work);

  // Between bursts only.
  const std::vector<Poller::PortLoad>& loads() const { return poller_.loads(); }
  std::uint64_t polls() const { return polls_; }
  std::uint64_t sleeps() const { return sleeps_; }

 private:
  void run();

  Pipeline& pipeline_;
  TapThread& taps_;
  Poller poller_;
  std::uint64_t polls_ = 0;
  std::uint64_t sleeps_ = 0;
  std::atomic<const std::function<void(Pipeline&)>*> request_{nullptr};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sallyport::dataplane
