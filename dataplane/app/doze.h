// Where an idle worker waits for the next frame instead of asking for it again and again: in one
// epoll on its ports' descriptors (PortDriver::arrivals) and its bell. Possible when every port has
// one; with a port among them that can only be polled the worker pauses instead (app/pause.h).
//
// The order that loses no frame: begin(), look once more at everything, wait() if there was
// nothing, look at what came, end(). What comes before begin() is met by the first look, what comes
// after it ends the wait; end() can wait until that is on its way.
//
// A port may promise and not keep it: DPDK 22.11 takes MSI-X for what has none, and the interrupt
// never comes. So who sleeps to the end and then finds frames says so (overslept()); a port that
// did so kMissed times in a row is polled from then on, and so is everything.
//
// What another worker leaves in a ring (dataplane/crew.h) is announced by the bell too
// (Worker::stand_beside).
//
// Thread: the worker; bell() and possible() anybody's. Failures: without descriptors it is not
// possible().
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "dataplane/bell.h"
#include "dataplane/poller.h"

namespace sallyport::dataplane {

class Doze {
 public:
  // What no descriptor announces waits as long: ages, timers, credits that were given back. A
  // hundred wake-ups a second are a fifth of a percent of a core.
  static constexpr Duration kLongest = std::chrono::milliseconds(10);
  static constexpr unsigned kMissed = 8;

  // The ports outlive it. `longest` zero: it is never possible().
  explicit Doze(const std::vector<Poller::Port>& ports, Duration longest = kLongest);

  bool possible() const noexcept { return possible_.load(std::memory_order_relaxed); }
  void begin(const LineVector<Poller::PortLoad>& loads) noexcept;
  // False if nothing came for the longest time.
  bool wait() noexcept;
  // After wait() was false, if packets came in by these ports since begin(); before end().
  void overslept(const LineVector<Poller::PortLoad>& loads) noexcept;
  void end() noexcept;
  const std::shared_ptr<Bell>& bell() const noexcept { return bell_; }

 private:
  struct Port {
    PortDriver* driver;
    std::uint64_t seen = 0;  // packets so far, at begin()
    unsigned missed = 0;     // dozes in a row that it should have ended
  };
  bool watch(int fd, std::uint64_t what) const noexcept;
  int longest_ms_;
  std::vector<Port> ports_;
  std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  os::UniqueFd epoll_;
  std::atomic<bool> possible_ = false;
};

}  // namespace sallyport::dataplane
