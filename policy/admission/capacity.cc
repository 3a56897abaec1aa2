#include "policy/admission/capacity.h"

#include <algorithm>

namespace sallyport::admission {

namespace {

using namespace std::chrono_literals;

constexpr double kRamp = 1.15;
constexpr double kFirstWindow = 8;
constexpr double kFirstRate = 160;  // kFirstWindow per usual flight time
constexpr double kMinRate = 4;
constexpr double kMinWindow = 2;
constexpr double kNoCeiling = 1e6;
constexpr double kHeadroom = 1.05;  // pacing over what was delivered
constexpr double kCongested = 1.5;  // server time over its base
constexpr double kSlackUs = 3'000;  // what a tick and a scheduler may add
constexpr Duration kBaseEpoch = 10s;
constexpr Duration kDeadAfter = 1s;
constexpr std::uint32_t kDeadTurns = 3;

double seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
Duration microseconds(double us) { return Duration(static_cast<std::int64_t>(us * 1e3)); }

}  // namespace

Capacity::Capacity(std::uint32_t ceiling, std::uint32_t bound, Instant now)
    : ceiling_(ceiling == 0 ? kNoCeiling : ceiling),
      bound_(bound),
      rate_(std::min(kFirstRate, ceiling_)),
      window_(std::min(kFirstWindow, bound_)),
      round_start_(now),
      round_end_(now + kMinRound),
      epoch_end_(now + kBaseEpoch),
      hold_until_(now),
      sign_(now),
      next_probe_(now) {
  publish();
}

void Capacity::granted(std::uint32_t n, Instant now) {
  if (phase_ == Phase::kDead) {
    next_probe_ = now + kProbeEvery;
    publish();
    return;
  }
  if (since_sign_ == 0) sign_ = now;
  since_sign_ += n;
}

void Capacity::learn(const Sample& sample, Instant now) {
  round_.established += sample.established;
  round_.failed += sample.failed;
  round_.cost += sample.cost;
  round_.server_time_us += sample.server_time_us;
  round_.flight_time_us += sample.flight_time_us;
  if (sample.established + sample.server_signs > 0) {
    since_sign_ = 0;
    sign_ = now;
  }
  if (sample.established > 0 && phase_ == Phase::kDead) revive(now);
  if (sample.failed >= kDeadTurns && sample.established == 0 && since_sign_ >= kDeadTurns) die(now);
}

void Capacity::tick(std::uint32_t in_flight, Instant now) {
  if (in_flight == 0 && round_.failed == 0) since_sign_ = 0;  // nobody waits for it
  if (phase_ != Phase::kDead && since_sign_ >= kDeadTurns &&
      now - sign_ > std::max(Duration(kDeadAfter), microseconds(4 * flight_us_)))
    die(now);
  if (now >= round_end_) end_round(in_flight, now);
}

void Capacity::end_round(std::uint32_t in_flight, Instant now) {
  const double span = seconds(now - round_start_);
  if (phase_ != Phase::kDead && span > 0) {
    const double delivered = static_cast<double>(round_.cost) / kFullCost / span;
    if (round_.established > 0) {
      const double n = round_.established;
      const double server_us = static_cast<double>(round_.server_time_us) / n;
      flight_us_ += (static_cast<double>(round_.flight_time_us) / n - flight_us_) / 4;
      note_base(server_us, now);
      // The best of the recent rounds; what the clients' absence kept low is not the server's
      // fault.
      delivered_ =
          std::max(delivered, held_back_ ? delivered_ * 0.9 + delivered * 0.1 : delivered_);
      const bool slow = server_us > kCongested * base_us_ + kSlackUs;
      const bool failing = round_.failed * 10 > round_.established;
      if (slow || failing) {
        decrease(server_us, in_flight, now);
      } else {
        cuts_ = 0;
        if (held_back_) increase();
      }
    }
  }
  round_ = Sample{};
  held_back_ = false;
  round_start_ = now;
  round_end_ = now + std::clamp(microseconds(flight_us_), kMinRound, kMaxRound);
  publish();
}

void Capacity::increase() {
  if (phase_ == Phase::kRamp) {
    window_ *= kRamp;
    rate_ *= kRamp;
    if (rate_ >= ceiling_ && window_ >= rate_ * flight_us_ * 1e-6 * 2) phase_ = Phase::kSteady;
  } else {
    window_ += std::max(1.0, window_ / 32);
    rate_ = std::max(rate_ * 1.02, delivered_ * kHeadroom);
    // A server that has become faster again answers at its base: grow as in the ramp.
    if (delivered_ > 0.95 * rate_) rate_ *= 1.05;
  }
  window_ = std::min(window_, bound_);
  rate_ = std::min(rate_, ceiling_);
}

void Capacity::decrease(double server_us, std::uint32_t in_flight, Instant now) {
  phase_ = Phase::kSteady;
  if (now < hold_until_) return;
  if (cuts_ == 0) cut_from_us_ = server_us;
  if (++cuts_ >= 4) {
    // Three decreases did not help: it is not a queue that makes the server slow.
    if (server_us > 0.8 * cut_from_us_) base_us_ = next_base_us_ = server_us;
    cuts_ = 0;
  }
  const double factor = std::clamp(1.25 * base_us_ / server_us, 0.5, 0.9);
  window_ = std::max(kMinWindow, std::min(window_, static_cast<double>(in_flight)) * factor);
  rate_ = std::clamp(delivered_ * 0.95, kMinRate, ceiling_);
  delivered_ = delivered_ * 0.9;
  hold_until_ = now + microseconds(std::max(server_us, flight_us_));
}

void Capacity::note_base(double server_us, Instant now) {
  if (base_us_ == 0 || server_us < base_us_) base_us_ = server_us;
  if (next_base_us_ == 0 || server_us < next_base_us_) next_base_us_ = server_us;
  if (now >= epoch_end_) {
    base_us_ = next_base_us_;
    next_base_us_ = server_us;
    epoch_end_ = now + kBaseEpoch;
  }
}

void Capacity::die(Instant now) {
  phase_ = Phase::kDead;
  next_probe_ = now + kProbeEvery;
  since_sign_ = 0;
  publish();
}

void Capacity::revive(Instant now) {
  phase_ = Phase::kRamp;
  rate_ = std::clamp(rate_ / 4, std::min(kFirstRate, ceiling_), ceiling_);
  window_ = std::clamp(window_ / 4, std::min(kFirstWindow, bound_), bound_);
  delivered_ = 0;
  since_sign_ = 0;
  round_ = Sample{};
  round_start_ = now;
  round_end_ = now + kMinRound;
  publish();
}

void Capacity::publish() {
  rate16_ = static_cast<std::uint64_t>(rate_ * kFullCost);
  window_turns_ = phase_ == Phase::kDead ? 0 : static_cast<std::uint32_t>(window_);
}

}  // namespace sallyport::admission
