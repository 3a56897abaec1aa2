// What a lane knows about how long its clients wait. Ages of attempts are coded logarithmically (16
// steps per octave above half a second); per code an exponentially weighted share of clients that
// were there when called at that age. From the first code where more than one in nine was not,
// clients of unknown habits count as gone. The edge inside that code is kept to the tick, because
// fleets of one firmware leave at the same age to the millisecond.
//
// Evidence fades (fade(), every few seconds), so a wrong belief is tested again.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "policy/admission/types.h"

namespace sallyport::admission {

using AgeCode = std::uint8_t;

// 0 below half a second, then 16 codes per octave, the last one open ended (above 8 minutes).
constexpr AgeCode age_code(Tick age) {
  if (age < 512) return 0;
  const unsigned octave = 31U - static_cast<unsigned>(std::countl_zero(age));  // >= 9
  if (octave > 19) return 176;
  return static_cast<AgeCode>((octave - 9) * 16 + ((age >> (octave - 4)) & 15U) + 1);
}
// The smallest age with this code.
constexpr Tick age_of(AgeCode code) {
  if (code == 0) return 0;
  const unsigned step = code - 1U;
  return (Tick{16} + (step & 15U)) << (step / 16 + 5);
}
static_assert(age_of(age_code(9537)) <= 9537 && age_of(age_code(9537) + 1) > 9537);
inline constexpr std::size_t kAgeCodes = 177;

class Presence {
 public:
  // Ages from here on (in ticks) are doubtful; kNone when nothing is known.
  Tick edge() const { return edge_; }

  void was_there(Tick age) {
    there_ = std::max(there_, age);
    for (AgeCode code = age_code(age); code > 0; --code) {
      std::uint8_t& absent = absent_[code];
      if (absent == 0) break;  // younger codes were settled before
      absent = static_cast<std::uint8_t>(absent - (absent + 31) / 32);
    }
    if (age >= edge_) find_edge();
  }
  void was_gone(Tick age) {
    const AgeCode code = age_code(age);
    if (code == 0) return;  // half a second is no patience: such a client has another trouble
    if (edge_ != kNone && age < edge_ && age > std::max(there_, edge_ - edge_ / kStep)) {
      believe(age);
      return;
    }
    // Gone at this age is gone at every later one.
    for (std::size_t later = code; later < kAgeCodes; ++later) {
      std::uint8_t& absent = absent_[later];
      absent = static_cast<std::uint8_t>(absent + (255 - absent + 3) / 4);
    }
    if (code == edge_code_ && age < edge_) {
      edge_ = age;
    } else if (absent_[code] > kDoubt && (edge_ == kNone || code < edge_code_)) {
      edge_code_ = code;
      edge_ = age;
    } else if (edge_ == kNone) {
      find_edge();
    }
  }
  // Others of the kind are gone from this age on.
  void believe(Tick age) {
    const AgeCode code = age_code(age);
    for (std::size_t later = code; later < kAgeCodes; ++later)
      absent_[later] = std::max<std::uint8_t>(absent_[later], kBelieved);
    edge_code_ = code;
    edge_ = age;
  }
  void fade() {
    there_ -= there_ / 16;
    bool changed = false;
    for (std::uint8_t& absent : absent_) {
      if (absent == 0) continue;
      absent = static_cast<std::uint8_t>(absent - (absent + 15) / 16);
      changed = true;
    }
    if (changed) find_edge();
  }

 private:
  static constexpr std::uint8_t kDoubt = 127;
  static constexpr std::uint8_t kBelieved = 160;
  static constexpr Tick kStep = 4;  // one witness moves the edge by this part of it at most

  void find_edge() {
    for (std::size_t code = 1; code < kAgeCodes; ++code) {
      if (absent_[code] <= kDoubt) continue;
      if (code != edge_code_) edge_ = age_of(static_cast<AgeCode>(code));
      edge_code_ = static_cast<AgeCode>(code);
      return;
    }
    edge_ = kNone;
    edge_code_ = 0;
  }

  std::array<std::uint8_t, kAgeCodes> absent_{};  // 0: always there or unknown .. 255: never
  AgeCode edge_code_ = 0;
  Tick edge_ = kNone;
  Tick there_ = 0;  // the oldest that was there
};

}  // namespace sallyport::admission
