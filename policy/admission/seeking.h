// How the capacity of a server is found that nobody knows, or that somebody guessed too high: in
// trains. A train is some turns given at once. When n of them are answered within t, n / t is
// proven, whatever the server does with them meanwhile. Each train is twice what the last one was;
// after it no more starts than what is proven would have started since it left, so a train is
// borrowed and not given on top. The train that takes the server longer than it usually takes has
// asked for more than the server can, and what it proves is the capacity.
//
// Whose client does not come has asked the server for nothing. A train of which too few came to say
// anything is followed by one of the same length; their answers are judged together.
//
// Who comes when few are on their way is never held back by this.
//
// Thread: the owner's. No allocation, no clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "policy/admission/server_time.h"
#include "policy/admission/types.h"

namespace sallyport::admission {

class Seeking {
 public:
  // At most `most` turns in a train.
  explicit Seeking(std::uint32_t most) : most_(most), size_(std::min(most, kFirst)) {}

  bool may_start(Instant now) const {
    return unanswered_ < kFirst || given_ < size_ ||
           (!held_ && static_cast<double>(given_) < paced_ * since(now));
  }
  void granted(std::uint32_t n, Instant now);

  // What some replies say, summed.
  struct Answers {
    Replies replies;
    double cost = 0;           // full handshakes
    double reply_us = 0;       // turn to reply
    std::uint32_t inside = 0;  // ClientHellos that the server has not answered yet
    std::uint32_t absent = 0;  // turns whose clients do not come
  };
  void learn(const Answers& answers, Instant now);
  // Once per poll. `in_flight`: no more can still be answered; `waits`: somebody was left waiting.
  void tick(std::uint32_t in_flight, bool waits);
  // Sends the next train when this one says that there is more; the capacity in full handshakes per
  // second when it says that there is not.
  std::optional<double> judge(ServerTime& time, Instant now);

  // Turns that may be on their way, if one takes `flight_s` seconds from turn to end.
  double window(double flight_s) const;

 private:
  static constexpr std::uint32_t kFirst = 8;

  double since(Instant now) const { return static_cast<double>((now - left_).count()) * 1e-9; }
  double way_us(const Answers& answers) const;
  void came_to_nothing(std::uint32_t n);
  // Half of the train was answered, those who will not come left out.
  bool answered() const;
  // Nothing of the train is on its way any more.
  bool spent() const { return unanswered_ == before_; }
  // All of it was, or nothing has been for a while; and little of it is still inside.
  bool over(Instant now) const;
  void next_train(std::uint32_t size);

  std::uint32_t most_;
  std::uint32_t size_;
  std::uint32_t given_ = 0;       // since the train left, those that were paced included
  std::uint32_t unanswered_ = 0;  // of all turns whose clients may still come
  std::uint32_t before_ = 0;      // of these, from before the train
  std::uint32_t absent_ = 0;      // of the train
  std::uint32_t met_ = 0;         // of those before, answered after the train had arrived
  std::uint32_t early_ = 0;       // of those before, counted in `train_`
  std::uint32_t inside_ = 0;      // of the train
  bool held_ = false;             // nothing but the train itself
  Instant left_;
  Instant replied_;
  Answers train_;      // what was answered of it, and at the same time
  Replies judged_;     // the same, and those before it
  double paced_ = 0;   // turns per second that may start after a train
  double proven_ = 0;  // full handshakes per second, by this train
};

}  // namespace sallyport::admission
