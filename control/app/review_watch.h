// Reviews that end while control runs: each new day the text in force is compiled again for that
// day, beside the loop. If that makes other tables, they are brought into force as a revision of
// control's own; else only the warnings are new.
//
// Thread: the loop's. A clock that goes back changes nothing: what has ended stays ended until
// somebody commits. Failures: alerted, and tried again every kRetry.
#pragma once

#include "control/app/commits.h"

namespace sallyport::control {

class ReviewWatch {
 public:
  static constexpr Millis kRetry{60'000};

  ReviewWatch(Parts& parts, Commits& commits) : parts_(parts), commits_(commits) {}

  // `idle`: nobody holds the configuration.
  void run(Millis now, bool idle);
  void wait() const { Loop::wake_at(look_at_); }

 private:
  void judged(const TargetPtr& before, const TargetPtr& today);

  Parts& parts_;
  Commits& commits_;
  bool judging_ = false;
  Millis look_at_{0};
};

}  // namespace sallyport::control
