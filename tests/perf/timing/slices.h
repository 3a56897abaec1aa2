// A sender's time, cut into slices, so that what is measured while the sender itself was away can
// be told from the rest. A packet belongs to the slice in which it was sent, whenever it comes
// back.
//
// A slice counts if the sender was there all the time. Its own core is taken from it now and then
// (here a thousand times a second, for 4 to 16 us): then what was on its way seems late, because
// it is the sender who reads the times, and what was due is sent as a burst of the sender's making.
// That says nothing of what is measured, and the slice is forgotten whole, what came back and what
// was lost, and the one after it, in which that burst may still be on its way. While the sender is
// there everything counts, however late.
//
// It sends on without a break from slice to slice. Rationale: who stops after each and waits until
// everything is back sends nothing to what stands still, and sees each stand-still once, however
// long it is.
//
// Pure: the caller reads the clock. Thread: one. No allocation after it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/perf/timing/histogram.h"

namespace sallyport::bench {

// What came of the slices that count.
struct Sliced {
  Histogram cycles;  // from just before sending until it was received
  std::uint64_t sent = 0;
  std::size_t slices = 0;
  std::size_t forgotten = 0;  // besides them
  std::uint64_t lost() const { return sent - cycles.count(); }
};

class Slices {
 public:
  // In cycles of one clock: `count` slices of `length` each. To be started once: what takes time is
  // to make them.
  Slices(std::uint64_t length, std::size_t count) : length_(length), slices_(count) {}
  // From `at` on. What is sent before them or after is not looked at.
  void start(std::uint64_t at) noexcept { start_ = at; }
  // After start().
  std::uint64_t end() const noexcept { return start_ + length_ * slices_.size(); }

  void sent(std::uint64_t at, std::uint64_t packets) noexcept;
  // What was sent at that time, after so many cycles.
  void came_back(std::uint64_t sent, std::uint64_t cycles) noexcept;
  // Neither sent nor received between these two times, with packets due that were given up: those
  // slices are forgotten, and one more.
  void sender_was_away(std::uint64_t from, std::uint64_t to) noexcept;

  // Pools what counts.
  void add_to(Sliced& sum) const noexcept;

 private:
  struct Slice {
    Histogram cycles;
    std::uint64_t sent = 0;
    bool counts = true;
  };
  Slice* slice_at(std::uint64_t time) noexcept;
  std::uint64_t start_ = 0;
  std::uint64_t length_;
  std::vector<Slice> slices_;
};

// Two things that packets pass, in turns (A B, B A, A B...). What came through either is pooled
// over its turns.
struct PooledTurns {
  Sliced one, other;
  std::size_t pairs = 0;  // of turns
  // So many that count, of each.
  bool have(std::size_t slices) const { return one.slices >= slices && other.slices >= slices; }
};
// Plays on until `sum` has so many slices, or `most` pairs of turns. `one` and `other` play a turn
// and return its Slices.
template <class One, class Other>
void pool_turns(PooledTurns& sum, std::size_t slices, std::size_t most, One one, Other other) {
  for (; !sum.have(slices) && sum.pairs < most; ++sum.pairs) {
    const bool one_first = sum.pairs % 2 == 0;
    if (one_first) one().add_to(sum.one);
    other().add_to(sum.other);
    if (!one_first) one().add_to(sum.one);
  }
}

}  // namespace sallyport::bench
