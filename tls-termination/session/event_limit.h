// How often something may be written down: at most kEventsPerSecond in any second that begins with
// an event; what is left out is counted. `now` is an argument; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "policy/base/units.h"

namespace sallyport::terminator {

class EventLimit {
 public:
  static constexpr unsigned kEventsPerSecond = 10;

  // True if this one is to be written.
  bool allow(Instant now) {
    if (!second_ || now - *second_ >= std::chrono::seconds(1)) {
      second_ = now;
      in_second_ = 0;
    }
    if (in_second_ < kEventsPerSecond) {
      ++in_second_;
      return true;
    }
    ++left_out_;
    return false;
  }
  // How many were left out since the last call.
  std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  std::optional<Instant> second_;
  unsigned in_second_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace sallyport::terminator
