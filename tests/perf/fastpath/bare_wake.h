// What the machine alone takes until a thread that was idle answers: the peers of a first packet.
// Threads that do nothing else, on the gateway's core, asked by the prober's thread, which spins
// until the answer is there, as it does for a packet. Their slices are those of the thread that
// makes them (app/short_slice.h).
//
// Thread: the prober's. No allocation after make().
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "policy/base/units.h"
#include "policy/os/fd.h"
#include "tests/perf/timing/histogram.h"

namespace sallyport::bench {

class BareWake {
 public:
  // `chain` threads, each asleep in an epoll on an eventfd as a worker's is (app/doze.h): the first
  // is woken by the asker and wakes the next, the last one answers. They stay on this core.
  BareWake(std::size_t chain, int core);
  // One thread that sleeps for `pause` again and again and looks in between, as a worker does that
  // polls.
  BareWake(Duration pause, int core);
  ~BareWake();
  BareWake(const BareWake&) = delete;
  BareWake& operator=(const BareWake&) = delete;

  // Asks once, and waits for the answer.
  void ask() noexcept;
  // From just before it was asked until the answer was there.
  const Histogram& cycles() const { return cycles_; }

 private:
  void sleep_in_epoll(std::size_t place) noexcept;
  void sleep_and_look(Duration pause) noexcept;
  void ring(std::size_t place) noexcept;

  std::vector<os::UniqueFd> bells_;
  std::atomic<bool> stop_ = false;
  // Whoever writes one has a line of its own.
  alignas(64) std::atomic<std::uint64_t> asked_ = 0;
  alignas(64) std::atomic<std::uint64_t> answered_ = 0;
  alignas(64) Histogram cycles_;
  std::vector<std::thread> threads_;
};

}  // namespace sallyport::bench
