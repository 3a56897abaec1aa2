#include "policy/admission/capacity.h"

#include <algorithm>
#include <numeric>

namespace sallyport::admission {

namespace {

using std::chrono::seconds;

constexpr double kRamp = 1.1;
constexpr double kFirstRate = 100;
constexpr double kBelieved = 0.5;  // of a configured ceiling, to begin with
constexpr double kFirstWindow = 32;
constexpr double kFirstFlightS = 0.1;  // a guess, until flights are known
constexpr double kSpareWindow = 1.25;
constexpr double kSpareFlight = 1.1;
constexpr double kMinRate = 4;
constexpr double kMinWindow = 2;
constexpr double kNoCeiling = 1e6;
constexpr double kHeadroom = 1.05;   // pacing over what was delivered
constexpr double kProbe = 1.07;      // the same, while more is tried
constexpr double kAtBase = 1.15;     // slowness up to which the server is idle enough to take more
constexpr double kCongested = 1.35;  // and from which it is asked for too much
// A queue this short is chance, not congestion.
constexpr double kQueueUs = 10'000;
constexpr double kQueueTurns = 4;
constexpr double kSlackUs = 1'000;  // what a tick may add to a server's time
constexpr double kSmoothUp = 0.5;   // of the delivered rate, per round
constexpr double kSmoothDown = 0.2;
constexpr std::uint32_t kRampReplies = 8;
constexpr std::uint32_t kRoundReplies = 16;
constexpr std::uint32_t kDrainRounds = 3;
constexpr std::uint32_t kWarmRounds = 6;
constexpr Duration kBaseEpoch = seconds(10);
constexpr Duration kDeadAfter = seconds(1);
constexpr std::uint32_t kDeadTurns = 3;

double in_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
Duration microseconds(double us) { return Duration(static_cast<std::int64_t>(us * 1e3)); }

}  // namespace

Capacity::Capacity(std::uint32_t ceiling, std::uint32_t bound,
                   const std::array<std::uint8_t, kHandshakes>& cost, Instant now)
    : ceiling_(ceiling == 0 ? kNoCeiling : ceiling),
      bound_(bound),
      cost_(cost),
      rate_(std::min(ceiling_,
                     ceiling == 0 ? kFirstRate : std::max(kFirstRate, ceiling * kBelieved))),
      window_(std::min(std::max(kFirstWindow, rate_ * kFirstFlightS), bound_)),
      round_start_(now),
      round_end_(now + kMinRound),
      epoch_end_(now + kBaseEpoch),
      hold_until_(now),
      sign_(now),
      next_probe_(now),
      next_drain_(now) {
  publish();
}

void Capacity::granted(std::uint32_t n, Instant now) {
  if (phase_ == Phase::kDead) {
    next_probe_ = now + kProbeEvery;
    return;
  }
  if (since_sign_ == 0) sign_ = now;
  since_sign_ += n;
}

void Capacity::learn(const Sample& sample, Instant now) {
  std::uint32_t replied = 0;
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    replied += sample.replied[k];
    round_.replied[k] += sample.replied[k];
    round_.server_time_us[k] += sample.server_time_us[k];
  }
  round_.reply_time_us += sample.reply_time_us;
  round_.established += sample.established;
  round_.flight_time_us += sample.flight_time_us;
  round_.failed += sample.failed;
  if (replied + sample.server_signs == 0) return;
  since_sign_ = 0;
  if (phase_ == Phase::kDead && replied > 0) revive(now);
}

std::uint32_t Capacity::replies() const {
  return std::accumulate(round_.replied.begin(), round_.replied.end(), std::uint32_t{0});
}

void Capacity::tick(std::uint32_t in_flight, Instant now) {
  most_in_flight_ = std::max(most_in_flight_, in_flight);
  if (in_flight == 0 && round_.failed == 0) since_sign_ = 0;  // nobody waits for it
  if (phase_ != Phase::kDead && since_sign_ >= kDeadTurns) {
    // Silent, or refusing one after another.
    const bool silent = now - sign_ > std::max(kDeadAfter, microseconds(4 * reply_us_));
    const bool refusing = round_.failed >= kDeadTurns && replies() == 0;
    if (silent || refusing) die(now);
  }
  if (now < round_end_) return;
  const std::uint32_t wanted = phase_ == Phase::kRamp ? kRampReplies : kRoundReplies;
  if (replies() >= wanted || now - round_start_ >= kMaxRound) end_round(in_flight, now);
}

