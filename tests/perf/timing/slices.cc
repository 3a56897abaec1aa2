#include "tests/perf/timing/slices.h"

#include <algorithm>

namespace sallyport::bench {

Slices::Slice* Slices::slice_at(std::uint64_t time) noexcept {
  return time < start_ || time >= end() ? nullptr : &slices_[(time - start_) / length_];
}

void Slices::sent(std::uint64_t at, std::uint64_t packets) noexcept {
  if (Slice* const slice = slice_at(at)) slice->sent += packets;
}

void Slices::came_back(std::uint64_t sent, std::uint64_t cycles) noexcept {
  if (Slice* const slice = slice_at(sent)) slice->cycles.add(cycles);
}

void Slices::sender_was_away(std::uint64_t from, std::uint64_t to) noexcept {
  to += length_;
  if (to < start_ || from >= end()) return;
  const Slice* const last = slice_at(std::min(to, end() - 1));
  for (Slice* slice = slice_at(std::max(from, start_)); slice <= last; ++slice)
    slice->counts = false;
}

void Slices::add_to(Sliced& sum) const noexcept {
  for (const Slice& slice : slices_) {
    if (!slice.counts) {
      ++sum.forgotten;
      continue;
    }
    ++sum.slices;
    sum.sent += slice.sent;
    sum.cycles += slice.cycles;
  }
}

}  // namespace sallyport::bench
