// What a lane's turns are charged with before it is known what they cost. A turn is charged with
// the usual cost of the lane's handshakes; when it comes back, the difference to its real cost is
// returned. Charges are kept as one sum, so what comes back takes its share of it: exact in the
// sum (nothing is open when nothing is out), not per turn.
//
// Units: sixteenths of a full handshake. Thread: the budget's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "policy/admission/types.h"

namespace sallyport::admission {

class CostLedger {
 public:
  // What the next turn is charged with.
  std::int64_t price() const { return (usual_ + kScale / 2) / kScale; }
  void charge() {
    open_ += price();
    ++turns_;
  }
  // Takes back the last charge() as if it had not been.
  void undo() {
    open_ -= price();
    --turns_;
  }
  struct Settlement {
    std::int64_t change = 0;  // charged more (or less) than it cost
    std::int64_t unused = 0;  // charged for turns that cost nothing
  };
  // `used` turns came back that cost `cost` together, and `unused` that cost nothing.
  Settlement settle(std::uint32_t used, std::uint32_t unused, std::uint64_t cost) {
    const std::uint32_t back = std::min(used + unused, turns_);
    Settlement out;
    if (back == 0) return out;
    const std::int64_t share = back == turns_ ? open_ : open_ * back / turns_;
    open_ -= share;
    turns_ -= back;
    out.unused = share * unused / (used + unused);
    out.change = share - out.unused - static_cast<std::int64_t>(cost);
    if (used > 0) {
      const auto mean = static_cast<std::int64_t>(cost) * kScale / used;
      usual_ += (mean - usual_) * std::min<std::int64_t>(used, kMemory) / kMemory;
      usual_ = std::clamp<std::int64_t>(usual_, kScale, 64 * kScale);
    }
    return out;
  }

 private:
  static constexpr std::int64_t kScale = 256;
  static constexpr std::int64_t kMemory = 16;  // handshakes
  std::int64_t usual_ = kFullCost * kScale;
  std::int64_t open_ = 0;
  std::uint32_t turns_ = 0;
};

}  // namespace sallyport::admission
