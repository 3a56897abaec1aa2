#include "control/app/commits.h"

#include <fmt/format.h>

#include "control/app/arguments.h"
#include "policy/os/log.h"

namespace sallyport::control {
namespace {

constexpr Millis kStoreTimeout{5000};
constexpr Millis kLook{50};
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

// Journal and history show it in one line each.
std::string one_line(std::string text) {
  text.resize(std::min(text.size(), kMaxComment));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

}  // namespace

std::optional<Error> Commits::obstacle() const {
  const auto error = [](std::string code, std::string text) {
    return Error{ErrorKind::kUnavailable, std::move(code), std::move(text)};
  };
  if (applying_)
    return error("busy", fmt::format("{} is applying a revision; try again when that has ended",
                                     applying_->user));
  if (loaded_ && !ready_)
    return error("busy", "the revision in force is being compiled; try again");
  if (!loaded_ || !parts_.database.connected())
    return error("no-database",
                 "the database (ovsdb-server) is not reachable, so the revision could not be kept; "
                 "start it, then apply again");
  for (const auto& [up, name] :
       {std::pair(parts_.setup.up(), "setup"), std::pair(parts_.terminator.up(), "terminator"),
        std::pair(parts_.dataplane.up(), "dataplane")})
    if (!up)
      return error("peer-gone",
                   fmt::format("sallyport-{} is not running: start it, then apply again", name));
  return std::nullopt;
}

void Commits::apply(Request request, const Responder& responder) {
  if (const auto error = obstacle()) return responder.refuse(error->code, error->context);
  Applying applying;
  applying.user = request.user;
  applying.comment = one_line(text_of(request.body, "comment"));
  applying.yes = flag_of(request.body, "yes");
  applying.text = *std::move(request.text);
  applying.responder = responder;
  applying.number = parts_.history.next_number();
  applying_ = std::move(applying);
  ++serial_;
  parts_.beside.start(
      [text = applying_->text, input = parts_.compile_input(applying_->number)]() mutable {
        return make_target(std::move(text), std::move(input));
      },
      [this, serial = serial_](auto result) {
        if (applying_ && serial == serial_) compiled(std::move(result));
      });
}

void Commits::refuse(const std::string& code, const std::string& message, nlohmann::json more) {
  const Responder responder = *applying_->responder;
  applying_.reset();
  responder.refuse(code, message, std::move(more));
}

void Commits::compiled(std::expected<TargetPtr, model::Diagnostics> result) {
  if (!result)
    return refuse("config-invalid", "the configuration has mistakes; nothing was changed",
                  {{"problems", to_json(result.error())}});
  applying_->target = *std::move(result);
  if (!applying_->yes && parts_.reconciler.needs_restart(*applying_->target))
    return refuse("confirmation-needed",
                  "this revision changes ports: the dataplane restarts, and every flow is "
                  "interrupted for some seconds");
  const Revision& revision = parts_.history.add(parts_.now_s(), applying_->user, applying_->comment,
                                                std::move(applying_->text));
  applying_->number = revision.number;
  parts_.database.set("Revision", std::to_string(revision.number), History::to_row(revision));
  applying_->stage = Applying::Stage::kStoring;
  applying_->deadline = Loop::now() + kStoreTimeout;
  Loop::wake_now();
}

void Commits::run() {
  if (!applying_) return;
  const bool late = Loop::now() > applying_->deadline;
  const bool stored = parts_.database.connected() && parts_.database.settled();
  if (applying_->stage == Applying::Stage::kStoring && (stored || late)) {
    if (!stored)
      return applied(fail(ErrorKind::kUnavailable, "no-database",
                          "the revision could not be stored in time; nothing was changed"));
    applying_->stage = Applying::Stage::kReconciling;
    parts_.reconciler.commit(Loop::now(), applying_->target,
                             [this](const Result<void>& outcome) { applied(outcome); });
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

void Commits::wait() const {
  if (applying_) Loop::wake_at(Loop::now() + kLook);
}

void Commits::applied(const Result<void>& outcome) {
  const std::uint64_t number = applying_->number;
  if (!outcome) {
    parts_.history.discard(number);
    parts_.database.erase("Revision", std::to_string(number));
    parts_.alert("revision-refused",
                 fmt::format("revision {}: {}", number, outcome.error().context));
    return refuse(outcome.error().code, outcome.error().context);
  }
  parts_.history.confirm(number);
  const Revision& revision = *parts_.history.find(number);
  // The audit line: with the journal forwarded, history cannot be rewritten unseen.
  os::log::info(fmt::format("revision {} confirmed: user={} sha256={} chain={} comment={}", number,
                            revision.user, revision.sha256, revision.chain, revision.comment));
  parts_.database.set("Revision", std::to_string(number), History::to_row(revision));
  applying_->stage = Applying::Stage::kConfirming;
  applying_->deadline = Loop::now() + kStoreTimeout;
  Loop::wake_now();
}

}  // namespace sallyport::control
