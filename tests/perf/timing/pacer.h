// When a sender's packets are due: packet i at start + i * interval, whatever became of those
// before. Who comes late sends what is overdue, but never more than kMost at once: a sender that
// lost its processor for a while would otherwise measure the burst that it made itself.
//
// Pure: the caller reads the clock. Thread: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "policy/base/check.h"

namespace sallyport::bench {

class Pacer {
 public:
  static constexpr std::size_t kMost = 32;

  // In cycles of one clock; `interval` above 0.
  Pacer(std::uint64_t start, double interval) : start_(start), interval_(interval) {
    SALLYPORT_CHECK(interval > 0);
  }

  // How many are due that were not asked for yet. `now` never goes back.
  std::size_t due(std::uint64_t now) noexcept {
    if (now < start_) return 0;
    const auto scheduled =
        static_cast<std::uint64_t>(static_cast<double>(now - start_) / interval_) + 1;
    const std::uint64_t waiting = scheduled - done_;
    const std::uint64_t taken = std::min<std::uint64_t>(waiting, kMost);
    done_ = scheduled;
    given_up_ += waiting - taken;
    return static_cast<std::size_t>(taken);
  }
  // Packets that were due and never asked for.
  std::uint64_t given_up() const noexcept { return given_up_; }

 private:
  std::uint64_t start_;
  double interval_;
  std::uint64_t done_ = 0;
  std::uint64_t given_up_ = 0;
};

}  // namespace sallyport::bench
