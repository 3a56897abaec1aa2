// How one thread wakes another that may be asleep in poll or epoll, at no cost while it is not.
//
// The sleeper says that it is about to sleep, looks once more for what others may have left, and
// sleeps on descriptor(). Whoever leaves something rings afterwards. Both sides exchange the same
// word in between, and of two exchanges one comes first: either ring() finds the sleeper's word and
// wakes it, or doze() comes after ring(), and with it everything that was left before; then the
// last look meets it. rise() is an exchange too, so that no chain of them is broken.
//
// Who finds the sleeper's word takes it away and makes the system call; whoever rings until the
// sleeper has risen makes none.
//
// Thread: doze() and rise() are the sleeper's, ring() anybody's.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "dataplane/cache_line.h"
#include "policy/os/fd.h"

namespace sallyport::dataplane {

class alignas(kCacheLine) Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  // -1 if the process had no descriptor left: then nobody may sleep on it.
  int descriptor() const noexcept { return fd_.get(); }

  void doze() noexcept { dozing_.exchange(1, std::memory_order_acq_rel); }
  void rise() noexcept {
    dozing_.exchange(0, std::memory_order_acq_rel);
    std::uint64_t rung = 0;
    static_cast<void>(!::read(fd_.get(), &rung, sizeof rung));
  }
  void ring() noexcept {
    if (dozing_.exchange(0, std::memory_order_acq_rel) == 0) return;
    const std::uint64_t one = 1;
    static_cast<void>(!::write(fd_.get(), &one, sizeof one));
  }

 private:
  os::UniqueFd fd_;
  std::atomic<std::uint32_t> dozing_{0};
};

}  // namespace sallyport::dataplane
