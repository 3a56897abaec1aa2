// How many handshakes a server can bear, learned from its own answers. One per conduit, at the
// conduit's owner. It yields two bounds: a rate (full handshakes per second) that paces starts, and
// a window (turns) of fresh handshakes in flight that makes starts follow completions.
//
// The signal is the server's own time (ClientHello seen to first flight seen, or the terminator's
// measurement), so slow clients do not look like a slow server. Control happens once per round, a
// round being one usual flight time but at least kMinRound:
//   ramp      window and rate grow by kRamp per round while the server's time stays near its base
//   steady    additive increase while the bounds are what holds starts back
//   decrease  multiplicative, when the server's time exceeds 1.5 times its base, or it fails
//   dead      nothing proves it alive for a second although handshakes wait for it: one probe a
//   second
// A decrease that does not shorten the server's time means that the time itself has changed (a
// slower machine, not a queue): it becomes the new base.
//
// Thread: the owner's. No allocation, no clock; doubles, once per round.
#pragma once

#include <cstdint>

#include "policy/admission/types.h"

namespace sallyport::admission {

class Capacity {
 public:
  enum class Phase : std::uint8_t { kRamp, kSteady, kDead };

  static constexpr Duration kMinRound = std::chrono::milliseconds(20);
  static constexpr Duration kMaxRound = std::chrono::milliseconds(250);
  static constexpr Duration kProbeEvery = std::chrono::seconds(1);

  // `ceiling` in full handshakes per second, 0 for none; `bound` of turns in flight.
  Capacity(std::uint32_t ceiling, std::uint32_t bound, Instant now);
  Capacity() : Capacity(0, 4, Instant()) {}

  struct Sample {
    std::uint32_t established = 0;
    std::uint32_t failed = 0;  // by the server's fault
    std::uint32_t unused = 0;
    std::uint32_t server_signs = 0;
    std::uint64_t cost = 0;  // sixteenths
    std::uint64_t server_time_us = 0;
    std::uint64_t flight_time_us = 0;
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

 private:
  void end_round(std::uint32_t in_flight, Instant now);
  void decrease(double server_time_us, std::uint32_t in_flight, Instant now);
  void increase();
  void note_base(double server_time_us, Instant now);
  void publish();
  void die(Instant now);
  void revive(Instant now);

  double ceiling_;
  double bound_;
  double rate_;
  double window_;
  double delivered_ = 0;       // full handshakes per second, best of the recent rounds
  double base_us_ = 0;         // shortest usual server time
  double next_base_us_ = 0;    // the same, of the current epoch
  double cut_from_us_ = 0;     // server time when the current series of decreases began
  double flight_us_ = 50'000;  // usual flight time
  Instant round_start_;
  Instant round_end_;
  Instant epoch_end_;
  Instant hold_until_;  // no second decrease before the first can have worked
  Instant sign_;        // last sign of life, or first turn given since
  Instant next_probe_;
  std::uint32_t since_sign_ = 0;  // turns given since the last sign of life that may still need one
  std::uint32_t cuts_ = 0;
  Sample round_{};
  std::uint64_t rate16_ = 0;
  std::uint32_t window_turns_ = 0;
  Phase phase_ = Phase::kRamp;
  bool held_back_ = false;
};

}  // namespace sallyport::admission