void Capacity::end_round(std::uint32_t in_flight, Instant now) {
  if (phase_ != Phase::kDead && replies() > 0) {
    note_base();
    judge(read(now), in_flight, now);
    if (drain_rounds_ > 0 && --drain_rounds_ == 0) end_drain();
    if (now >= epoch_end_) end_epoch(now);
  }
  round_ = Sample{};
  held_back_ = false;
  most_in_flight_ = in_flight;
  round_start_ = now;
  round_end_ = now + std::clamp(microseconds(reply_us_), kMinRound, kMaxRound);
  publish();
}

Capacity::Reading Capacity::read(Instant now) const {
  Reading out;
  const double n = replies();
  double slow = 0, excess = 0, server = 0, cost = 0;
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    if (round_.replied[k] == 0) continue;
    const double of_kind = round_.replied[k];
    const double total = static_cast<double>(round_.server_time_us[k]);
    const double base = base_us_[k] + kSlackUs;
    slow += of_kind * std::max(1.0, total / of_kind / base);
    excess += std::max(0.0, total - of_kind * base);
    server += total;
    cost += of_kind * cost_[k];
  }
  out.slowness = slow / n;
  out.excess_us = excess / n;
  out.server_us = server / n;
  out.cost = cost / kFullCost;
  out.delivered = out.cost / in_seconds(now - round_start_);
  return out;
}

void Capacity::judge(const Reading& reading, std::uint32_t in_flight, Instant now) {
  const double n = replies();
  reply_us_ += (static_cast<double>(round_.reply_time_us) / n - reply_us_) / 4;
  if (round_.established > 0) {
    const double flight = static_cast<double>(round_.flight_time_us) / round_.established;
    flight_us_ += (std::max(flight - reading.excess_us, 1'000.0) - flight_us_) / 4;
  }
  if (reading.delivered > delivered_) {
    delivered_ += (reading.delivered - delivered_) * (delivered_ == 0 ? 1 : kSmoothUp);
  } else if (held_back_) {  // what the clients' absence kept low is not the server's fault
    delivered_ += (reading.delivered - delivered_) * kSmoothDown;
  }
  if (draining_) {
    overload_cost_ += reading.cost;
    overload_replies_ += n;
    overload_s_ += in_seconds(now - round_start_);
    if (in_flight <= window_turns_) settle(now);
    return;
  }
  if (round_start_ < hold_until_) return;
  const bool failing = static_cast<double>(round_.failed) * 10 > n;
  const double chance_us = std::max(kQueueUs, kQueueTurns * 1e6 / std::max(delivered_, 1.0));
  if ((reading.slowness > kCongested && reading.excess_us > chance_us) || failing) {
    decrease(reading, now);
    return;
  }
  cut_ = false;
  if (reading.slowness > kAtBase) {
    calm_ = 0;
    // As slow as that for long without being a queue to speak of: is it a queue at all?
    warm_ = reading.slowness > kCongested ? warm_ + 1 : 0;
    if (warm_ >= kWarmRounds && drain_rounds_ == 0 && now >= next_drain_) start_drain(now);
    phase_ = Phase::kSteady;
    rate_ = std::min(rate_, std::max(delivered_ * kHeadroom, kMinRate));
  } else {
    warm_ = 0;
    if (held_back_ && drain_rounds_ == 0) increase(reading);
  }
}

// The longer the server stays at its base, the bolder.
void Capacity::increase(const Reading& reading) {
  ++calm_;
  const double growth = phase_ == Phase::kRamp ? kRamp : std::min(kRamp, 1 + 0.02 * calm_);
  // A window that does not bind is no larger than what would follow at once if the server fell
  // behind.
  const double used = most_in_flight_;
  window_ = used < 0.8 * window_
                ? std::max(std::min(window_, kFirstWindow / 2), used * kSpareWindow + 2)
                : std::max(window_ * growth, window_ + 1);
  window_ = std::min(window_, bound_);
  rate_ = phase_ == Phase::kRamp ? rate_ * growth : std::max(rate_, delivered_) * growth;
  // A rate far above what is delivered says nothing more about the server.
  const double seen = std::max(delivered_, reading.delivered);
  rate_ = std::min({rate_, ceiling_,
                    phase_ == Phase::kRamp ? std::max(2 * seen, kFirstRate)
                                           : std::max(kProbe * delivered_, kMinRate)});
  if (phase_ == Phase::kRamp && rate_ >= ceiling_) phase_ = Phase::kSteady;
}

void Capacity::decrease(const Reading& reading, Instant now) {
  phase_ = Phase::kSteady;
  calm_ = 0;
  if (cut_ && reading.server_us > 0.9 * cut_server_us_ &&
      reading.delivered < 0.9 * cut_delivered_) {
    // Asking for less lowered what came and not how long it took: the time itself has changed.
    for (std::size_t k = 0; k < kHandshakes; ++k) {
      if (base_us_[k] > 0) base_us_[k] *= reading.slowness;
    }
    epoch_us_ = base_us_;
    flight_us_ += reading.excess_us;
    cut_ = false;
    phase_ = Phase::kRamp;
    return;
  }
  cut_ = true;
  cut_server_us_ = reading.server_us;
  cut_delivered_ = reading.delivered;
  overload_cost_ = reading.cost;
  overload_replies_ = replies();
  overload_s_ = in_seconds(now - round_start_);
  draining_ = true;
  bound_by_overload();
}

// While the server has more than enough to do, what it delivers is what it can.
void Capacity::bound_by_overload() {
  delivered_ = overload_cost_ / overload_s_;
  rate_ = std::clamp(delivered_, kMinRate, ceiling_);
  const double needed = overload_replies_ / overload_s_ * flight_us_ * 1e-6 * kSpareFlight + 1;
  window_ = std::clamp(needed, kMinWindow, std::max(window_, kMinWindow));
}

void Capacity::settle(Instant now) {
  draining_ = false;
  window_ = bound_;
  bound_by_overload();
  hold_until_ = now + microseconds(reply_us_);
}

void Capacity::note_base() {
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    if (round_.replied[k] == 0) continue;
    const double us = static_cast<double>(round_.server_time_us[k]) / round_.replied[k];
    if (base_us_[k] == 0 || us < base_us_[k]) base_us_[k] = us;
    if (epoch_us_[k] == 0 || us < epoch_us_[k]) epoch_us_[k] = us;
  }
}

void Capacity::end_epoch(Instant now) {
  epoch_end_ = now + kBaseEpoch;
  bool standing = false;
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    if (epoch_us_[k] == 0) epoch_us_[k] = base_us_[k];  // none of this kind: what was known stays
    standing = standing || epoch_us_[k] > 1.05 * base_us_[k] + kSlackUs;
  }
  if (standing) return start_drain(now);
  base_us_ = epoch_us_;
  epoch_us_ = {};
}

