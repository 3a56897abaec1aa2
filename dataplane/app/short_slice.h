// A thread that sleeps until a frame comes should run when it is woken, also where its core is in
// use. Linux lets whoever runs go on for its slice, milliseconds, unless the one that wakes has
// asked for a shorter one (since 6.12, EEVDF; sched_setattr(2)). It asks for no greater share of
// the core, and needs no privilege.
//
// Of this thread and those that it starts from now on. Before the walls are closed (app/walls.h):
// afterwards nobody changes how it is scheduled. Where the kernel knows no slices, or somebody gave
// the thread another policy than the usual one, everything stays as it is.
#pragma once

#include "policy/base/units.h"

namespace sallyport::dataplane {

// The shortest that there is.
inline constexpr Duration kShortSlice = std::chrono::microseconds(100);

void take_short_slices() noexcept;

}  // namespace sallyport::dataplane
