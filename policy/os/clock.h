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

}  // namespace sallyport::os
