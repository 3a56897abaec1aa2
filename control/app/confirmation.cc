#include "control/app/confirmation.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/app/restore.h"
#include "control/app/utc.h"
#include "policy/base/check.h"

namespace sallyport::control {

const Revision* Confirmation::awaited() const {
  const Revision* revision = parts_.history.find(parts_.revision_in_force());
  return revision != nullptr && revision->state == RevisionState::kUnconfirmed ? revision : nullptr;
}

Millis Confirmation::left() const {
  const Revision* revision = awaited();
  if (revision == nullptr) return Millis(0);
  return std::max(Millis(0), Millis(revision->window.deadline_ms) - parts_.boot_now());
}

void Confirmation::confirm(const std::string& user, Ledger::Stored done) {
  const Revision* revision = awaited();
  SALLYPORT_CHECK(revision != nullptr && !commits_.under_way());
  confirming_ = user;
  ledger_.decide(revision->number, RevisionState::kConfirmed, user, revision->window,
                 [this, done = std::move(done)](const Result<void>& outcome) {
                   confirming_.reset();
                   done(outcome);
                 });
}

void Confirmation::withdraw(const std::string& user, const std::string& why, Commits::Done done) {
  const Revision* revision = awaited();
  const Revision* last = parts_.history.last_confirmed();
  SALLYPORT_CHECK(revision != nullptr && last != nullptr);
  parts_.alert("revision-reverting",
               fmt::format("revision {} of {} is withdrawn: {}; going back to revision {}",
                           revision->number, revision->user, why, last->number));
  Wish wish;
  wish.user = user;
  wish.comment = fmt::format("back to {}: revision {} was not confirmed; {}", last->number,
                             revision->number, why);
  wish.text = last->text;
  wish.must = true;
  commits_.start(std::move(wish), std::move(done));
}

void Confirmation::run() {
  const Revision* revision = awaited();
  if (revision == nullptr || !commits_.ready() || confirming_) return;
  if (told_ != revision->number) {
    told_ = revision->number;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left()).count();
    parts_.alert("revision-unconfirmed",
                 fmt::format("revision {} of {} is withdrawn at {} unless somebody confirms it",
                             revision->number, revision->user, utc_text(parts_.now_s() + seconds)));
  }
  const Millis now = parts_.boot_now();
  if (left() > Millis(0) || commits_.under_way() || ledger_.busy() || now < retry_at_) return;
  retry_at_ = now + kRetry;
  withdraw(kOwnName, fmt::format("nobody confirmed it within {} s", revision->window.seconds),
           [this](const Outcome& outcome) {
             if (outcome.error)
               parts_.alert("revert-failed",
                            fmt::format("{}; the unconfirmed revision is still in force, and it is "
                                        "tried again in {} s",
                                        outcome.error->context, kRetry.count() / 1000));
           });
}

void Confirmation::wait() const {
  if (awaited() != nullptr && !commits_.under_way())
    Loop::wake_at(Loop::now() + std::max(left(), retry_at_ - parts_.boot_now()));
}

}  // namespace sallyport::control
