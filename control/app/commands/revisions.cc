// Revisions as they were (`history`, `revision`, `quarantine`) and as they come (`apply`,
// `rollback`, `confirm`, `edit`).
#include <fmt/format.h>

#include <algorithm>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/confirmation.h"
#include "control/app/utc.h"
#include "control/app/writer.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxComment = 500;
constexpr std::uint64_t kMaxWindow = 7 * 86'400;

// Journal and history show it in one line each; a character is kept whole or not at all.
std::string one_line(std::string text) {
  if (text.size() > kMaxComment) {
    std::size_t end = kMaxComment;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    text.resize(end);
  }
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return text;
}

class Revisions {
 public:
  Revisions(Parts& parts, Commits& commits, Confirmation& confirmation, Writer& writer)
      : parts_(parts), commits_(commits), confirmation_(confirmation), writer_(writer) {}

  void history(const Responder& responder) const {
    json out = json::array();
    for (const auto& [number, revision] : parts_.history.all())
      out.push_back(revision_json(revision, false));
    responder.result(out);
  }

  void show(const Request& request, const Responder& responder) const {
    const std::uint64_t number = number_of(request.body, "number", parts_.revision_in_force());
    const Revision* revision = find(number, responder);
    if (revision != nullptr) responder.result(revision_json(*revision, true));
  }

  void apply(Request request, const Responder& responder) {
    if (!request.text)
      return responder.refuse("bad-request", "the configuration's text is not attached");
    std::string text = *std::move(request.text);
    commit(request, responder, std::move(text), text_of(request.body, "comment"));
  }

  void rollback(const Request& request, const Responder& responder) {
    if (const auto busy = writer_.refusal(request, true))
      return responder.refuse(busy->code, busy->context);
    const std::uint64_t asked = number_of(request.body, "number", 0);
    if (confirmation_.awaited() != nullptr && asked == 0) return withdraw(request, responder);
    const std::uint64_t number = asked != 0 ? asked : before_in_force();
    if (number == 0)
      return responder.refuse("no-such-revision", "there is no earlier revision to go back to");
    const Revision* revision = find(number, responder);
    if (revision == nullptr) return;
    if (revision->state != RevisionState::kConfirmed)
      return responder.refuse("no-such-revision",
                              fmt::format("revision {} was never confirmed", number));
    const std::string comment = text_of(request.body, "comment");
    commit(request, responder, revision->text,
           comment.empty() ? fmt::format("rollback to {}", number)
                           : fmt::format("rollback to {}: {}", number, comment),
           true);
  }

  void confirm(const Request& request, const Responder& responder) {
    if (const auto busy = writer_.refusal(request, true))
      return responder.refuse(busy->code, busy->context);
    const Revision* revision = confirmation_.awaited();
    if (revision == nullptr)
      return responder.refuse("nothing-to-confirm", "no revision waits to be confirmed");
    confirmation_.confirm(
        request.user, [responder, number = revision->number](const Result<void>& stored) {
          json result = {{"revision", number}};
          if (!stored) result["note"] = "confirmed, but not stored yet: " + stored.error().context;
          responder.result(result);
        });
  }

  // Holds the configuration for this connection, and gives the text to start from.
  void edit(const Request& request, const Responder& responder) {
    if (const auto busy = writer_.refusal(request))
      return responder.refuse(busy->code, busy->context);
    writer_.edit(request);
    const Revision* revision = parts_.history.find(parts_.revision_in_force());
    responder.result({{"revision", revision == nullptr ? 0 : revision->number},
                      {"text", revision == nullptr ? "" : revision->text}});
  }

 private:
  // What became of it, in one word.
  std::string word(const Revision& revision) const {
    const bool in_force = revision.number == parts_.revision_in_force();
    if (revision.state == RevisionState::kUnconfirmed && !in_force) return "reverted";
    return to_string(revision.state);
  }

  json revision_json(const Revision& revision, bool with_text) const {
    json out = {{"number", revision.number},
                {"time", revision.time_s},
                {"user", revision.user},
                {"comment", revision.comment},
                {"sha256", revision.sha256},
                {"chain", revision.chain},
                {"state", word(revision)},
                {"confirmed_by", revision.confirmed_by},
                {"in_force", revision.number == parts_.revision_in_force()}};
    if (with_text) out["text"] = revision.text;
    return out;
  }

