#include "control/app/control.h"

namespace sallyport::control {

Control::Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group)
    : parts_(std::move(settings)),
      file_(parts_),
      commits_(parts_),
      boot_(parts_, commits_),
      publisher_(parts_, commits_, file_),
      commands_(parts_.settings.version),
      server_(std::move(listener), group,
              [this](Request request, const Responder& responder) {
                commands_.handle(std::move(request), responder);
              }),
      appctl_(
          parts_.settings.run_dir + "/control/appctl",
          [](void* self) { return static_cast<Control*>(self)->status().dump(2); }, this) {
  add_status_commands(commands_, parts_, commits_, file_);
  add_show_commands(commands_, parts_);
  add_query_commands(commands_, parts_);
  add_explain_commands(commands_, parts_);
  add_revision_commands(commands_, parts_, commits_);
}

void Control::note_foreign_writes() {
  for (const ForeignWrite& write : parts_.database.take_foreign())
    parts_.alert(
        "foreign-write",
        nlohmann::json{{"table", write.table}, {"row", write.key}, {"undone", true}}.dump());
}

void Control::run() {
  const Millis now = Loop::now();
  parts_.setup.run(now);
  parts_.terminator.run(now);
  parts_.dataplane.run(now);
  parts_.database.run(now);
  boot_.run();
  parts_.beside.run();
  parts_.reconciler.run(now);
  commits_.run();
  server_.run();
  note_foreign_writes();
  file_.run(now);
  if (commits_.ready()) publisher_.run();
  appctl_.run();
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
  file_.wait();
  Loop::wake_on(parts_.beside.wake_fd(), true, false);
  parts_.database.wait();
  server_.wait();
  appctl_.wait();
}

}  // namespace sallyport::control
