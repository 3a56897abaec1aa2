#include "control/app/commits.h"

#include <fmt/format.h>

#include "control/config/load.h"
#include "policy/base/check.h"
#include "policy/review/rules.h"

namespace sallyport::control {

nlohmann::json problems_json(const model::Diagnostics& diagnostics) {
  nlohmann::json out = nlohmann::json::array();
  for (const model::Diagnostic& one : diagnostics)
    out.push_back({{"line", one.at.line},
                   {"column", one.at.column},
                   {"code", one.code},
                   {"message", one.message},
                   {"hint", one.hint}});
  return out;
}

std::optional<Error> Commits::obstacle() const {
  const auto error = [](std::string code, std::string text) {
    return Error{ErrorKind::kUnavailable, std::move(code), std::move(text)};
  };
  if (!parts_.database.connected())
    return error("no-database",
                 "the database (ovsdb-server) is not reachable, so the revision could not be "
                 "kept\n  next: systemctl status sallyport-db");
  if (!ready_) return error("starting", "control is still reading what is in force; try again");
  for (const auto& [up, name] :
       {std::pair(parts_.setup.up(), "setup"), std::pair(parts_.terminator.up(), "terminator"),
        std::pair(parts_.dataplane.up(), "dataplane")})
    if (!up)
      return error("peer-gone",
                   fmt::format("sallyport-{} is not running: start it, then apply again", name));
  return std::nullopt;
}

void Commits::start(Wish wish, Done done) {
  SALLYPORT_CHECK(!under_way());
  wish_ = std::move(wish);
  done_ = std::move(done);
  since_s_ = parts_.now_s();
  number_ = parts_.history.next_number();
  const Revision* last = parts_.history.last_confirmed();
  const TargetPtr in_force = parts_.reconciler.in_force();
  parts_.beside.start(
      [text = wish_->text, input = parts_.compile_input(number_), in_force,
       last_text = in_force || last == nullptr ? std::string() : last->text]() mutable {
        return make(std::move(text), std::move(input), in_force, last_text);
      },
      [this](Made made) { compiled(std::move(made)); });
}

// Whose rules count is who reviews now, also while their revision cannot be used.
Commits::Made Commits::make(std::string text, TargetInput input, const TargetPtr& in_force,
                            const std::string& last_text) {
  Made out{make_target(std::move(text), std::move(input)), std::nullopt};
  if (!out.target) return out;
  model::ReviewRules rules;
  if (in_force)
    rules = in_force->review_rules;
  else if (const auto last = load_config(last_text); !last_text.empty() && last)
    rules = last->review_rules;
  out.rules_refused = review::change_refused(rules, (*out.target)->review_rules);
  return out;
}

void Commits::refuse(Error error, nlohmann::json more) {
  Outcome outcome;
  outcome.error = std::move(error);
  outcome.more = std::move(more);
  end(std::move(outcome));
}

void Commits::end(Outcome outcome) {
  outcome.revision = number_;
  if (target_) outcome.warnings = problems_json(target_->warnings);
  target_.reset();
  wish_.reset();
  // It may start the next one.
  if (const Done done = std::exchange(done_, nullptr)) done(outcome);
}

void Commits::compiled(Made made) {
  auto& result = made.target;
  if (!result && result.error().front().code.starts_with(prove::kNotProven))
    return refuse(
        {ErrorKind::kRefused, "not-proven",
         "what was compiled is not what the configuration describes; nothing was changed"},
        {{"problems", problems_json(result.error())}});
  if (!result)
    return refuse({ErrorKind::kInvalid, "config-invalid",
                   "the configuration has mistakes; nothing was changed"},
                  {{"problems", problems_json(result.error())}});
  // Going back by itself restores what those reviewers had. 2.4.7.2
  if (made.rules_refused && !wish_->must)
    return refuse({ErrorKind::kRefused, "reviewers-not-signed",
                   *made.rules_refused + "\nnothing was changed"});
  target_ = *std::move(result);
  if (!wish_->yes && !wish_->must && parts_.reconciler.needs_restart(*target_))
    return refuse({ErrorKind::kRefused, "confirmation-needed",
                   "this revision changes ports: the dataplane restarts, and every flow is "
                   "interrupted for some seconds"});
  Revision revision;
  revision.time_s = parts_.now_s();
  revision.user = wish_->user;
  revision.comment = wish_->comment;
  revision.text = std::move(wish_->text);
  revision.window.seconds = wish_->window_s;
  // Control's own does not wait for a database.
  const bool wait = !wish_->must;
  const std::uint64_t number = ledger_.propose(
      std::move(revision),
      wait ? [this](const Result<void>& outcome) { stored(outcome); } : Ledger::Stored());
  SALLYPORT_CHECK(number == number_);
  if (!wait) bring_into_force();
}

void Commits::stored(const Result<void>& outcome) {
  if (outcome) return bring_into_force();
  Error error = outcome.error();
  error.context += "\nnothing was changed";
  ledger_.discard(number_, error.code);
  parts_.alert("revision-not-stored", fmt::format("revision {}: {}", number_, error.context));
  refuse(std::move(error));
}

// Somebody who has just come back is being given the revision in force; that ends first.
void Commits::bring_into_force() {
  idle_deadline_ = Loop::now() + kIdleTimeout;
  run(Loop::now());
}

void Commits::run(Millis now) {
  if (!idle_deadline_) return;
  if (parts_.reconciler.step() != Reconciler::Step::kIdle && now < *idle_deadline_) return;
  idle_deadline_.reset();
  parts_.reconciler.commit(Loop::now(), target_,
                           [this](const Result<void>& outcome) { acknowledged(outcome); });
  Loop::wake_now();
}

void Commits::wait() const {
  if (idle_deadline_) Loop::wake_at(*idle_deadline_);
}

void Commits::acknowledged(const Result<void>& outcome) {
  if (!outcome) {
    const bool away = outcome.error().kind == ErrorKind::kUnavailable ||
                      outcome.error().kind == ErrorKind::kTimeout;
    if (!wish_->must || !away) {
      ledger_.discard(number_, outcome.error().code);
      parts_.alert("revision-refused",
                   fmt::format("revision {}: {}", number_, outcome.error().context));
      return refuse(outcome.error());
    }
    // Whoever is there is given it now, the others when they come.
    parts_.reconciler.force(target_);
  }
  const bool confirmed = wish_->window_s == 0;
  Window window;
  window.seconds = wish_->window_s;
  if (!confirmed) {
    window.boot = parts_.settings.boot_id;
    window.deadline_ms = parts_.boot_now().count() + window.seconds * 1000;
  }
  ledger_.decide(number_, confirmed ? RevisionState::kConfirmed : RevisionState::kUnconfirmed,
                 confirmed ? wish_->user : "", window,
                 [this](const Result<void>& stored) { decided(stored); });
}

void Commits::decided(const Result<void>& outcome) {
  Outcome result;
  if (!outcome) {
    result.note = "in force, but not stored yet: " + outcome.error().context;
    parts_.alert("revision-not-stored", fmt::format("revision {} is {}", number_, result.note));
  }
  end(std::move(result));
}

}  // namespace sallyport::control
