#include "policy/admission/capacity.h"

#include <algorithm>
#include <cmath>

namespace sallyport::admission {

namespace {

using std::chrono::seconds;

// To begin with. A ceiling is what somebody measured, so it paces from the first turn on; that it
// was wrong shows in the replies, before which no more than this starts.
constexpr double kFirstRate = 200;
constexpr double kFirstReplyS = 0.02;
constexpr double kMostReplyS = 0.1;
constexpr double kFirstWindow = 8, kMostFirstWindow = 12;
constexpr double kNoCeiling = 1e6;
constexpr double kMinRate = 4;
constexpr double kMinWindow = 2;

// Growth: a second while nothing is known (and at most in one round), per calm round after that (at
// most kBold), and per calm round close to what was delivered in the last overload.
constexpr double kRampPerS = 1.5, kMostRamp = 0.25;
constexpr double kBold = 1.1;
constexpr double kBolder = 0.02;
constexpr double kTimid = 0.002;
constexpr double kCloseBelow = 0.95, kCloseAbove = 1.1;
// Only a rate that is used that much says something about the server.
constexpr double kUsedRamp = 0.75, kUsedSteady = 0.95;
constexpr double kHeadroom = 1.05;  // of the rate over what was delivered
constexpr double kSpareWindow = 1.25;
constexpr double kSpareFlight = 1.1;

constexpr double kAtBase = 1.15;     // slowness up to which the server is idle enough to take more
constexpr double kCongested = 1.35;  // and from which it is asked for too much
// A queue this short is chance, not congestion.
constexpr double kQueueUs = 15'000;
constexpr double kQueueTurns = 4;
// An overload that delivered what the rate is, give or take chance, lowers it by this only.
constexpr double kLower = 0.97;
constexpr double kMostChance = 0.35;
// Two measurements of one thing.
constexpr double kAlike = 0.15;
// Of the window, at the server, without being suspicious.
constexpr double kMostInside = 0.5;

constexpr double kSmoothUp = 0.5;  // of the delivered rate, per round
constexpr double kSmoothDown = 0.2;
constexpr std::uint32_t kRampReplies = 8;
constexpr std::uint32_t kRoundReplies = 16;
constexpr std::uint32_t kDrainRounds = 3;
constexpr std::uint32_t kWarmRounds = 6;
constexpr Duration kBaseEpoch = seconds(10);
constexpr Duration kDeadAfter = seconds(1);
constexpr std::uint32_t kDeadTurns = 3;
constexpr std::int32_t kDeadHellos = 3;
constexpr double kLongestTickS = 0.01;

double in_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
Duration microseconds(double us) { return Duration(static_cast<std::int64_t>(us * 1e3)); }

}  // namespace

Capacity::Capacity(std::uint32_t ceiling, std::uint32_t bound,
                   const std::array<std::uint8_t, kHandshakes>& cost, Instant now)
    : ceiling_(ceiling == 0 ? kNoCeiling : ceiling),
      bound_(bound),
      cost_(cost),
      rate_(ceiling == 0 ? kFirstRate : ceiling),
      window_(std::min(first_window(kFirstReplyS), kMostFirstWindow)),
      sound_rate_(rate_),
      ticked_(now),
      epoch_end_(now + kBaseEpoch),
      hold_until_(now),
      sign_(now),
      hello_(now),
      next_probe_(now),
      next_drain_(now) {
  begin_round(now, kMinRound);
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
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    round_.replies.count[k] += sample.replies.count[k];
    round_.replies.server_time_us[k] += sample.replies.server_time_us[k];
  }
  surprise_.note(sample.taken, sample.due);
  round_.reply_time_us += sample.reply_time_us;
  round_.established += sample.established;
  round_.flight_time_us += sample.flight_time_us;
  round_.failed += sample.failed;
  const bool replied = sample.replies.total() > 0;
  const bool signs = replied || sample.server_signs > 0;
  if (signs) since_sign_ = 0;
  if (unanswered_ == 0 || replied) hello_ = now;
  unanswered_ = replied ? 0 : std::max(unanswered_ + sample.hellos, 0);
  // Who refused and now accepts is back; who was silent may accept and still be hung.
  if (phase_ == Phase::kDead && (replied || (signs && refused_))) {
    revive(now);
  } else if (replied && phase_ != Phase::kDead) {
    open_window(sample.replies);
  }
}

