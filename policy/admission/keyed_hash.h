// SipHash-1-3 (Aumasson and Bernstein 2012; reduced rounds as in Rust's and the kernel's hash
// tables) of two words: which cell a source falls into must not be for the source to choose. The
// key is the caller's secret, made anew at each start.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace sallyport::admission {

using HashKey = std::array<std::uint64_t, 2>;

constexpr std::uint64_t keyed_hash(const HashKey& key, std::uint64_t first, std::uint64_t second) {
  std::uint64_t a = key[0] ^ 0x736f6d6570736575ULL;
  std::uint64_t b = key[1] ^ 0x646f72616e646f6dULL;
  std::uint64_t c = key[0] ^ 0x6c7967656e657261ULL;
  std::uint64_t d = key[1] ^ 0x7465646279746573ULL;
  const auto round = [&] {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  };
  for (const std::uint64_t word : {first, second, std::uint64_t{16} << 56}) {
    d ^= word;
    round();
    a ^= word;
  }
  c ^= 0xff;
  round();
  round();
  round();
  return a ^ b ^ c ^ d;
}

}  // namespace sallyport::admission
