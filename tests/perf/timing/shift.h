// A thread that works in shifts, at another's word, and sleeps between them: so that several can
// share a core in turns, and none takes it from the one whose turn it is.
//
// Thread: begin(), end() and close() are the other's, who spins on a core of its own; over() and
// await() are the thread's.
#pragma once

#include <atomic>

namespace sallyport::bench {

class Shift {
 public:
  // Returns when the thread is at work.
  void begin() noexcept {
    say(kWork);
    while (!at_work_.load(std::memory_order_acquire)) {
    }
  }
  // Returns when the thread has put everything down.
  void end() noexcept {
    word_.store(kRest, std::memory_order_relaxed);
    over_.store(true, std::memory_order_release);
    while (at_work_.load(std::memory_order_acquire)) {
    }
  }
  // There is no further shift, and await() waits no more. After end(), or before any begin().
  void close() noexcept { say(kClosed); }

  // Asked between two pieces of work and before the first one; then await().
  const std::atomic<bool>& over() const noexcept { return over_; }
  // Sleeps until the next shift; false if there is none.
  bool await() noexcept {
    at_work_.store(false, std::memory_order_release);
    word_.wait(kRest, std::memory_order_acquire);
    if (word_.load(std::memory_order_relaxed) == kClosed) return false;
    over_.store(false, std::memory_order_relaxed);
    at_work_.store(true, std::memory_order_release);
    return true;
  }

 private:
  enum Word : int { kRest, kWork, kClosed };  // an int: what the kernel waits on
  void say(Word word) noexcept {
    word_.store(word, std::memory_order_release);
    word_.notify_one();
  }
  std::atomic<int> word_ = kRest;
  std::atomic<bool> at_work_ = false;
  // Read by the thread all the time, written once a shift.
  alignas(64) std::atomic<bool> over_ = true;
};

}  // namespace sallyport::bench