  const Revision* find(std::uint64_t number, const Responder& responder) const {
    const Revision* revision = parts_.history.find(number);
    if (revision == nullptr)
      responder.refuse("no-such-revision",
                       number == 0 ? "no revision is in force yet"
                                   : fmt::format("there is no revision {}; see `sallyctl config "
                                                 "history`",
                                                 number));
    return revision;
  }

  // The newest confirmed one before the one in force that says something else.
  std::uint64_t before_in_force() const {
    const Revision* now = parts_.history.find(parts_.revision_in_force());
    std::uint64_t number = 0;
    for (const auto& [older, revision] : parts_.history.all())
      if (now != nullptr && older < now->number && revision.sha256 != now->sha256 &&
          revision.state == RevisionState::kConfirmed)
        number = older;
    return number;
  }

  // Why it cannot be committed now, whatever it says.
  std::optional<Error> refusal(const Request& request, bool awaited_too) const {
    if (const auto busy = writer_.refusal(request, awaited_too)) return busy;
    if (const auto obstacle = commits_.obstacle()) return obstacle;
    const std::uint64_t base = number_of(request.body, "base", 0);
    const std::uint64_t now = parts_.revision_in_force();
    if (base != 0 && base != now) {
      const Revision* revision = parts_.history.find(now);
      return Error{ErrorKind::kRefused, "changed-meanwhile",
                   fmt::format("revision {} of {} has come into force since revision {} was read; "
                               "nothing was changed\n  next: compare with sallyctl config diff",
                               now, revision == nullptr ? "?" : revision->user, base)};
    }
    const std::uint64_t window = number_of(request.body, "confirm_within", 0);
    if (window > kMaxWindow)
      return Error{ErrorKind::kUsage, "bad-request", "it must be confirmed within 7 days"};
    if (window != 0 && parts_.history.last_confirmed() == nullptr)
      return Error{ErrorKind::kRefused, "nothing-to-go-back-to",
                   "no revision was ever confirmed, so there is nothing to go back to; apply this "
                   "one without --confirm-within"};
    return std::nullopt;
  }

  void commit(const Request& request, const Responder& responder, std::string text,
              const std::string& comment, bool awaited_too = false) {
    if (const auto error = refusal(request, awaited_too))
      return responder.refuse(error->code, error->context);
    Wish wish;
    wish.user = request.user;
    wish.comment = one_line(comment);
    wish.text = std::move(text);
    wish.yes = flag_of(request.body, "yes");
    wish.window_s = static_cast<std::int64_t>(number_of(request.body, "confirm_within", 0));
    commits_.start(std::move(wish), [this, responder, client = request.client](const Outcome& out) {
      answer(responder, client, out);
    });
  }

  void withdraw(const Request& request, const Responder& responder) {
    confirmation_.withdraw(request.user, "rolled back by " + request.user,
                           [this, responder, client = request.client](const Outcome& out) {
                             answer(responder, client, out);
                           });
  }

  void answer(const Responder& responder, std::uint64_t client, const Outcome& outcome) {
    if (outcome.error)
      return responder.refuse(outcome.error->code, outcome.error->context, outcome.more);
    writer_.end_edit(client);
    json result = {{"revision", outcome.revision}, {"warnings", outcome.warnings}};
    if (!outcome.note.empty()) result["note"] = outcome.note;
    if (confirmation_.awaited() != nullptr) {
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(confirmation_.left());
      result["confirm_within"] = left.count();
      result["reverts_at"] = parts_.now_s() + left.count();
    }
    responder.result(result);
  }

  Parts& parts_;
  Commits& commits_;
  Confirmation& confirmation_;
  Writer& writer_;
};

}  // namespace

void add_revision_commands(Commands& commands, Parts& parts, Commits& commits,
                           Confirmation& confirmation, Writer& writer) {
  const auto family = std::make_shared<Revisions>(parts, commits, confirmation, writer);
  commands.add("history", Access::kRead,
               [family](const Request&, const Responder& to) { family->history(to); });
  commands.add("revision", Access::kRead, [family](const Request& request, const Responder& to) {
    family->show(request, to);
  });
  commands.add("apply", Access::kWrite, [family](Request request, const Responder& to) {
    family->apply(std::move(request), to);
  });
  commands.add("rollback", Access::kWrite, [family](const Request& request, const Responder& to) {
    family->rollback(request, to);
  });
  commands.add("confirm", Access::kWrite, [family](const Request& request, const Responder& to) {
    family->confirm(request, to);
  });
  commands.add("edit", Access::kWrite, [family](const Request& request, const Responder& to) {
    family->edit(request, to);
  });
}

}  // namespace sallyport::control
