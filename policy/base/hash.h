// The mixing step of every hash of the packet path.
#pragma once

#include <cstdint>

#include "policy/base/units.h"

namespace sallyport {

// 64 x 64 -> 128 multiply, folded: mixes both halves of both operands. Zero if either is.
constexpr std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace sallyport
