// What makes a review end or come to stand while control runs: a new day of a trusted clock, and
// CAs in the terminator's key store. Both are remembered (control/app/review_memory.h), then the
// text in force is compiled again, beside the loop. If that makes other tables, they are brought
// into force as a revision of control's own; else only the warnings are new.
//
// Thread: the loop's. A clock that goes back or can no longer be trusted changes nothing: what has
// ended stays ended. Failures: alerted, and tried again every kRetry.
#pragma once

#include "control/app/commits.h"

namespace sallyport::control {

class ReviewWatch {
 public:
  static constexpr Millis kRetry{60'000};
  // Between two questions for the hashes of CAs.
  static constexpr Millis kAskInterval{2'000};

  ReviewWatch(Parts& parts, Commits& commits) : parts_(parts), commits_(commits) {}

  // `idle`: nobody holds the configuration.
  void run(Millis now, bool idle);
  void wait() const { Loop::wake_at(look_at_); }

 private:
  void ask_authorities(Millis now);
  void note_day();
  void remember();
  void tell(const Target& target);
  void judged(const TargetPtr& before, const TargetPtr& today);

  Parts& parts_;
  Commits& commits_;
  bool judging_ = false;
  bool asking_ = false;
  Millis look_at_{0};
  Millis judge_at_{0};
  Millis ask_at_{0};
  bool stored_ = true;
  bool storing_ = false;
  Millis store_at_{0};
  std::optional<std::int32_t> told_;  // the last day of which ended reviews were alerted
};

}  // namespace sallyport::control
