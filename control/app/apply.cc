// A revision's way: compiled beside the loop, stored as pending, acknowledged by both siblings,
// stored as confirmed. Only then is the operator told that it is in force.
#include <fmt/format.h>

#include "control/app/control.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"

namespace sallyport::control {
namespace {

constexpr Millis kStoreTimeout{5000};
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kMaxComment = 500;

nlohmann::json to_json(const model::Diagnostics& diagnostics) {
  nlohmann::json out = nlohmann::json::array();
  for (const model::Diagnostic& one : diagnostics)
    out.push_back({{"line", one.at.line},
                   {"column", one.at.column},
                   {"code", one.code},
                   {"message", one.message},
                   {"hint", one.hint}});
  return out;
}

}  // namespace

void Control::start_apply(Request request, Responder responder, std::string text) {
  const auto value = [&](const char* key) {
    const auto found = request.body.find(key);
    return found != request.body.end() && found->is_string() ? found->get<std::string>() : "";
  };
  if (!request.may_write)
    return responder.refuse(
        "not-permitted", "only root and members of the group 'sallyport' may change the gateway");
  if (applying_)
    return responder.refuse("busy", fmt::format("{} is applying a revision; try again when that "
                                                "has ended",
                                                applying_->user));
  if (history_loaded_ && !booted_)
    return responder.refuse("busy", "the revision in force is being compiled; try again");
  if (!history_loaded_ || !database_.connected())
    return responder.refuse("no-database",
                            "the database (ovsdb-server) is not reachable, so the revision could "
                            "not be kept; start it, then apply again");
  for (const auto& [up, name] :
       {std::pair(setup_.up(), "setup"), std::pair(terminator_.up(), "terminator"),
        std::pair(dataplane_.up(), "dataplane")})
    if (!up)
      return responder.refuse(
          "peer-gone",
          fmt::format("sallyport-{} is not running: start it, then apply again", name));
  Applying applying;
  applying.user = request.user;
  applying.comment = value("comment").substr(0, kMaxComment);
  applying.yes = request.body.value("yes", nlohmann::json()) == true;
  applying.text = std::move(text);
  // Journal and history show this in one line each.
  for (char& c : applying.comment)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  applying.responder = std::move(responder);
  applying_ = std::move(applying);
  const std::uint64_t number = history_.next_number();
  applying_->number = number;
  ++apply_serial_;
  beside_.start(
      [text = applying_->text, input = compile_input(number)]() mutable {
        return make_target(std::move(text), std::move(input));
      },
      [this, serial = apply_serial_](auto result) {
        if (applying_ && serial == apply_serial_) compiled(std::move(result));
      });
}

void Control::end_apply(const std::string& code, const std::string& message, nlohmann::json more) {
  const Responder responder = *applying_->responder;
  applying_.reset();
  responder.refuse(code, message, std::move(more));
}

void Control::compiled(std::expected<TargetPtr, model::Diagnostics> result) {
  if (!result)
    return end_apply("config-invalid", "the configuration has mistakes; nothing was changed",
                     {{"problems", to_json(result.error())}});
  applying_->target = *std::move(result);
  if (!applying_->yes && reconciler_.needs_restart(*applying_->target))
    return end_apply("confirmation-needed",
                     "this revision changes ports: the dataplane restarts, and every flow is "
                     "interrupted for some seconds");
  const Revision& revision = history_.add(os::wall_ns() / kNsPerSecond, applying_->user,
                                          applying_->comment, std::move(applying_->text));
  applying_->number = revision.number;
  database_.set("Revision", std::to_string(revision.number), History::to_row(revision));
  applying_->stage = Applying::Stage::kStoring;
  applying_->deadline = Loop::now() + kStoreTimeout;
  Loop::wake_now();
}

void Control::advance_apply() {
  if (!applying_) return;
  const bool late = Loop::now() > applying_->deadline;
  const bool stored = database_.connected() && database_.settled();
  if (applying_->stage == Applying::Stage::kStoring && (stored || late)) {
    if (!stored)
      return applied(fail(ErrorKind::kUnavailable, "no-database",
                          "the revision could not be stored in time; nothing was changed"));
    applying_->stage = Applying::Stage::kReconciling;
    reconciler_.commit(Loop::now(), applying_->target,
                       [this](Result<void> outcome) { applied(std::move(outcome)); });
    Loop::wake_now();
  } else if (applying_->stage == Applying::Stage::kConfirming && (stored || late)) {
    const Applying done = std::move(*applying_);
    applying_.reset();
    nlohmann::json result = {{"revision", done.number},
                             {"warnings", to_json(done.target->warnings)}};
    if (!stored)
      result["note"] = "in force, but the database has not stored that yet; it is tried again";
    done.responder->result(result);
  }
}

void Control::applied(Result<void> outcome) {
  const std::uint64_t number = applying_->number;
  if (!outcome) {
    history_.discard(number);
    database_.erase("Revision", std::to_string(number));
    events_.add(os::wall_ns() / kNsPerSecond, "control", "revision-refused",
                fmt::format("revision {}: {}", number, outcome.error().context));
    return end_apply(outcome.error().code, outcome.error().context);
  }
  history_.confirm(number);
  const Revision& revision = *history_.find(number);
  // The audit line: with the journal forwarded, history cannot be rewritten unseen.
  os::log::info(fmt::format("revision {} confirmed: user={} sha256={} chain={} comment={}", number,
                            revision.user, revision.sha256, revision.chain, revision.comment));
  database_.set("Revision", std::to_string(number), History::to_row(revision));
  applying_->stage = Applying::Stage::kConfirming;
  applying_->deadline = Loop::now() + kStoreTimeout;
  Loop::wake_now();
}

}  // namespace sallyport::control
