// How long a server takes over a handshake when it is not overloaded, its *base*, learned per kind
// of handshake as the shortest usual time, and how far a round's replies are from it. Only ratios
// to the base are judged, so slow clients do not look like a slow server, nor full handshakes among
// resumed ones.
//
// A base grows old: at the end of each epoch it becomes what was shortest in that epoch, unless a
// queue may have stood all the time; then the caller must let the server idle a little first.
//
// Units: microseconds. Thread: the owner's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "policy/admission/types.h"

namespace sallyport::admission {

// First flights seen from the server, and the time from ClientHello to each, summed.
struct Replies {
  std::array<std::uint32_t, kHandshakes> count{};
  std::array<std::uint64_t, kHandshakes> server_time_us{};

  std::uint32_t total() const {
    std::uint32_t n = 0;
    for (const std::uint32_t of_kind : count) n += of_kind;
    return n;
  }
  double mean_us(std::size_t kind) const {
    return static_cast<double>(server_time_us[kind]) / count[kind];
  }
};

class ServerTime {
 public:
  // What a tick may add to a measurement.
  static constexpr double kSlackUs = 1'000;
  // Slowness up to which a server is idle enough to take more, and from which on it is asked for
  // too much.
  static constexpr double kAtBase = 1.15;
  static constexpr double kCongested = 1.35;

  struct Distance {
    double slowness = 1;   // server time over base, mean over replies
    double excess_us = 0;  // server time above base, mean over replies
    double mean_us = 0;
  };

  // 0 while unknown.
  double base_us(Handshake kind) const { return base_us_[static_cast<std::size_t>(kind)]; }

  // Over the kinds that have one; 0 when none has.
  double mean_base_us() const {
    double sum = 0, kinds = 0;
    for (const double us : base_us_) {
      sum += us;
      kinds += us > 0 ? 1 : 0;
    }
    return kinds > 0 ? sum / kinds : 0;
  }

  void note(const Replies& replies) {
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (replies.count[k] == 0) continue;
      const double us = replies.mean_us(k);
      if (base_us_[k] == 0 || us < base_us_[k]) base_us_[k] = us;
      if (epoch_us_[k] == 0 || us < epoch_us_[k]) epoch_us_[k] = us;
    }
  }

  // Precondition: some reply.
  Distance distance(const Replies& replies) const {
    Distance out;
    double slow = 0;
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (replies.count[k] == 0) continue;
      const double of_kind = replies.count[k];
      const double total = static_cast<double>(replies.server_time_us[k]);
      const double base = base_us_[k] + kSlackUs;
      slow += of_kind * std::max(1.0, total / of_kind / base);
      out.excess_us += std::max(0.0, total - of_kind * base);
      out.mean_us += total;
    }
    const double n = replies.total();
    out.slowness = slow / n;
    out.excess_us /= n;
    out.mean_us /= n;
    return out;
  }

  // No kind took longer than `factor` times its base; kinds without a base do not count.
  bool within(double factor, const Replies& replies) const {
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (replies.count[k] != 0 && base_us_[k] != 0 &&
          replies.mean_us(k) > factor * (base_us_[k] + kSlackUs))
        return false;
    }
    return true;
  }

  // Everything takes from now on as long as what is this slow does.
  void scale(double slowness) {
    for (double& us : base_us_)
      if (us > 0) us = slowness * (us + kSlackUs);
    epoch_us_ = base_us_;
  }

  // False, and nothing but the epoch is forgotten, when the shortest of this epoch was longer than
  // the base: a queue may have stood.
  bool end_epoch() {
    bool standing = false;
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (epoch_us_[k] == 0) epoch_us_[k] = base_us_[k];  // none of this kind: the known one stays
      standing = standing || epoch_us_[k] > 1.05 * base_us_[k] + kSlackUs;
    }
    if (!standing) base_us_ = epoch_us_;
    epoch_us_ = {};
    return !standing;
  }
  void forget_epoch() { epoch_us_ = {}; }

  // The server was let idle: what was shortest since forget_epoch() is the base. True when one has
  // grown by more than `factor`.
  bool renew(double factor) {
    bool slower = false;
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (epoch_us_[k] == 0) continue;
      slower = slower || epoch_us_[k] > factor * base_us_[k];
      base_us_[k] = epoch_us_[k];
    }
    epoch_us_ = {};
    return slower;
  }

 private:
  std::array<double, kHandshakes> base_us_{};   // 0: unknown
  std::array<double, kHandshakes> epoch_us_{};  // shortest of this epoch
};

}  // namespace sallyport::admission
