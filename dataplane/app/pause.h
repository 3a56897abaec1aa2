// How long the worker pauses when nothing comes in. What a wake-up costs a core is the kernel's
// part (in a virtual machine 20 us, of which the poll itself is one) and the same after a short
// pause as after a long one, so only long ones are cheap; but what arrives meanwhile waits. So a
// pause grows with the silence before it: it adds no more than a 32nd to a packet's distance from
// the one before, or the shortest pause, and is long once nobody is in a hurry.
//
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "policy/base/units.h"

namespace sallyport::dataplane {

// Polls without work before the first pause.
inline constexpr std::uint32_t kBusyPolls = 64;
// The kernel adds 20 to 40 us to each.
inline constexpr Duration kShortestPause = std::chrono::microseconds(20);
// An idle gateway may cost 5 % of a core, and its first packet may come 500 us late at the 99th
// percentile. With what the kernel adds this is in the middle of what meets both
// (docs/measurements/fastpath.md, idle-polled-*).
inline constexpr Duration kLongestPause = std::chrono::microseconds(430);
inline constexpr int kShareOfSilence = 32;

// After so many polls in a row without work, and so long without any; zero = poll again at once.
constexpr Duration pause_after(std::uint32_t idle_polls, Duration silence) noexcept {
  if (idle_polls <= kBusyPolls) return Duration::zero();
  return std::clamp(silence / kShareOfSilence, kShortestPause, kLongestPause);
}

}  // namespace sallyport::dataplane