// Up to what the rate needs, the window follows the replies: each that came as fast as ever lets
// one more start.
void Capacity::open_window(const Replies& replies) {
  const double needed = std::min(needed_window(), bound_);
  if (draining_ || drain_rounds_ > 0 || window_ >= needed || !time_.within(kAtBase, replies))
    return;
  window_ = std::min(window_ + replies.total(), needed);
  publish();
}

double Capacity::needed_window() const {
  return rate_ * turns_per_full_ * flight_us_ * 1e-6 * kSpareFlight + 1;
}

// What starts before the first reply can say that it was too much.
double Capacity::first_window(double reply_s) const {
  return std::min(std::max(kFirstWindow, rate_ * turns_per_full_ * reply_s), bound_);
}

void Capacity::tick(std::uint32_t in_flight, std::uint32_t fresh, Instant now) {
  if (fresh > 0 && now > ticked_) busy_s_ += std::min(in_seconds(now - ticked_), kLongestTickS);
  ticked_ = now;
  most_in_flight_ = std::max(most_in_flight_, fresh);
  look_for_death(in_flight, now);
  if (now < round_end_) return;
  const std::uint32_t replies = round_.replies.total();
  const std::uint32_t wanted = phase_ == Phase::kRamp ? kRampReplies : kRoundReplies;
  if (replies >= wanted || now - round_start_ >= kMaxRound) end_round(fresh, now);
}

// Silent, or hung behind a port that accepts, or refusing one after another.
void Capacity::look_for_death(std::uint32_t in_flight, Instant now) {
  if (in_flight == 0 && round_.failed == 0) since_sign_ = unanswered_ = 0;  // nobody waits for it
  if (phase_ == Phase::kDead) return;
  const Duration within = std::max(kDeadAfter, microseconds(4 * reply_us_));
  const bool ignored = since_sign_ >= kDeadTurns;
  const bool silent = ignored && now - sign_ > within;
  const bool hung = unanswered_ >= kDeadHellos && now - hello_ > within;
  const bool refusing = ignored && round_.failed >= kDeadTurns && round_.replies.total() == 0;
  if (!silent && !hung && !refusing) return;
  refused_ = refusing;
  die(now);
}

void Capacity::begin_round(Instant now, Duration length) {
  round_ = Sample{};
  busy_s_ = 0;
  held_back_ = false;
  round_start_ = now;
  round_end_ = now + length;
}

void Capacity::end_round(std::uint32_t fresh, Instant now) {
  if (phase_ != Phase::kDead && round_.replies.total() > 0) {
    time_.note(round_.replies);
    judge(read(now), fresh, now);
    if (drain_rounds_ > 0) {
      --drain_rounds_;
      if (drain_rounds_ == 0) end_drain();
    }
    if (now >= epoch_end_) {
      epoch_end_ = now + kBaseEpoch;
      if (!time_.end_epoch()) start_drain(now);
    }
  }
  begin_round(now, phase_ == Phase::kRamp
                       ? kMinRound
                       : std::clamp(microseconds(reply_us_), kMinRound, kMaxRound));
  most_in_flight_ = fresh;
  publish();
}

Capacity::Reading Capacity::read(Instant now) const {
  Reading out;
  out.time = time_.distance(round_.replies);
  out.replies = round_.replies.total();
  for (std::size_t k = 0; k < kHandshakes; ++k)
    out.cost += static_cast<double>(round_.replies.count[k]) * cost_[k] / kFullCost;
  out.seconds = std::clamp(busy_s_, 1e-3, std::max(1e-3, in_seconds(now - round_start_)));
  out.delivered = out.cost / out.seconds;
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
  if (reading.delivered > delivered_) {
    delivered_ += (reading.delivered - delivered_) * (delivered_ == 0 ? 1 : kSmoothUp);
  } else if (held_back_) {  // what the clients' absence kept low is not the server's fault
    delivered_ += (reading.delivered - delivered_) * kSmoothDown;
  }
}

