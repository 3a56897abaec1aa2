// sallyport-setup: the small privileged helper. Makes namespaces, TAPs and sockets for the other
// daemons on request, in fixed-size records (policy/wire/setup_protocol.h), and nothing else.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>

#include "control/setup/namespaces.h"
#include "control/setup/operations.h"
#include "control/setup/server.h"
#include "control/setup/walls.h"
#include "policy/os/log.h"
#include "policy/os/notify.h"
#include "policy/os/sandbox.h"
#include "policy/os/seqpacket.h"
#include "policy/os/signals.h"
#include "policy/os/system_error.h"

namespace sallyport::setup {
namespace {

struct Options {
  std::string prefix = "sp-";
  std::string run_dir = "/run/sallyport";
  std::string control = "sallyport-control";
  std::string terminator = "sallyport-terminator";
  bool cleanup = false;
};

Error from(const Failure& failure) {
  return os::system_error("setup", failure.subject, failure.error);
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(os::system_error("run-dir", path));
  return {};
}

Result<void> clean_up(const Options& options, Operations operations) {
  if (auto removed = operations.remove_everything(); !removed) return fail(from(removed.error()));
  const std::string folder = options.run_dir + "/setup";
  ::unlink((folder + "/socket").c_str());
  ::rmdir(folder.c_str());
  os::log::info(fmt::format("removed everything named {}*", options.prefix));
  return {};
}

Result<void> serve(const Options& options, Operations operations) {
  SALLYPORT_TRY(const os::User control, os::find_user(options.control));
  SALLYPORT_TRY(const os::User terminator, os::find_user(options.terminator));
  SALLYPORT_TRY(os::UniqueFd stop, os::stop_signals());
  const os::Notifier notifier;
  SALLYPORT_TRY_VOID(make_folder(options.run_dir));
  SALLYPORT_TRY_VOID(make_folder(options.run_dir + "/setup"));
  // Anybody may connect; SO_PEERCRED decides who is heard.
  SALLYPORT_TRY(os::UniqueFd listener, os::listen_at(options.run_dir + "/setup/socket", 0666));
  SALLYPORT_TRY_VOID(build_walls());
  Server server(std::move(listener), std::move(stop), {control.uid, terminator.uid},
                std::move(operations));
  notifier.ready();
  os::log::info(fmt::format("ready; namespaces {}*", options.prefix));
  SALLYPORT_TRY_VOID(server.run(notifier));
  notifier.stopping();
  os::log::info(
      "stopping; namespaces, TAPs and ports stay as they are (sallyport-setup --cleanup removes "
      "them)");
  return {};
}

Result<void> run(const Options& options) {
  if (!is_prefix(options.prefix)) {
    return fail(ErrorKind::kUsage, "bad-prefix",
                "--prefix: 1 to 32 of a-z, 0-9 and '-', not opening with '-'");
  }
  auto home = current_namespace();
  if (!home) return fail(from(home.error()));
  auto operations = Operations::open(options.prefix, *home);
  if (!operations) return fail(from(operations.error()));
  return options.cleanup ? clean_up(options, std::move(*operations))
                         : serve(options, std::move(*operations));
}

}  // namespace
}  // namespace sallyport::setup

int main(int argc, char** argv) {
  sallyport::setup::Options options;
  CLI::App app("Makes network namespaces, TAPs and sockets for Sallyport's daemons.",
               "sallyport-setup");
  app.add_option("--prefix", options.prefix, "of every namespace's name")->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "holds setup/socket")->capture_default_str();
  app.add_option("--control-uid", options.control, "user name or number")->capture_default_str();
  app.add_option("--terminator-uid", options.terminator, "user name or number")
      ->capture_default_str();
  app.add_flag("--cleanup", options.cleanup,
               "give ports back, remove every namespace with the prefix, and exit");
  CLI11_PARSE(app, argc, argv);
  sallyport::os::log::open("setup");
  if (auto done = sallyport::setup::run(options); !done) {
    sallyport::os::log::error(fmt::format("{}: {}", done.error().code, done.error().context));
    return 1;
  }
  return 0;
}
