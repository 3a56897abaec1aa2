// Linux keeps capabilities, no_new_privs and Landlock per thread, and libraries start threads of
// their own before a daemon can give up what it needed for starting. A wall around one thread is
// none: all share one memory. This makes every thread of the process build it.
//
// How: each other thread is interrupted by a real-time signal whose handler makes the call; the
// caller's own thread comes last. A thread that has the signal blocked, or does not get to it
// within kThreadDeadline, is a failure. Interrupted system calls restart where the kernel can;
// libraries that cannot stand EINTR in their threads are not for a daemon that uses this.
//
// Needs /proc when it is first called; may be called again behind Landlock. Callers in several
// threads take turns.
#pragma once

#include <array>
#include <chrono>

#include "policy/base/result.h"

namespace sallyport::os {

inline constexpr std::chrono::seconds kThreadDeadline{2};

// `number` and `arguments` as for syscall(2); must succeed in each thread. Code: "every-thread".
Result<void> in_every_thread(long number, const std::array<long, 5>& arguments);

}  // namespace sallyport::os
