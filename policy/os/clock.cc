#include "policy/os/clock.h"

#include <sys/timex.h>

#include <ctime>

namespace sallyport::os {
namespace {
std::int64_t read(clockid_t clock) noexcept {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
}  // namespace

Instant steady_now() noexcept { return Instant::from_ns(read(CLOCK_MONOTONIC)); }
std::int64_t wall_ns() noexcept { return read(CLOCK_REALTIME); }

bool clock_synchronised() noexcept {
  timex state = {};
  return ::adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

}  // namespace sallyport::os
