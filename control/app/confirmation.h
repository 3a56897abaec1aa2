// Confirmed commits: a revision that was applied with a window is withdrawn by itself, loudly,
// unless somebody confirms it in time. Going back is a commit of the last confirmed revision's
// text, and does not need the database, the operator or a restart.
//
// Thread: the loop's. Time is CLOCK_BOOTTIME, which nobody can set. Failures: a sibling that
// refuses the old text is alerted, and it is tried again every kRetry.
#pragma once

#include <optional>
#include <string>

#include "control/app/commits.h"

namespace sallyport::control {

class Confirmation {
 public:
  static constexpr Millis kRetry{10'000};

  Confirmation(Parts& parts, Commits& commits, Ledger& ledger)
      : parts_(parts), commits_(commits), ledger_(ledger) {}

  // The revision that waits to be confirmed; nullptr if none does.
  const Revision* awaited() const;
  // Time left; zero when the window has ended.
  Millis left() const;
  // Who is confirming it, while that is being stored; awaited() is null already.
  const std::optional<std::string>& confirming() const { return confirming_; }

  // For these two, awaited() is not null and nothing is under way.
  void confirm(const std::string& user, Ledger::Stored done);
  // `why` completes "revision 7 is withdrawn: ".
  void withdraw(const std::string& user, const std::string& why, Commits::Done done);

  void run();
  void wait() const;

 private:
  Parts& parts_;
  Commits& commits_;
  Ledger& ledger_;
  std::optional<std::string> confirming_;
  Millis retry_at_{0};      // of CLOCK_BOOTTIME
  std::uint64_t told_ = 0;  // the revision whose window was told of
};

}  // namespace sallyport::control