void Capacity::judge(const Reading& reading, std::uint32_t fresh, Instant now) {
  smooth(reading);
  if (draining_) {
    overload_.add(reading);
    if (fresh <= window_turns_) settle(now);
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
  if (failing || (reading.time.slowness > kCongested && reading.time.excess_us > chance_us)) {
    decrease(reading);
    return;
  }
  cut_ = false;
  // Most of what is in flight is at the server: that may be its way, or a queue that stood from the
  // first reply on and passes for it.
  if (!sure_of_base_ && held_back_ && drain_rounds_ == 0 &&
      reading.inside > kMostInside * window_ && now >= next_drain_) {
    start_drain(now);
    return;
  }
  if (reading.time.slowness > kAtBase) {
    warm(reading, now);
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
  phase_ = Phase::kSteady;
  warm_ = reading.time.slowness > kCongested ? warm_ + 1 : 0;
  if (warm_ >= kWarmRounds && drain_rounds_ == 0 && now >= next_drain_) start_drain(now);
  if (held_back_) rate_ = std::min(rate_, std::max(delivered_ * kHeadroom, kMinRate));
}

void Capacity::increase(const Reading& reading, Instant now) {
  ++calm_;
  const bool close = rate_ > kCloseBelow * sustained_ && rate_ < kCloseAbove * sustained_;
  const bool ramp = phase_ == Phase::kRamp;
  if (ramp && reading.time.excess_us > 0) return;  // the first sign of a queue
  const double growth = ramp && !close
                            ? 1 + std::min(kRampPerS * in_seconds(now - round_start_), kMostRamp)
                            : std::min(kBold, 1 + (close ? kTimid : kBolder) * calm_);
  // A window that does not bind is no larger than what would follow at once if the server fell
  // behind.
  const double used = most_in_flight_;
  window_ = used < 0.8 * window_
                ? std::max(std::min(window_, first_window(kFirstReplyS)), used * kSpareWindow + 2)
                : std::max(window_ * growth, window_ + 1);
  window_ = std::min(window_, bound_);
  const double seen = std::max(delivered_, reading.delivered);
  if (seen >= (ramp ? kUsedRamp : kUsedSteady) * rate_) rate_ = std::min(rate_ * growth, ceiling_);
  if (ramp && rate_ >= ceiling_) phase_ = Phase::kSteady;
}

void Capacity::decrease(const Reading& reading) {
  calm_ = 0;
  // Right after a decrease no more is at the server than it bore at its base, and it does less.
  if (cut_ && reading.delivered < kCloseBelow * sustained_ && reading.inside < 1.2 * inside_) {
    if (time_has_changed(reading)) {
      time_.scale(reading.time.slowness);
      flight_us_ += reading.time.excess_us;
      cut_ = false;
      phase_ = Phase::kRamp;
      return;
    }
  } else {
    suspected_us_ = 0;
  }
  phase_ = Phase::kSteady;
  cut_ = true;
  overload_ = Overload{};
  overload_.add(reading);
  bound_by_overload();
  rate_ = std::max(rate_ * kLower, kMinRate);
  draining_ = true;
}

// A slower machine's time is the same in the next round; a queue's is not.
bool Capacity::time_has_changed(const Reading& reading) {
  const double before = suspected_us_;
  suspected_us_ = reading.time.mean_us;
  return std::abs(suspected_us_ - before) < kAlike * before;
}

// While the server has more than enough to do, what it delivers is what it can.
void Capacity::bound_by_overload() {
  delivered_ = overload_.cost / overload_.seconds;
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
  hold_until_ = now + microseconds(reply_us_);
}

void Capacity::start_drain(Instant now) {
  next_drain_ = now + kBaseEpoch / 2;
  drain_rounds_ = kDrainRounds;
  warm_ = 0;
  time_.forget_epoch();
}

void Capacity::end_drain() {
  const double before = time_.mean_base_us();
  if (time_.renew(kCongested)) phase_ = Phase::kRamp;  // fitted to a server that there is no more
  sure_of_base_ = time_.mean_base_us() > kCloseBelow * before;
}

void Capacity::die(Instant now) {
  phase_ = Phase::kDead;
  next_probe_ = now + kProbeEvery;
  since_sign_ = 0;
  unanswered_ = 0;
  publish();
}

void Capacity::revive(Instant now) {
  phase_ = Phase::kRamp;
  rate_ = std::max(rate_, sound_rate_);
  window_ = first_window(std::min(reply_us_ * 1e-6, kMostReplyS));
  delivered_ = 0;
  draining_ = cut_ = false;
  begin_round(now, kMinRound);
  publish();
}

void Capacity::publish() {
  const double rate16 = rate_ * kFullCost;
  rate16_ =
      static_cast<std::uint64_t>(rate16 * (1 - surprise_.share(rate_ * turns_per_full_, rate16)));
  window_turns_ = phase_ == Phase::kDead
                      ? 0
                      : static_cast<std::uint32_t>(drain_rounds_ > 0 ? window_ / 2 : window_);
}

}  // namespace sallyport::admission
