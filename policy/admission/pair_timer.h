// A coarse timer for pairs that are in no lane's order but must be looked at again: those above
// their own rate, and those whose gate is open. Pairs are linked through `queue_next` like in a
// TurnQueue, so a pair is in one of them at most. Resolution 16 ticks, reach one second; whoever is
// woken too early is set again.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "policy/admission/table.h"

namespace sallyport::admission {

class PairTimer {
 public:
  PairTimer() { buckets_.fill(kNone); }

  // At least one bucket ahead, so that run() never meets it in the bucket it is emptying; at most
  // half a lap, so that a late run() does not meet it again at once.
  void set(Places places, PairId pair, Tick wait, Tick now) {
    const Tick at = now + std::clamp<Tick>(wait, 1U << kShift, (kBuckets / 2 - 1) << kShift);
    PairId& bucket = buckets_[(at >> kShift) % kBuckets];
    places[pair].queue_next = bucket;
    places[pair].pair_flags |= Place::kQueued;
    bucket = pair;
  }

  // Calls due(pair) for each pair whose time has come, latest set first; it is not linked any more.
  template <class Due>
  void run(Places places, Tick now, Due&& due) {
    const Tick present = now >> kShift;
    // After a jump of the clock one lap meets everyone.
    if (present - at_ > kBuckets) at_ = present - kBuckets;
    while (at_ != present) {
      ++at_;
      PairId pair = std::exchange(buckets_[at_ % kBuckets], kNone);
      while (pair != kNone) {
        const PairId next = places[pair].queue_next;
        places[pair].pair_flags &= static_cast<std::uint8_t>(~Place::kQueued);
        due(pair);
        pair = next;
      }
    }
  }

 private:
  static constexpr unsigned kBuckets = 128, kShift = 4;
  std::array<PairId, kBuckets> buckets_;
  Tick at_ = 0;
};

}  // namespace sallyport::admission
