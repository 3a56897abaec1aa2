// The processor's time stamp counter: what benches count in. Not serialising; any thread.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

namespace sallyport::dataplane {

inline std::uint64_t cycles() noexcept { return rte_rdtsc(); }
// After start_eal().
inline double cycles_per_second() noexcept { return static_cast<double>(rte_get_tsc_hz()); }

}  // namespace sallyport::dataplane
