// How many handshakes a server can bear, learned from its own answers. One per conduit, at the
// conduit's owner. It yields two bounds: a rate (full handshakes per second) that paces starts, and
// a window (turns) of fresh handshakes in flight that makes starts follow completions.
//
// The signal is the server's own time (ClientHello seen to first flight seen, or the terminator's
// measurement), per kind of handshake and as a multiple of the shortest usual one, its *base*: so
// slow clients do not look like a slow server, nor full handshakes among resumed ones. Control
// happens once per round: as long as a turn usually takes to its reply, and until enough replies
// came:
//   ramp      rate and window grow by kRamp per round until the server's time rises
//   steady    grow a little while it is at its base, hold while it is a little above
//   decrease  when it is more than kCongested times its base: nothing starts until what is in
//   flight
//             fits; what was delivered meanwhile *is* the capacity, so the rate becomes that, and
//             the window what it needs (Little's law: rate times usual flight)
//   dead      nothing proves it alive for a second although handshakes wait for it: one probe a
//   second
// A base grows old: each epoch ends, if the server's time was never near its base, with a few
// rounds of half the window, so that a standing queue cannot become the base. And when a decrease
// lowers what is delivered but not the server's time, it was not a queue: the time is the new base.
//
// Thread: the owner's. No allocation, no clock; doubles, once per round.
#pragma once

#include <array>
#include <cstdint>

#include "policy/admission/types.h"

namespace sallyport::admission {

class Capacity {
 public:
  enum class Phase : std::uint8_t { kRamp, kSteady, kDead };

  static constexpr Duration kMinRound = std::chrono::milliseconds(20);
  static constexpr Duration kMaxRound = std::chrono::milliseconds(250);
  static constexpr Duration kProbeEvery = std::chrono::seconds(1);

  // `ceiling` in full handshakes per second, 0 for none; `bound` of turns in flight; costs in
  // sixteenths, by Handshake.
  Capacity(std::uint32_t ceiling, std::uint32_t bound,
           const std::array<std::uint8_t, kHandshakes>& cost, Instant now);
  Capacity() : Capacity(0, 4, {16, 4, 3, 20}, Instant()) {}

  struct Sample {
    std::array<std::uint32_t, kHandshakes> replied{};
    std::array<std::uint64_t, kHandshakes> server_time_us{};  // over `replied`
    std::uint64_t reply_time_us = 0;                          // over all replies: turn to reply
    std::uint32_t established = 0;
    std::uint64_t flight_time_us = 0;  // over `established`: turn to end
    std::uint32_t failed = 0;          // by the server's fault
    std::uint32_t unused = 0;
    std::uint32_t server_signs = 0;
  };
  void learn(const Sample& sample, Instant now);
  // `n` turns were given.
  void granted(std::uint32_t n, Instant now);
  // Starts were held back by rate() or window() although clients wait.
  void held_back() { held_back_ = true; }
  // Runs the control when a round is over; call at least every few milliseconds while handshakes
  // are in flight or wait.
  void tick(std::uint32_t in_flight, Instant now);

  // Sixteenths of a full handshake per second.
  std::uint64_t rate16() const { return rate16_; }
  // Turns that may be in flight and fresh now. While dead: 0, save once per kProbeEvery.
  std::uint32_t window() const { return window_turns_; }
  bool probe_due(Instant now) const { return phase_ == Phase::kDead && now >= next_probe_; }
  Phase phase() const { return phase_; }
  double rate_per_s() const { return rate_; }
  // Usual server time of a kind when it is not overloaded; 0 while unknown.
  double base_us(Handshake kind) const { return base_us_[static_cast<std::size_t>(kind)]; }

 private:
  // What a round says.
  struct Reading {
    double slowness = 1;   // server time over base, mean over replies
    double excess_us = 0;  // server time above base, mean over replies
    double server_us = 0;
    double cost = 0;       // full handshakes
    double delivered = 0;  // full handshakes per second
  };
  Reading read(Instant now) const;
  void end_round(std::uint32_t in_flight, Instant now);
  void judge(const Reading& reading, std::uint32_t in_flight, Instant now);
  void increase(const Reading& reading);
  void decrease(const Reading& reading, Instant now);
  void bound_by_overload();
  void settle(Instant now);
  void note_base();
  void end_epoch(Instant now);
  void start_drain(Instant now);
  void end_drain();
  void publish();
  void die(Instant now);
  void revive(Instant now);
  std::uint32_t replies() const;

  double ceiling_;
  double bound_;
  std::array<std::uint8_t, kHandshakes> cost_;
  double rate_;
  double window_;
  double delivered_ = 0;                        // full handshakes per second, smoothed
  std::array<double, kHandshakes> base_us_{};   // 0: unknown
  std::array<double, kHandshakes> epoch_us_{};  // shortest of this epoch
  double reply_us_ = 50'000;                    // usual time from turn to reply
  double flight_us_ = 100'000;  // usual time from turn to end, less the server's excess
  double cut_server_us_ = 0, cut_delivered_ = 0;  // at the last decrease
  double overload_cost_ = 0, overload_replies_ = 0,
         overload_s_ = 0;  // since the server became slow
  Instant round_start_;
  Instant round_end_;
  Instant epoch_end_;
  Instant hold_until_;  // rounds that began before it say nothing about the last decrease
  Instant sign_;        // first turn given since the last sign of life
  Instant next_probe_;
  Instant next_drain_;                // not before
  std::uint32_t since_sign_ = 0;      // turns given since the last sign of life
  std::uint32_t most_in_flight_ = 0;  // in this round
  bool cut_ = false;                  // the last judgement was a decrease
  bool draining_ = false;             // until no more is in flight than the window
  std::uint32_t calm_ = 0;            // rounds at base in a row
  std::uint32_t drain_rounds_ = 0;
  std::uint32_t warm_ = 0;  // rounds well above base in a row, without congestion
  Sample round_{};
  std::uint64_t rate16_ = 0;
  std::uint32_t window_turns_ = 0;
  Phase phase_ = Phase::kRamp;
  bool held_back_ = false;
};

}  // namespace sallyport::admission
