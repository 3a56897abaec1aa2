// How many handshakes a server can bear, learned from its own answers. One per conduit, at the
// conduit's owner. It yields two bounds: a rate (full handshakes per second) that paces starts, and
// a window (turns) of handshakes in flight that makes starts follow completions, so that a server
// that slows down is followed at once, whatever is believed of it.
//
// The signal is the server's own time (ServerTime). Control happens once per round: as long as a
// turn usually takes to its reply, and until enough replies came:
//   seek      trains (Seeking), never faster than the ceiling, until one asks for more than the
//             server can or the ceiling itself is delivered
//   increase  while the server is at its base and all that is allowed is used: by time as long as
//             there is no sign of a queue at all, then timidly close to what it could do last
//   warm      a little above its base it has enough to do: what it delivers is what it can
//   decrease  when it takes kCongested times its base: nothing starts until what is in flight fits.
//             What was delivered meanwhile *is* the capacity: the rate becomes that, and the window
//             what it needs (Little's law: rate times usual flight)
//   drain     after an epoch in which the server was never near its base, a few rounds of half the
//             window, so that a standing queue does not become the base
//   dead      nothing proves it alive for a second although handshakes wait for it, or it accepts
//             connections and answers no ClientHello, or it refuses one after another: one probe a
//             second
// When less is delivered and the server's time stays, it was no queue: the machine itself is
// slower, and its time is the new base.
//
// What was delivered counts what is inside as half done, so that a queue that grows or shrinks
// within a round does not pass for more or less than the server can.
//
// The rate is a little lower where what handshakes cost is a surprise (Surprise).
//
// Thread: the owner's. No allocation, no clock; doubles, once per round.
#pragma once

#include <array>
#include <cstdint>

#include "policy/admission/seeking.h"
#include "policy/admission/server_time.h"
#include "policy/admission/surprise.h"
#include "policy/admission/types.h"

namespace sallyport::admission {

class Capacity {
 public:
  enum class Phase : std::uint8_t { kSeek, kRamp, kSteady, kDead };

  static constexpr Duration kMinRound = std::chrono::milliseconds(20);
  static constexpr Duration kMaxRound = std::chrono::milliseconds(250);
  static constexpr Duration kProbeEvery = std::chrono::seconds(1);

  // `ceiling` in full handshakes per second, 0 for none; `bound` of turns in flight; costs in
  // sixteenths, by Handshake.
  Capacity(std::uint32_t ceiling, std::uint32_t bound,
           const std::array<std::uint8_t, kHandshakes>& cost, Instant now);
  Capacity() : Capacity(0, 4, {16, 4, 3, 20}, Instant()) {}

  struct Sample {
    Replies replies;
    std::uint64_t reply_time_us = 0;  // over all replies: turn to reply
    std::uint32_t established = 0;
    std::uint64_t flight_time_us = 0;  // over `established`: turn to end
    std::uint32_t failed = 0;          // by the server's fault
    std::uint32_t server_signs = 0;
    std::int32_t hellos = 0;   // ClientHellos, less those whose clients left unanswered
    std::uint32_t absent = 0;  // turns whose clients do not come
    std::uint32_t taken = 0;   // turns that became handshakes
    std::int64_t due = 0;      // what handshakes turned out to cost more than foreseen, sixteenths
  };
  void learn(const Sample& sample, Instant now);
  // `n` turns were given.
  void granted(std::uint32_t n, Instant now);
  // Starts were held back by rate() or window() although clients wait.
  void held_back() { held_back_ = waits_ = true; }
  // Nobody waits.
  void starved() { starved_ = true; }
  // Runs the control when a round is over; call at least every few milliseconds while handshakes
  // are in flight or wait. `fresh`: of those in flight, those that are not slow.
  void tick(std::uint32_t in_flight, std::uint32_t fresh, Instant now);

  // Sixteenths of a full handshake per second.
  std::uint64_t rate16() const { return rate16_; }
  // Turns that may be in flight and not slow now. While dead: 0, save once per kProbeEvery.
  std::uint32_t window() const { return window_turns_; }
  // Whether the search for what the server can leaves room.
  bool may_start(Instant now) const { return phase_ != Phase::kSeek || seeking_.may_start(now); }
  bool probe_due(Instant now) const { return phase_ == Phase::kDead && now >= next_probe_; }
  Phase phase() const { return phase_; }
  double rate_per_s() const { return rate_; }
  // Usual server time of a kind when it is not overloaded; 0 while unknown.
  double base_us(Handshake kind) const { return time_.base_us(kind); }

