#include "control/app/commands.h"

#include <fmt/format.h>

#include "control/app/arguments.h"
#include "policy/base/check.h"

namespace sallyport::control {

void Commands::add(std::string op, Access access, Run run) {
  const bool added = commands_.emplace(std::move(op), Command{access, std::move(run)}).second;
  SALLYPORT_CHECK(added);
}

void Commands::handle(Request request, const Responder& responder) const {
  const std::string op = text_of(request.body, "op");
  const auto found = commands_.find(op);
  if (found == commands_.end())
    return responder.refuse(
        "unknown-operation",
        fmt::format("this sallyport-control ({}) does not know '{}'", version_, op));
  if (found->second.access == Access::kWrite && !request.may_write)
    return responder.refuse(
        "not-permitted", "only root and members of the group 'sallyport' may change the gateway");
  found->second.run(std::move(request), responder);
}

}  // namespace sallyport::control
