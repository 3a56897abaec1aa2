// `status`: what is in force, who is there, what is wrong.
#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/file_watch.h"
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

json status_json(const Parts& parts, const Commits& commits, const FileWatch& file) {
  const Reconciler& reconciler = parts.reconciler;
  const TargetPtr target = reconciler.in_force();
  const std::uint64_t revision = parts.revision_in_force();
  const bool everywhere = target && parts.setup.up() && parts.dataplane.up() &&
                          parts.terminator.up() && reconciler.dataplane_revision() == revision &&
                          reconciler.terminator_revision() == revision &&
                          reconciler.step() == Reconciler::Step::kIdle;
  json out = {{"ready", commits.ready()},
              {"state", everywhere ? "in-force"
                        : target   ? "incomplete"
                                   : "nothing-in-force"},
              {"revision", revision},
              {"next", commits.next()},
              {"step", std::string(Reconciler::step_name(reconciler.step()))},
              {"problem", reconciler.last_error()},
              {"processes", processes_json(parts)},
              {"database",
               {{"connected", parts.database.connected()}, {"error", parts.database.last_error()}}},
              {"file", {{"path", parts.settings.config_path}, {"state", to_string(file.state())}}},
              {"events", parts.events.total()},
              {"version", parts.settings.version}};
  out["warnings"] = json::array();
  if (target)
    for (const model::Diagnostic& warning : target->warnings)
      out["warnings"].push_back({{"line", warning.at.line},
                                 {"column", warning.at.column},
                                 {"code", warning.code},
                                 {"message", warning.message}});
  return out;
}

void add_status_commands(Commands& commands, const Parts& parts, const Commits& commits,
                         const FileWatch& file) {
  commands.add("status", Access::kRead, [&](const Request&, const Responder& responder) {
    responder.result(status_json(parts, commits, file));
  });
}

}  // namespace sallyport::control
