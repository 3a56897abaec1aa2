// The order of one round of one lane: cohorts of 8.6 s by seniority, within a cohort buckets of
// 0.54 s by deadline, within a bucket first come, first served. Links live in the places
// themselves; each operation touches the given place, the one queued last in its bucket, and
// nothing else, so a full queue costs what an empty one does.
//
// Order is decided when a pair is queued and not revised while it waits: whoever takes a pair out
// judges it anew. Times before the window are served first, times after it share its last cell.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "policy/admission/table.h"
#include "policy/base/check.h"

namespace sallyport::admission {

class TurnQueue {
 public:
  static constexpr unsigned kCohorts = 16, kCohortShift = 13;
  static constexpr unsigned kBuckets = 64, kBucketShift = 9;

  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // `places[pair]` must not be linked anywhere.
  void push(Places places, PairId pair, Tick since, Tick deadline, Tick now) {
    if (size_ == 0) first_since_ = since & ~((Tick{1} << kCohortShift) - 1);
    const std::int32_t behind = tick_diff(since, first_since_) >> kCohortShift;
    const unsigned nth = behind < 0                         ? 0
                         : behind >= std::int32_t{kCohorts} ? kCohorts - 1
                                                            : static_cast<unsigned>(behind);
    const unsigned row = (first_row_ + nth) % kCohorts;
    Cohort& cohort = cohorts_[row];
    cohort.advance(now);
    const unsigned bucket = cohort.bucket_of(deadline);
    places[pair].queue_next = kNone;
    if ((cohort.filled >> bucket & 1U) != 0) {
      places[cohort.tails[bucket]].queue_next = pair;
    } else {
      cohort.heads[bucket] = pair;
    }
    cohort.tails[bucket] = pair;
    cohort.filled |= std::uint64_t{1} << bucket;
    filled_ |= static_cast<std::uint16_t>(1U << row);
    ++size_;
  }

  // The next pair, unlinked; kNone when empty.
  PairId pop(Places places, Tick now) {
    if (size_ == 0) return kNone;
    while ((filled_ >> first_row_ & 1U) == 0) {
      first_row_ = (first_row_ + 1) % kCohorts;
      first_since_ += Tick{1} << kCohortShift;
    }
    Cohort& cohort = cohorts_[first_row_];
    cohort.advance(now);
    const unsigned bucket = cohort.first_bucket();
    const PairId pair = cohort.heads[bucket];
    SALLYPORT_ASSUME(pair != kNone);
    const std::uint32_t next = places[pair].queue_next;
    cohort.heads[bucket] = next;
    if (next != kNone) {
      __builtin_prefetch(&places[next]);
    } else {
      cohort.filled &= ~(std::uint64_t{1} << bucket);
      if (cohort.filled == 0) filled_ &= static_cast<std::uint16_t>(~(1U << first_row_));
    }
    --size_;
    return pair;
  }

  // Forgets everything without touching a place.
  void clear() { *this = TurnQueue(); }

 private:
  struct Cohort {
    // Meaningful for filled buckets only.
    std::array<std::uint32_t, kBuckets> heads;
    std::array<std::uint32_t, kBuckets> tails;
    std::uint64_t filled = 0;
    Tick cursor = 0;  // the earliest deadline bucket that may hold something, in buckets

    // The window of 64 buckets begins at the present, or at what is overdue since before it.
    void advance(Tick now) {
      const Tick present = now >> kBucketShift;
      if (filled == 0) {
        cursor = present;
        return;
      }
      const Tick first = cursor + first_offset();
      cursor = later(present, first) ? first : present;
    }
    unsigned bucket_of(Tick deadline) const {
      const Tick wanted = deadline >> kBucketShift;
      const Tick bucket =
          later(wanted, cursor)
              ? (later(wanted, cursor + kBuckets - 1) ? cursor + kBuckets - 1 : wanted)
              : cursor;
      return bucket % kBuckets;
    }
    unsigned first_bucket() const { return (cursor + first_offset()) % kBuckets; }
    unsigned first_offset() const {
      return static_cast<unsigned>(
          std::countr_zero(std::rotr(filled, static_cast<int>(cursor % kBuckets))));
    }
    // Bucket numbers have 23 bits and wrap with the ticks.
    static bool later(Tick a, Tick b) {
      return static_cast<std::int32_t>((a - b) << kBucketShift) > 0;
    }
  };

  std::array<Cohort, kCohorts> cohorts_{};
  Tick first_since_ = 0;
  unsigned first_row_ = 0;
  std::uint16_t filled_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace sallyport::admission
