// What a round of replies says of the server, and what follows for rate and window.
#include <algorithm>
#include <cmath>

#include "policy/admission/capacity.h"

namespace sallyport::admission {

namespace {

constexpr double kFirstReplyS = 0.02;
constexpr double kMinWindow = 2;

// Growth: by time while nothing is known, and close to what a train has proven (at most kMostRamp
// in one round); per calm round after that (at most kBold), and close to what was delivered last.
constexpr double kRampPerS = 1.5, kNearPerS = 0.6, kMostRamp = 0.25;
constexpr double kBolder = 0.02, kBold = 1.1;
constexpr double kTimid = 0.002;
constexpr double kCloseBelow = 0.95, kCloseAbove = 1.1;
// Only a rate that is used that much says something about the server.
constexpr double kUsedRamp = 0.75, kUsedSteady = 0.95;
constexpr double kSpareWindow = 1.25;

// Slowness from which on a queue is so deep that it lasts until what is on its way fits.
constexpr double kDeep = 3;
// A queue this short is chance, not congestion.
constexpr double kQueueUs = 15'000;
constexpr double kQueueTurns = 4;
// Of what is delivered, lets a short queue shrink; slowness that falls like this is such a queue.
constexpr double kShrinks = 0.98;
// An overload that delivered what the rate is, give or take chance, lowers it by this only.
constexpr double kLower = 0.97;
constexpr double kMostChance = 0.35;
// Two measurements of one thing.
constexpr double kAlike = 0.15;
// Of the window, at the server, without being suspicious.
constexpr double kMostInside = 0.5;

// Of what was delivered, per round: by a server that had enough to do, and by any.
constexpr double kSmooth = 0.35, kSmoothUp = 0.5, kSmoothDown = 0.2;
constexpr std::uint32_t kDrainRounds = 3;
constexpr std::uint32_t kWarmRounds = 6;
constexpr Duration kDrainEvery = std::chrono::seconds(5);

}  // namespace

Capacity::Reading Capacity::read(Instant now) const {
  Reading out;
  out.time = time_.distance(round_.replies);
  out.replies = round_.replies.total();
  out.cost = full_handshakes(round_.replies);
  out.seconds = std::clamp(busy_s_, 1e-3, std::max(1e-3, seconds_of(now - round_start_)));
  // What was inside before was half done, and so is what is inside now.
  out.work =
      std::max(0.0, out.cost * (1 + (0.5 * inside_now_ - 0.5 * inside_before_) / out.replies));
  out.delivered = out.work / out.seconds;
  out.inside = out.replies / out.seconds * out.time.mean_us * 1e-6;
  return out;
}

void Capacity::smooth(const Reading& reading) {
  reply_us_ += (static_cast<double>(round_.reply_time_us) / reading.replies - reply_us_) / 4;
  turns_per_full_ += (reading.replies / reading.cost - turns_per_full_) / 4;
  if (round_.established > 0) {
    const double flight = static_cast<double>(round_.flight_time_us) / round_.established;
    flight_us_ += (std::max(flight - reading.time.excess_us, 1'000.0) - flight_us_) / 4;
  }
  const bool busy = held_back_ && !starved_;
  if (delivered_ > 0 && busy &&
      reading.time.slowness > ServerTime::kAtBase) {  // it has enough to do
    delivered_ += (reading.delivered - delivered_) * kSmooth;
  } else if (reading.delivered > delivered_) {
    delivered_ += (reading.delivered - delivered_) * (delivered_ == 0 ? 1 : kSmoothUp);
  } else if (busy) {  // what the clients' absence kept low is not the server's fault
    delivered_ += (reading.delivered - delivered_) * kSmoothDown;
  }
}

void Capacity::judge(const Reading& reading, std::uint32_t fresh, Instant now) {
  smooth(reading);
  if (phase_ == Phase::kSeek) {
    if (reading.delivered > kCloseBelow * ceiling_) found(ceiling_, now);
    return;
  }
  if (draining_) {
    // In the round in which a short queue ends the server may have been idle.
    const bool ends = fresh <= window_turns_;
    if (!ends || reading.time.slowness > kDeep) overload_.add(reading);
    if (ends) settle(now);
    return;
  }
  if (round_start_ < hold_until_) return;
  const bool failing = round_.failed * 10.0 > reading.replies;
  if (!failing) sound_rate_ = rate_;
  if (round_.failed > reading.replies) {  // an outage says nothing about what the server can do
    window_ = std::max(window_ / 2, kMinWindow);
    return;
  }
  const double chance_us = std::max(kQueueUs, kQueueTurns * 1e6 / std::max(delivered_, 1.0));
  if (failing ||
      (reading.time.slowness > ServerTime::kCongested && reading.time.excess_us > chance_us)) {
    decrease(reading);
    return;
  }
  cut_ = false;
  if (reading.time.slowness > ServerTime::kAtBase) {
    warm(reading, now);
    return;
  }
  // Most of what is in flight is at the server: that may be its way, or a queue that stood from the
  // first reply on and passes for it.
  if (!sure_of_base_ && held_back_ && drain_rounds_ == 0 &&
      reading.inside > kMostInside * window_ && now >= next_drain_) {
    start_drain(now);
    return;
  }
  warm_ = 0;
  if (!held_back_ || drain_rounds_ > 0) return;
  inside_ += (reading.inside - inside_) / 4;
  increase(reading, now);
}

// A little above its base: no more than it gives. As slow as congestion for long without being a
// queue to speak of: is it a queue at all?
void Capacity::warm(const Reading& reading, Instant now) {
  calm_ = 0;
  if (reading.time.slowness > ServerTime::kCongested && slower_machine(reading)) return;
  phase_ = Phase::kSteady;
  // A queue that shrinks is one.
  const bool stands = reading.time.slowness > kShrinks * slowness_;
  slowness_ = reading.time.slowness;
  warm_ = stands && slowness_ > ServerTime::kCongested ? warm_ + 1 : 0;
  if (warm_ >= kWarmRounds && drain_rounds_ == 0 && now >= next_drain_) start_drain(now);
  if (!held_back_ || starved_) return;
  sustained_ = delivered_;
  rate_ = std::min(
      rate_,
      std::max(delivered_ * (reading.time.slowness > ServerTime::kCongested ? kShrinks : kEven),
               kMinRate));
}

void Capacity::increase(const Reading& reading, Instant now) {
  ++calm_;
  sustained_ = std::max(sustained_, delivered_);
  const bool close = rate_ > kCloseBelow * sustained_ && rate_ < kCloseAbove * sustained_;
  const bool ramp = phase_ == Phase::kRamp;
  if (ramp && reading.time.excess_us > 0) return;  // the first sign of a queue
  double growth = std::min(kBold, 1 + (close ? kTimid : kBolder) * calm_);
  if (ramp)
    growth =
        1 + std::min((close ? kNearPerS : kRampPerS) * seconds_of(now - round_start_), kMostRamp);
  // A window that does not bind is no larger than what would follow at once if the server fell
  // behind.
  const double used = most_in_flight_;
  window_ = used < 0.8 * window_
                ? std::max(std::min(window_, first_window(kFirstReplyS)), used * kSpareWindow + 2)
                : std::max(window_ * growth, window_ + 1);
  window_ = std::min(window_, bound_);
  const double seen = std::max(delivered_, reading.delivered);
  if (seen >= (ramp ? kUsedRamp : kUsedSteady) * rate_) rate_ = std::min(rate_ * growth, ceiling_);
  if (!ramp) rate_ = std::clamp(sustained_, rate_, ceiling_);
  if (ramp && rate_ >= ceiling_) phase_ = Phase::kSteady;
}

void Capacity::decrease(const Reading& reading) {
  calm_ = 0;
  if (!cut_) {
    suspected_us_ = 0;
  } else if (slower_machine(reading)) {
    return;
  }
  phase_ = Phase::kSteady;
  cut_ = true;
  overload_ = Overload{};
  overload_.add(reading);
  bound_by_overload();
  rate_ = std::max(rate_ * kLower, kMinRate);
  draining_ = true;
}

// Less was asked for, no more is at the server than it bore at its base, and it does less. A slower
// machine's time is the same in the next round; a queue's is not.
bool Capacity::slower_machine(const Reading& reading) {
  if (reading.delivered > kCloseBelow * sustained_ || reading.inside > 1.2 * inside_) {
    suspected_us_ = 0;
    return false;
  }
  const double before = suspected_us_;
  suspected_us_ = reading.time.mean_us;
  if (std::abs(suspected_us_ - before) > kAlike * before) return false;
  time_.scale(reading.time.slowness);
  flight_us_ += reading.time.excess_us;
  cut_ = false;
  phase_ = Phase::kRamp;
  return true;
}

// While the server has more than enough to do, what it delivers is what it can.
void Capacity::bound_by_overload() {
  delivered_ = overload_.work / overload_.seconds;
  const double chance = std::min(2 / std::sqrt(overload_.replies), kMostChance);
  if (std::abs(delivered_ - rate_) > rate_ * chance) rate_ = delivered_ * kLower;
  rate_ = std::clamp(rate_, kMinRate, ceiling_);
  const double turns = overload_.replies / overload_.seconds;
  window_ = std::clamp(turns * flight_us_ * 1e-6 * kSpareFlight + 1, kMinWindow,
                       std::max(window_, kMinWindow));
}

void Capacity::settle(Instant now) {
  draining_ = false;
  window_ = bound_;
  bound_by_overload();
  sustained_ = delivered_;
  hold_until_ = now + from_us(reply_us_);
}

void Capacity::start_drain(Instant now) {
  next_drain_ = now + kDrainEvery;
  drain_rounds_ = kDrainRounds;
  warm_ = 0;
  time_.forget_epoch();
}

void Capacity::end_drain() {
  const double before = time_.mean_base_us();
  if (time_.renew(ServerTime::kCongested))
    phase_ = Phase::kRamp;  // fitted to a server that there is no more
  sure_of_base_ = time_.mean_base_us() > kCloseBelow * before;
}

}  // namespace sallyport::admission
