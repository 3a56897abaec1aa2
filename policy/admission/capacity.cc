#include "policy/admission/capacity.h"

#include <algorithm>

namespace sallyport::admission {

namespace {

using std::chrono::seconds;

// What a server without a configured maximum that was lost before it was known begins with anew.
constexpr double kFirstRate = 200;
constexpr double kMostReplyS = 0.1;
constexpr double kNoCeiling = 1e6;

constexpr std::uint32_t kRampReplies = 8;
constexpr std::uint32_t kRoundReplies = 16;
constexpr Duration kBaseEpoch = seconds(10);
constexpr Duration kDeadAfter = seconds(1);
constexpr std::uint32_t kDeadTurns = 3;
constexpr std::int32_t kDeadHellos = 3;
constexpr double kLongestTickS = 0.01;

}  // namespace

Capacity::Capacity(std::uint32_t ceiling, std::uint32_t bound,
                   const std::array<std::uint8_t, kHandshakes>& cost, Instant now)
    : ceiling_(ceiling == 0 ? kNoCeiling : ceiling),
      bound_(bound),
      cost_(cost),
      rate_(ceiling_),
      window_(bound_),
      sound_rate_(ceiling == 0 ? kFirstRate : ceiling),
      seeking_(bound),
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
  if (phase_ == Phase::kSeek) seeking_.granted(n, now);
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
  inside_now_ = static_cast<std::uint32_t>(
      std::max(static_cast<std::int32_t>(inside_now_ - sample.replies.total()) + sample.hellos, 0));
  // Who refused and now accepts is back; who was silent may accept and still be hung.
  if (phase_ == Phase::kDead && (replied || (signs && refused_))) {
    revive(now);
  } else if ((replied || sample.absent > 0) && phase_ == Phase::kSeek) {
    seek(sample, now);
  } else if (replied && phase_ != Phase::kDead) {
    open_window(sample.replies);
  }
}

// Up to what the rate needs, the window follows the replies: each that came as fast as ever lets
// one more start.
void Capacity::open_window(const Replies& replies) {
  const double needed = std::min(needed_window(), bound_);
  if (draining_ || drain_rounds_ > 0 || window_ >= needed ||
      !time_.within(ServerTime::kAtBase, replies))
    return;
  window_ = std::min(window_ + replies.total(), needed);
  publish();
}

void Capacity::seek(const Sample& sample, Instant now) {
  Seeking::Answers answers;
  answers.replies = sample.replies;
  answers.cost = full_handshakes(sample.replies);
  answers.reply_us = static_cast<double>(sample.reply_time_us);
  answers.absent = sample.absent;
  answers.inside = inside_now_;
  seeking_.learn(answers, now);
}

void Capacity::found(double rate, Instant now) {
  phase_ = rate < ceiling_ ? Phase::kRamp : Phase::kSteady;
  sustained_ = delivered_ = rate;
  rate_ = std::clamp(delivered_ * kEven, kMinRate, ceiling_);
  window_ = std::min(needed_window(), bound_);
  hold_until_ = now + from_us(reply_us_);
  publish();
}

double Capacity::full_handshakes(const Replies& replies) const {
  double out = 0;
  for (std::size_t k = 0; k < kHandshakes; ++k)
    out += static_cast<double>(replies.count[k]) * cost_[k] / kFullCost;
  return out;
}

double Capacity::needed_window() const {
  return rate_ * turns_per_full_ * flight_us_ * 1e-6 * kSpareFlight + 1;
}

// What starts before the first reply can say that it was too much.
double Capacity::first_window(double reply_s) const {
  return std::min(std::max(kFirstWindow, rate_ * turns_per_full_ * reply_s), bound_);
}

void Capacity::tick(std::uint32_t in_flight, std::uint32_t fresh, Instant now) {
  if (fresh > 0 && now > ticked_) busy_s_ += std::min(seconds_of(now - ticked_), kLongestTickS);
  ticked_ = now;
  inside_now_ = std::min(inside_now_, in_flight);
  if (phase_ == Phase::kSeek) {
    seeking_.tick(in_flight, waits_);
    if (const auto capacity = seeking_.judge(time_, now)) {
      found(*capacity, now);
    } else {
      window_ = std::min(seeking_.window(flight_us_ * 1e-6), bound_);
      publish();
    }
  }
  waits_ = false;
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
  const Duration within = std::max(kDeadAfter, from_us(4 * reply_us_));
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
  inside_before_ = inside_now_;
  busy_s_ = 0;
  held_back_ = starved_ = false;
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
  begin_round(now, phase_ == Phase::kRamp ? kMinRound
                                          : std::clamp(from_us(reply_us_), kMinRound, kMaxRound));
  most_in_flight_ = fresh;
  publish();
}

void Capacity::die(Instant now) {
  if (phase_ == Phase::kSeek) rate_ = sound_rate_;
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
