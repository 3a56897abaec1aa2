#include "control/app/writer.h"

#include <fmt/format.h>

#include "control/app/arguments.h"
#include "control/app/utc.h"

namespace sallyport::control {

std::optional<Holder> Writer::holder(std::uint64_t client) const {
  if (commits_.under_way())
    return Holder{commits_.user(), commits_.since_s(),
                  fmt::format("is applying revision {}", commits_.next()),
                  "try again when that has ended"};
  if (confirmation_.confirming())
    return Holder{*confirmation_.confirming(), parts_.now_s(),
                  fmt::format("is confirming revision {}", parts_.revision_in_force()),
                  "try again when that has ended"};
  if (const Revision* revision = confirmation_.awaited())
    return Holder{revision->user, revision->time_s,
                  fmt::format("applied revision {}, which waits to be confirmed", revision->number),
                  "sallyctl config confirm, or sallyctl config rollback"};
  if (edit_ && edit_->client != client)
    return Holder{edit_->user, edit_->since_s, "is editing the configuration",
                  "wait, or end that edit with --take-over"};
  return std::nullopt;
}

std::optional<Error> Writer::refusal(const Request& request, bool awaited_too) const {
  const auto found = holder(request.client);
  if (!found) return std::nullopt;
  const bool commits = commits_.under_way() || confirmation_.confirming();
  const bool waits = !commits && confirmation_.awaited() != nullptr;
  if (waits && awaited_too) return std::nullopt;
  const bool edited = !commits && !waits;
  if (edited && flag_of(request.body, "take_over")) return std::nullopt;
  return Error{ErrorKind::kUnavailable, "busy",
               fmt::format("{} {} (since {}); nothing was changed\n  next: {}", found->user,
                           found->doing, utc_text(found->since_s), found->next)};
}

void Writer::edit(const Request& request) {
  edit_ = Edit{request.client, request.user, parts_.now_s()};
}

void Writer::end_edit(std::uint64_t client) {
  if (editing(client)) edit_.reset();
}

}  // namespace sallyport::control
