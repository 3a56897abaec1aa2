// sallyport-terminator: TLS outside, plaintext inside, and the only holder of private keys. Start
// order and messages: docs/design/0001-borders.md.
#include <fmt/core.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <optional>
#include <string>

#include "policy/os/clock.h"
#include "policy/os/log.h"
#include "policy/os/notify.h"
#include "policy/os/sandbox.h"
#include "policy/os/seqpacket.h"
#include "policy/os/signals.h"
#include "policy/os/system_error.h"
#include "tls-termination/app/control_link.h"
#include "tls-termination/app/setup_sockets.h"
#include "tls-termination/app/walls.h"
#include "tls-termination/session/terminator.h"

namespace sallyport::terminator {
namespace {

struct Options {
  std::string prefix;  // the namespaces are setup's business; taken so that all daemons agree
  std::string run_dir = "/run/sallyport";
  std::string state_dir = "/var/lib/sallyport";
  std::string user = "sallyport-terminator";
  std::string control = "sallyport-control";
  unsigned threads = 0;  // 0: one for each core that the process may use
};

constexpr std::int64_t kNanoPerSecond = 1'000'000'000;
constexpr std::chrono::milliseconds kLongestSleep{1000};
constexpr unsigned kMostThreads = 256;

unsigned usable_cores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&cores)), 1U, kMostThreads);
}

std::int64_t wall_seconds() { return os::wall_ns() / kNanoPerSecond; }

// Ends the loop on SIGTERM and SIGINT.
class StopSignal : private Watcher {
 public:
  StopSignal(Loop& loop, os::UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {
    loop_.watch(fd_.get(), EPOLLIN, *this);
  }
  ~StopSignal() override { loop_.forget(fd_.get()); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  bool seen() const { return seen_; }

 private:
  void on_ready(int, std::uint32_t) override { seen_ = true; }
  Loop& loop_;
  os::UniqueFd fd_;
  bool seen_ = false;
};

Result<os::UniqueFd> listen_in(const Options& options) {
  const std::string folder = options.run_dir + "/terminator";
  for (const std::string& path : {options.run_dir, folder})
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
      return fail(os::system_error("run-dir", path));
  return os::listen_at(folder + "/socket", 0666);
}

// The key folder belongs to the terminator's user and nobody else may look.
Result<void> check_keys(const std::string& keys) {
  struct stat info{};
  if (::stat(keys.c_str(), &info) != 0) return fail(os::system_error("keys", keys));
  if (!S_ISDIR(info.st_mode) || (info.st_mode & 077U) != 0 || info.st_uid != ::geteuid())
    return fail(ErrorKind::kRefused, "keys-unsafe",
                keys + " must be a folder of the terminator's user with mode 0700");
  return {};
}

Result<void> run(const Options& options) {
  const os::Notifier notifier;
  ::signal(SIGPIPE, SIG_IGN);
  SALLYPORT_TRY(const os::User control, os::find_user(options.control));
  SALLYPORT_TRY(os::UniqueFd listener, listen_in(options));
  const WallOptions walls{options.user, options.state_dir + "/keys", options.run_dir};
  SALLYPORT_TRY_VOID(leave_the_world(walls));
  SALLYPORT_TRY_VOID(check_keys(walls.keys));
  SALLYPORT_TRY_VOID(start_library());
  SALLYPORT_TRY(Loop loop, Loop::create(&os::steady_now));
  SALLYPORT_TRY(os::UniqueFd ended, os::stop_signals());
  StopSignal stop(loop, std::move(ended));
  SALLYPORT_TRY_VOID(build_walls(walls));

  SetupSockets sockets(loop, options.run_dir + "/setup/socket");
  ControlLink link(loop, std::move(listener), control.uid);
  // Threads are made behind the walls and have them all.
  const unsigned engines = options.threads > 0 ? options.threads : usable_cores();
  SALLYPORT_TRY(const auto terminator,
                Terminator::create(loop, sockets, KeyStore(walls.keys), link,
                                   {.timeouts = {},
                                    .engines = engines,
                                    .places = places_within(descriptors_allowed(), engines),
                                    .clock = &os::steady_now,
                                    .wall_s = &wall_seconds}));
  link.serve(*terminator);
  notifier.ready();
  os::log::info(fmt::format("ready, {} engines", terminator->engines()));
  while (!stop.seen()) {
    loop.run_once(kLongestSleep);
    // A stuck engine is a stuck daemon: the service manager starts another.
    if (terminator->alive()) notifier.watchdog();
  }
  notifier.stopping();
  return {};
}

}  // namespace
}  // namespace sallyport::terminator

int main(int argc, char** argv) {
  sallyport::terminator::Options options;
  CLI::App app("Terminates TLS for Sallyport's conduits.", "sallyport-terminator");
  app.add_option("--prefix", options.prefix, "of the namespaces' names");
  app.add_option("--run-dir", options.run_dir, "holds terminator/socket and setup/socket")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "holds keys/")->capture_default_str();
  app.add_option("--user", options.user, "user name or number to become")->capture_default_str();
  app.add_option("--control-uid", options.control, "user name or number of control")
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "engines, each a thread of its own (default: as many as cores may be used)")
      ->check(CLI::Range(1U, sallyport::terminator::kMostThreads));
  CLI11_PARSE(app, argc, argv);
  sallyport::os::log::open("terminator");
  if (auto done = sallyport::terminator::run(options); !done) {
    sallyport::os::log::error(fmt::format("{}: {}", done.error().code, done.error().context));
    return 1;
  }
  return 0;
}
