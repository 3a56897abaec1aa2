// The only readings of a clock. Main loops and I/O threads call these once per round and pass the
// value down.
#pragma once

#include <cstdint>

#include "policy/base/units.h"

namespace sallyport::os {

// CLOCK_MONOTONIC.
Instant steady_now() noexcept;
// CLOCK_REALTIME in nanoseconds since 1970; may jump.
std::int64_t wall_ns() noexcept;
// The kernel has been told that its clock follows another one (adjtimex(2), STA_UNSYNC not set), as
// chrony and systemd-timesyncd do.
bool clock_synchronised() noexcept;

}  // namespace sallyport::os
