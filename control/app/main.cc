// sallyport-control: intent in, snapshots out. See docs/design/0001-borders.md for who it speaks
// to.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "control/app/control.h"
#include "control/app/database_file.h"
#include "control/app/version.h"
#include "control/app/walls.h"
#include "control/schema/schema_text.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"
#include "policy/os/notify.h"
#include "policy/os/sandbox.h"
#include "policy/os/system_error.h"

namespace sallyport::control {
namespace {

constexpr const char* kWriters = "sallyport";
constexpr unsigned kSocketMode = 0666;  // who may do what is judged per request
constexpr mode_t kFolderMode = 0700;

struct Options {
  std::string run_dir = "/run/sallyport";
  std::string state_dir = "/var/lib/sallyport";
  std::string prefix = "sp-";
  std::string config = "/etc/sallyport/gateway.yaml";
  std::string user = "sallyport-control";
  std::string audit_socket;
  bool create_database = false;
};

// A number that is this machine's own and tells nobody which: MACs are derived from it.
std::uint64_t unit_id() {
  std::ifstream file("/etc/machine-id");
  std::string text;
  file >> text;
  const wire::Digest digest = wire::sha256("sallyport unit " + text);
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < 8; ++i) id = id << 8 | digest[i];
  return id;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  file >> text;
  return text;
}

std::string own_folder(const Options& options) { return options.state_dir + "/control"; }

// `--create-database`: what a launcher runs before ovsdb-server.
Result<void> create_database(const Options& options) {
  SALLYPORT_TRY(const os::User user, os::find_user(options.user));
  if (geteuid() == 0 || getuid() != user.uid) SALLYPORT_TRY_VOID(os::become_user(user, {}));
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  return prepare_database(options.state_dir, schema_text(), os::wall_ns() / kNsPerSecond);
}

// Where the recovery copy lives; made by whoever comes first.
Result<void> make_own_folder(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST)
    return fail(os::system_error("state-folder", path));
  return {};
}

Result<void> serve(const Options& options) {
  const os::Notifier notifier;
  SALLYPORT_TRY(const os::User user, os::find_user(options.user));
  std::optional<gid_t> writers;
  if (const group* found = getgrnam(kWriters); found != nullptr) writers = found->gr_gid;
  Settings settings;
  settings.run_dir = options.run_dir;
  settings.config_path = options.config;
  settings.version = kVersion;
  settings.unit_id = unit_id();
  settings.state_dir = own_folder(options);
  settings.audit_socket = options.audit_socket;
  settings.boot_id = boot_id();
  SALLYPORT_TRY_VOID(os::become_user(user, {}));
  umask(022);
  SALLYPORT_TRY_VOID(make_own_folder(settings.state_dir));
  settings.mended = take_mended(settings.state_dir);
  SALLYPORT_TRY(os::UniqueFd listener,
                os::listen_at(options.run_dir + "/control/socket", kSocketMode));
  Loop::quiet();
  SALLYPORT_TRY_VOID(raise_walls({options.run_dir, settings.state_dir, options.config}));
  Control control(std::move(settings), std::move(listener), writers);
  os::log::info(
      fmt::format("sallyport-control {} listens at {}/control/socket", kVersion, options.run_dir));
  notifier.ready();
  const auto interval = notifier.watchdog_interval();
  while (true) {
    control.run();
    if (interval) {
      notifier.watchdog();
      Loop::wake_at(Loop::now() + std::chrono::duration_cast<Millis>(*interval));
    }
    control.wait();
    Loop::block();
  }
}

int main_of(int argc, char** argv) {
  CLI::App app("Compiles the gateway's configuration and brings it into force.");
  Options options;
  app.add_option("--run-dir", options.run_dir, "sockets of the gateway's processes")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "the database's folder")->capture_default_str();
  app.add_option("--prefix", options.prefix,
                 "prefix of the namespaces (setup's business; accepted "
                 "so that all daemons take the same arguments)")
      ->capture_default_str();
  app.add_option("--config", options.config,
                 "the operator's file, compared and never used by itself")
      ->capture_default_str();
  app.add_option("--user", options.user, "user to become")->capture_default_str();
  app.add_option("--audit-socket", options.audit_socket,
                 "local syslog socket that gets each head of the chain of revisions, such as "
                 "/dev/log; its daemon sends them to another machine");
  app.add_flag("--create-database", options.create_database,
               "make, mend or convert STATE-DIR/gateway.db for ovsdb-server, then end");
  app.set_version_flag("--version", std::string("sallyport-control ") + kVersion);
  CLI11_PARSE(app, argc, argv);
  os::log::open("control");
  const Result<void> outcome = options.create_database ? create_database(options) : serve(options);
  if (outcome) return 0;
  os::log::error(fmt::format("{}: {}", outcome.error().code, outcome.error().context));
  return 1;
}

}  // namespace
}  // namespace sallyport::control

int main(int argc, char** argv) { return sallyport::control::main_of(argc, argv); }
