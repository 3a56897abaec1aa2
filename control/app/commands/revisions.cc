// `history`, `revision`, `apply`, `rollback`: revisions as they were and as they come.
#include <fmt/format.h>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/parts.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

json revision_json(const Revision& revision, std::uint64_t in_force, bool with_text) {
  json out = {{"number", revision.number},
              {"time", revision.time_s},
              {"user", revision.user},
              {"comment", revision.comment},
              {"sha256", revision.sha256},
              {"chain", revision.chain},
              {"state", revision.confirmed ? "confirmed" : "pending"},
              {"in_force", revision.number == in_force}};
  if (with_text) out["text"] = revision.text;
  return out;
}

void history(const Parts& parts, const Responder& responder) {
  json out = json::array();
  for (const auto& [number, revision] : parts.history.all())
    out.push_back(revision_json(revision, parts.revision_in_force(), false));
  responder.result(out);
}

void show_revision(const Parts& parts, const Request& request, const Responder& responder) {
  const std::uint64_t in_force = parts.revision_in_force();
  const std::uint64_t number = number_of(request.body, "number", in_force);
  const Revision* revision = parts.history.find(number);
  if (revision == nullptr)
    return responder.refuse("no-such-revision",
                            number == 0 ? "no revision is in force yet"
                                        : fmt::format("there is no revision {}; see `sallyctl "
                                                      "config history`",
                                                      number));
  responder.result(revision_json(*revision, in_force, true));
}

void rollback(const Parts& parts, Commits& commits, Request request, const Responder& responder) {
  std::uint64_t number = number_of(request.body, "number", 0);
  if (number == 0)  // the confirmed one before the one in force
    for (const auto& [older, revision] : parts.history.all())
      if (older < parts.revision_in_force() && revision.confirmed) number = older;
  const Revision* revision = parts.history.find(number);
  if (revision == nullptr || !revision->confirmed)
    return responder.refuse("no-such-revision",
                            number == 0 ? "there is no earlier revision to go back to"
                                        : fmt::format("there is no confirmed revision {}", number));
  const std::string comment = text_of(request.body, "comment");
  request.body["comment"] = comment.empty() ? fmt::format("rollback to {}", number)
                                            : fmt::format("rollback to {}: {}", number, comment);
  request.text = revision->text;
  commits.apply(std::move(request), responder);
}

}  // namespace

void add_revision_commands(Commands& commands, Parts& parts, Commits& commits) {
  commands.add("history", Access::kRead,
               [&parts](const Request&, const Responder& responder) { history(parts, responder); });
  commands.add("revision", Access::kRead,
               [&parts](const Request& request, const Responder& responder) {
                 show_revision(parts, request, responder);
               });
  commands.add("apply", Access::kWrite, [&commits](Request request, const Responder& responder) {
    if (!request.text)
      return responder.refuse("bad-request", "the configuration's text is not attached");
    commits.apply(std::move(request), responder);
  });
  commands.add("rollback", Access::kWrite,
               [&parts, &commits](Request request, const Responder& responder) {
                 rollback(parts, commits, std::move(request), responder);
               });
}

}  // namespace sallyport::control
