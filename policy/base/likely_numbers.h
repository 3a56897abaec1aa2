// Where something likely is: numbers below 2^20 by a hash, four ways to a quarter of a cache line,
// each told by twelve bits of the hash. Whoever asks compares what stands at the number it gets, so
// a wrong one, or none, costs a search and changes no answer.
//
// Of those that share a quarter the fifth is not kept, and of two that share their twelve bits as
// well only the first is found; with as many quarters as entries that is one random entry in 250.
// Memory: 16 to 32 bytes for each entry. Filled by one thread; then immutable and shared freely.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sallyport {

class LikelyNumbers {
 public:
  static constexpr unsigned kBits = 20;  // of a number
  static constexpr std::uint32_t kNone = 0xffffffff;

  // For so many entries; more are not refused, and found less often.
  explicit LikelyNumbers(std::size_t entries)
      : mask_(std::bit_ceil(std::max<std::size_t>(entries, 1)) - 1),
        owned_(std::make_unique<Quarter[]>(mask_ + 1)),
        quarters_(owned_.get()) {}

  // A number of more than kBits is kept as another one.
  void put(std::uint64_t hash, std::uint32_t number) noexcept {
    for (std::uint32_t& entry : quarters_[hash & mask_].entries) {
      if (entry != 0) continue;
      entry = tag_of(hash) << kBits | (number & kNumber);
      return;
    }
  }
  // The number that was put under this hash, or another one's, or kNone.
  [[gnu::always_inline]] std::uint32_t of(std::uint64_t hash) const noexcept {
    const Quarter& quarter = quarters_[hash & mask_];
    const __m128i entries = _mm_load_si128(reinterpret_cast<const __m128i*>(quarter.entries));
    const __m128i tags = _mm_srli_epi32(entries, kBits);
    const __m128i equal = _mm_cmpeq_epi32(tags, _mm_set1_epi32(static_cast<int>(tag_of(hash))));
    const auto found = static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(equal)));
    if (found == 0) [[unlikely]]
      return kNone;
    return quarter.entries[__builtin_ctz(found)] & kNumber;
  }
  std::size_t bytes() const noexcept { return (mask_ + 1) * sizeof(Quarter); }

 private:
  static constexpr std::uint32_t kNumber = (1U << kBits) - 1;
  // Filled from the first; 0 is free, or number 0 under tag 0, which is as wrong as any.
  struct alignas(16) Quarter {
    std::uint32_t entries[4];  // tag << kBits | number
  };
  static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> (32 + kBits));
  }
  std::size_t mask_;
  std::unique_ptr<Quarter[]> owned_;  // mask_ + 1, a power of two
  Quarter* quarters_;                 // those; g++ 12 calls its owner's operator[]
};

}  // namespace sallyport
