// sallyport-exporter: figures for Prometheus, on the management segment and nowhere else. See
// docs/design/0010-metrics.md.
#include <fmt/format.h>
#include <poll.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>

#include "control/app/version.h"
#include "control/exporter/place.h"
#include "control/exporter/server.h"
#include "control/exporter/source.h"
#include "policy/os/log.h"
#include "policy/os/notify.h"
#include "policy/os/sandbox.h"
#include "policy/os/signals.h"
#include "policy/os/system_error.h"

namespace sallyport::exporter {
namespace {

constexpr int kTickMs = 1000;
constexpr int kEnded = 0;
constexpr int kFailed = 1;
constexpr int kStartAgain = 75;  // EX_TEMPFAIL: the service manager starts another

struct Options {
  std::string run_dir = "/run/sallyport";
  std::string prefix = "sp-";
  std::string segment = "management";
  std::string user = "sallyport-exporter";
  std::uint16_t port = 9469;
};

// True when the process is to end. Sleeps until then, or the server has something to do, or for a
// tick.
bool rest(const os::UniqueFd& stop, const HttpServer* server) {
  std::vector<pollfd> wait = {{stop.get(), POLLIN, 0}};
  if (server != nullptr)
    for (const int fd : server->wake_fds()) wait.push_back({fd, POLLIN, 0});
  ::poll(wait.data(), wait.size(), server == nullptr ? kTickMs : server->wait_ms(kTickMs));
  return wait[0].revents != 0;
}

// As it starts: nothing of anybody's is read yet. Nothing when it was told to end.
std::optional<Place> wait_for_place(const Options& options, const os::Notifier& notifier,
                                    const os::UniqueFd& stop) {
  const std::string path = fmt::format("/run/netns/{}{}", options.prefix, options.segment);
  bool told = false;
  while (true) {
    if (auto place = find_place(path)) return place;
    if (!told)
      os::log::info(
          fmt::format("there is no segment '{}'; nothing is served until there is one "
                      "with `role: management`",
                      options.segment));
    told = true;
    notifier.watchdog();
    if (rest(stop, nullptr)) return std::nullopt;
  }
}

// From now on: control's socket and the bound ones.
Result<void> build_walls(const Options& options) {
  SALLYPORT_TRY_VOID(os::drop_all_capabilities());
  SALLYPORT_TRY_VOID(os::forbid_dumps());
  const std::array<os::PathRule, 1> paths = {
      {{.path = options.run_dir + "/control", .write = false}}};
  SALLYPORT_TRY_VOID(os::restrict_paths(paths));
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls())
      .allow({"listen", "connect", "accept"})
      .allow_socket_family(AF_UNIX);
  return filter.install();
}

class Exporter {
 public:
  Exporter(const Options& options, Place place, std::vector<os::UniqueFd> sockets)
      : options_(options),
        place_(std::move(place)),
        sockets_(std::move(sockets)),
        source_(options.run_dir) {}

  int run(const os::Notifier& notifier, const os::UniqueFd& stop) {
    auto look_at = std::chrono::steady_clock::now();
    while (true) {
      // However often somebody knocks, control is asked once a tick.
      if (const auto now = std::chrono::steady_clock::now(); now >= look_at) {
        look_at = now + std::chrono::milliseconds(kTickMs);
        notifier.watchdog();
        if (const auto end = look()) return *end;
      }
      if (rest(stop, server_ ? &*server_ : nullptr)) return kEnded;
      if (server_) server_->run();
    }
  }

 private:
  // Is this the place, and has it the role? An exit status when the process is to end.
  std::optional<int> look() {
    if (!is_still(place_)) {
      os::log::info(fmt::format("segment '{}' is gone or was made anew", options_.segment));
      return kStartAgain;
    }
    const std::optional<bool> manages = source_.manages(options_.segment);
    if (!manages || *manages == server_.has_value()) {
      if (manages && !*manages)
        tell_once(fmt::format("segment '{}' has no `role: management`; nothing is served",
                              options_.segment));
      return std::nullopt;
    }
    if (!*manages) {
      os::log::info(fmt::format("'{}' is no management segment any more", options_.segment));
      return kStartAgain;
    }
    if (const auto begun = begin(); !begun) {
      os::log::error(fmt::format("{}: {}", begun.error().code, begun.error().context));
      return kFailed;
    }
    return std::nullopt;
  }
  void tell_once(const std::string& text) {
    if (told_ != text) os::log::info(text);
    told_ = text;
  }
  Result<void> begin() {
    SALLYPORT_TRY_VOID(listen_on(sockets_));
    SALLYPORT_TRY(server_, HttpServer::serve(std::move(sockets_), [this] { return page(); }));
    os::log::info(
        fmt::format("serves /metrics at port {} of segment '{}'", options_.port, options_.segment));
    return {};
  }
  std::string page() {
    const Answers& answers = source_.answers(std::chrono::steady_clock::now());
    return prometheus::TextSerializer().Serialize(families(answers));
  }

  const Options& options_;
  Place place_;
  std::vector<os::UniqueFd> sockets_;
  Source source_;
  std::optional<HttpServer> server_;
  std::string told_;
};

Result<int> serve(const Options& options) {
  const os::Notifier notifier;
  ::signal(SIGPIPE, SIG_IGN);
  SALLYPORT_TRY(const os::User user, os::find_user(options.user));
  SALLYPORT_TRY(const os::UniqueFd stop, os::stop_signals());
  notifier.ready();
  auto place = wait_for_place(options, notifier, stop);
  if (!place) return kEnded;
  SALLYPORT_TRY_VOID(enter(*place));
  SALLYPORT_TRY(auto sockets, bind_both(options.port));
  SALLYPORT_TRY_VOID(os::become_user(user, {}));
  SALLYPORT_TRY_VOID(build_walls(options));
  return Exporter(options, *std::move(place), std::move(sockets)).run(notifier, stop);
}

}  // namespace
}  // namespace sallyport::exporter

int main(int argc, char** argv) {
  using namespace sallyport;
  exporter::Options options;
  CLI::App app("Figures of the gateway for Prometheus, on its management segment.",
               "sallyport-exporter");
  app.add_option("--run-dir", options.run_dir, "sockets of the gateway's processes")
      ->capture_default_str();
  app.add_option("--prefix", options.prefix, "of the namespaces' names")->capture_default_str();
  app.add_option("--segment", options.segment, "the segment with `role: management`")
      ->capture_default_str();
  app.add_option("--port", options.port, "TCP port of /metrics")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--user", options.user, "user name or number to become")->capture_default_str();
  app.set_version_flag("--version", std::string("sallyport-exporter ") + control::kVersion);
  CLI11_PARSE(app, argc, argv);
  os::log::open("exporter");
  const Result<int> outcome = exporter::serve(options);
  if (outcome) return *outcome;
  os::log::error(fmt::format("{}: {}", outcome.error().code, outcome.error().context));
  return 1;
}