void Capacity::start_drain(Instant now) {
  next_drain_ = now + kBaseEpoch / 2;
  drain_rounds_ = kDrainRounds;
  epoch_us_ = {};
  warm_ = 0;
}

void Capacity::end_drain() {
  bool slower = false;
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    if (epoch_us_[k] == 0) continue;
    slower = slower || epoch_us_[k] > kCongested * base_us_[k];
    base_us_[k] = epoch_us_[k];
  }
  epoch_us_ = {};
  // The window was fitted to a server that there is no more.
  if (slower) phase_ = Phase::kRamp;
}

void Capacity::die(Instant now) {
  phase_ = Phase::kDead;
  next_probe_ = now + kProbeEvery;
  since_sign_ = 0;
  publish();
}

void Capacity::revive(Instant now) {
  phase_ = Phase::kRamp;
  rate_ = std::clamp(rate_ * kBelieved, std::min(kFirstRate, ceiling_), ceiling_);
  window_ = std::clamp(window_ * kBelieved, std::min(kFirstWindow, bound_), bound_);
  delivered_ = 0;
  draining_ = cut_ = false;
  round_ = Sample{};
  round_start_ = now;
  round_end_ = now + kMinRound;
  publish();
}

void Capacity::publish() {
  rate16_ = static_cast<std::uint64_t>(rate_ * kFullCost);
  window_turns_ = phase_ == Phase::kDead
                      ? 0
                      : static_cast<std::uint32_t>(drain_rounds_ > 0 ? window_ / 2 : window_);
}

}  // namespace sallyport::admission
