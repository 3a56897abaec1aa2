#include "control/app/control.h"

#include <fmt/format.h>

namespace sallyport::control {

using nlohmann::json;

Control::Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group)
    : parts_(std::move(settings)),
      audit_(parts_.settings.audit_socket),
      file_(parts_),
      gateway_(parts_, file_),
      ledger_(parts_, gateway_, audit_),
      commits_(parts_, gateway_, ledger_),
      confirmation_(parts_, commits_, ledger_),
      writer_(parts_, commits_, confirmation_),
      reviews_(parts_, commits_),
      flows_(parts_),
      chain_(parts_),
      boot_(parts_, commits_, ledger_),
      publisher_(parts_, gateway_),
      commands_(parts_.settings.version),
      server_(
          std::move(listener), group,
          [this](Request request, const Responder& responder) {
            commands_.handle(std::move(request), responder);
          },
          [this](std::uint64_t client) { writer_.end_edit(client); },
          [this](std::uint64_t client) { return writer_.editing(client); }),
      appctl_(
          parts_.settings.run_dir + "/control/appctl",
          [](void* self) { return static_cast<Control*>(self)->status().dump(2); }, this) {
  add_status_commands(commands_, [this] { return status(); });
  add_show_commands(commands_, parts_, ledger_);
  add_query_commands(commands_, parts_);
  add_explain_commands(commands_, parts_);
  add_prove_commands(commands_, parts_);
  add_document_commands(commands_, parts_);
  add_review_commands(commands_, parts_);
  add_traffic_commands(commands_, parts_, flows_);
  add_revision_commands(commands_, parts_, commits_, confirmation_, writer_);
}

json Control::status() const {
  const Reconciler& reconciler = parts_.reconciler;
  const TargetPtr target = reconciler.in_force();
  const std::uint64_t revision = parts_.revision_in_force();
  const bool everywhere = target && parts_.setup.up() && parts_.dataplane.up() &&
                          parts_.terminator.up() && reconciler.dataplane_revision() == revision &&
                          reconciler.terminator_revision() == revision &&
                          reconciler.step() == Reconciler::Step::kIdle;
  json out = {
      {"ready", commits_.ready()},
      {"state", everywhere ? "in-force"
                : target   ? "incomplete"
                           : "nothing-in-force"},
      {"revision", revision},
      {"next", commits_.next()},
      {"step", std::string(Reconciler::step_name(reconciler.step()))},
      {"problem", reconciler.last_error()},
      {"processes", processes_json(parts_)},
      {"database",
       {{"connected", parts_.database.connected()},
        {"settled", parts_.database.settled()},
        {"rows_of", gateway_.rows},
        {"error", parts_.database.last_error()}}},
      {"file", {{"path", parts_.settings.config_path}, {"state", to_string(file_.state())}}},
      {"chain", chain_.to_json()},
      {"audit", audit_.to_json()},
      {"loop", watch_.to_json()},
      {"events", parts_.events.total()},
      {"version", parts_.settings.version}};
  if (const auto holder = writer_.holder())
    out["holder"] = {{"user", holder->user}, {"since", holder->since_s}, {"doing", holder->doing}};
  if (const Revision* awaited = confirmation_.awaited()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::seconds>(confirmation_.left()).count();
    out["unconfirmed"] = {{"revision", awaited->number},
                          {"user", awaited->user},
                          {"seconds_left", left},
                          {"reverts_at", parts_.now_s() + left}};
  }
  out["warnings"] = json::array();
  if (target) out["warnings"] = problems_json(target->warnings);
  return out;
}

void Control::note_foreign_writes() {
  for (const ForeignWrite& write : parts_.database.take_foreign())
    parts_.alert("foreign-write",
                 json{{"table", write.table}, {"row", write.key}, {"undone", true}}.dump());
}

// A full disk shows here first, and nobody may be looking at `status`.
void Control::note_database() {
  const std::string& error = parts_.database.last_error();
  if (error != database_error_) {
    database_error_ = error;
    if (error.empty())
      parts_.alert("database-recovered", "the database stores again");
    else
      parts_.alert("database-failing", "the database could not store: " + error);
  }
  if (audit_.failing() == audit_failing_) return;
  audit_failing_ = audit_.failing();
  if (audit_failing_)
    parts_.alert("audit-sink-failing", audit_.error());
  else
    parts_.alert("audit-sink-recovered", "the syslog socket takes lines again");
}

void Control::run_parts(Millis now) {
  parts_.setup.run(now);
  parts_.terminator.run(now);
  parts_.dataplane.run(now);
  watch_.after("processes");
  parts_.database.run(now);
  watch_.after("database");
  boot_.run();
  watch_.after("boot");
  parts_.beside.run();
  watch_.after("results");
  parts_.reconciler.run(now);
  watch_.after("reconciler");
  commits_.run(now);
  ledger_.run(now);
  confirmation_.run();
  watch_.after("commits");
  server_.run();
  watch_.after("requests");
  const bool idle = !commits_.under_way() && !ledger_.busy();
  reviews_.run(now, idle && confirmation_.awaited() == nullptr);
  flows_.run(now);
  chain_.run(now, idle && commits_.ready());
  watch_.after("watches");
  file_.run(now);
  if (commits_.ready()) publisher_.run();
  watch_.after("publisher");
  audit_.run(now);
  note_foreign_writes();
  note_database();
  appctl_.run();
}

void Control::run() {
  watch_.begin();
  run_parts(Loop::now());
  if (const auto late = watch_.end()) parts_.alert("loop-late", *late);
}

void Control::wait() const {
  const auto wait_link = [](const Link& link) {
    if (link.up())
      Loop::wake_on(link.fd(), true, link.wants_write());
    else
      Loop::wake_at(link.retry_at());
  };
  wait_link(parts_.setup.link());
  wait_link(parts_.terminator.link());
  wait_link(parts_.dataplane.link());
  for (const auto& when : {parts_.setup.deadline(), parts_.terminator.deadline(),
                           parts_.dataplane.deadline(), parts_.reconciler.wake_at()})
    if (when) Loop::wake_at(*when);
  commits_.wait();
  ledger_.wait();
  confirmation_.wait();
  reviews_.wait();
  flows_.wait();
  chain_.wait();
  boot_.wait();
  file_.wait();
  audit_.wait();
  Loop::wake_on(parts_.beside.wake_fd(), true, false);
  parts_.database.wait();
  server_.wait();
  appctl_.wait();
}

}  // namespace sallyport::control
