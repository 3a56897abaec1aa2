// Chance by place, not by order: the number for (seed, client, attempt, purpose) is always the
// same, so that two policies face exactly the same clients.
#pragma once

#include <cstdint>

namespace sallyport::storm {

constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
enum class Chance : std::uint8_t { kBoot, kPause, kCompute, kResumed, kNotice, kStall };
// Uniform in [0, 1).
constexpr double uniform(std::uint64_t seed, std::uint32_t client, std::uint32_t attempt,
                         Chance what) {
  const std::uint64_t x = mix(mix(mix(seed) ^ client) ^ (std::uint64_t{attempt} << 8) ^
                              static_cast<std::uint64_t>(what));
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

}  // namespace sallyport::storm