 private:
  static constexpr double kFirstWindow = 8;
  static constexpr double kMinRate = 4;
  static constexpr double kEven = 1.03;  // of the rate over what was delivered, give or take chance
  static constexpr double kSpareFlight = 1.1;

  static double seconds_of(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
  static Duration from_us(double us) { return Duration(static_cast<std::int64_t>(us * 1e3)); }

  // What a round says.
  struct Reading {
    ServerTime::Distance time;
    double replies = 0;
    double cost = 0;       // full handshakes answered
    double work = 0;       // full handshakes' worth done
    double seconds = 0;    // during which anything was in flight
    double delivered = 0;  // full handshakes per second
    double inside = 0;     // handshakes at the server at once (Little's law)
  };
  // What was delivered while the server had more than enough to do.
  struct Overload {
    double work = 0, replies = 0, seconds = 0;
    void add(const Reading& r) { work += r.work, replies += r.replies, seconds += r.seconds; }
  };

  void look_for_death(std::uint32_t in_flight, Instant now);
  void open_window(const Replies& replies);
  void seek(const Sample& sample, Instant now);
  void found(double rate, Instant now);
  double full_handshakes(const Replies& replies) const;
  double needed_window() const;
  double first_window(double reply_s) const;
  Reading read(Instant now) const;
  void end_round(std::uint32_t fresh, Instant now);
  void begin_round(Instant now, Duration length);
  void judge(const Reading& reading, std::uint32_t fresh, Instant now);
  void smooth(const Reading& reading);
  void increase(const Reading& reading, Instant now);
  void decrease(const Reading& reading);
  bool slower_machine(const Reading& reading);
  void bound_by_overload();
  void settle(Instant now);
  void warm(const Reading& reading, Instant now);
  void start_drain(Instant now);
  void end_drain();
  void publish();
  void die(Instant now);
  void revive(Instant now);

  double ceiling_;
  double bound_;
  std::array<std::uint8_t, kHandshakes> cost_;
  double turns_per_full_ = 1;  // how many handshakes of the usual mix cost what a full one does
  double rate_;
  double window_;
  double sound_rate_;           // the last one that was judged without failures
  double delivered_ = 0;        // full handshakes per second, smoothed
  double reply_us_ = 50'000;    // usual time from turn to reply
  double flight_us_ = 100'000;  // usual time from turn to end, less the server's excess
  double inside_ = 0;           // usually at the server at once, at its base
  double sustained_ = 0;        // delivered in the last overload
  double slowness_ = 1;         // in the last warm round
  double suspected_us_ = 0;     // server time that may be the new base
  ServerTime time_;
  Surprise surprise_;
  Seeking seeking_;
  Overload overload_;
  Sample round_{};
  double busy_s_ = 0;  // of this round
  Instant ticked_;
  Instant round_start_;
  Instant round_end_;
  Instant epoch_end_;
  Instant hold_until_;  // rounds that began before it say nothing about the last decrease
  Instant sign_;        // first turn given since the last sign of life
  Instant hello_;       // first ClientHello since the last reply
  Instant next_probe_;
  Instant next_drain_;                // not before
  std::uint32_t since_sign_ = 0;      // turns given since the last sign of life
  std::int32_t unanswered_ = 0;       // ClientHellos since the last reply
  std::uint32_t inside_now_ = 0;      // ClientHellos not yet answered
  std::uint32_t inside_before_ = 0;   // the same, when the round began
  std::uint32_t most_in_flight_ = 0;  // in this round
  std::uint32_t calm_ = 0;            // rounds at base in a row
  std::uint32_t warm_ = 0;            // rounds well above base in a row, without congestion
  std::uint32_t drain_rounds_ = 0;
  std::uint64_t rate16_ = 0;
  std::uint32_t window_turns_ = 0;
  Phase phase_ = Phase::kSeek;
  bool sure_of_base_ = false;  // the server was let idle, and took no less
  bool cut_ = false;           // the last judgement was a decrease
  bool draining_ = false;      // until no more is in flight than the window
  bool held_back_ = false;     // by some poll of this round
  bool starved_ = false;       // at some poll of this round
  bool waits_ = false;         // somebody was left waiting by the last poll
  bool refused_ = false;       // it died by refusing
};

}  // namespace sallyport::admission
