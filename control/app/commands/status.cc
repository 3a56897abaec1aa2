// `status`: what is in force, who is there, what is wrong. Its parts come from all of control, so
// Control puts them together.
#include "control/app/commands.h"
#include "control/app/parts.h"

namespace sallyport::control {

using nlohmann::json;

json processes_json(const Parts& parts) {
  const auto one = [](const char* name, const Link& link, std::uint64_t revision) {
    return json{{"name", name},
                {"connected", link.up()},
                {"revision", revision},
                {"detail", link.up() ? "" : link.last_error()}};
  };
  return json::array(
      {one("setup", parts.setup.link(), 0),
       one("dataplane", parts.dataplane.link(), parts.reconciler.dataplane_revision()),
       one("terminator", parts.terminator.link(), parts.reconciler.terminator_revision())});
}

void add_status_commands(Commands& commands, std::function<json()> status) {
  commands.add("status", Access::kRead,
               [status = std::move(status)](const Request&, const Responder& responder) {
                 responder.result(status());
               });
}

}  // namespace sallyport::control
