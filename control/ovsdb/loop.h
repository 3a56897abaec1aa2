// The main loop: libopenvswitch's poll_loop and its clock. Each turn, everybody says what to wake
// up for; block() sleeps until one of these happens.
//
// Thread: the main thread only.
#pragma once

#include <chrono>

namespace sallyport::control {

// Milliseconds of the monotonic clock, read once per turn of the loop.
using Millis = std::chrono::milliseconds;

struct Loop {
  static void wake_on(int fd, bool read, bool write);
  static void wake_at(Millis when);
  static void wake_now();
  static void block();
  static Millis now();
  // The library logs its warnings to stderr and nothing else.
  static void quiet();
};

}  // namespace sallyport::control
