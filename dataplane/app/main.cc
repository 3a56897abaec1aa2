// sallyport-dataplane: packets in, packets out, and one socket on which control says what is
// allowed. Start order: docs/design/0001-borders.md.
#include <fmt/core.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>

#include "dataplane/app/daemon.h"
#include "policy/os/log.h"
#include "policy/os/notify.h"
#include "policy/os/signals.h"
#include "policy/os/system_error.h"

namespace sallyport::dataplane {
namespace {

constexpr int kPollMs = 100;

struct Arguments {
  DaemonOptions daemon;
  std::string hugepages = "auto";
};

// As root in the right namespace, listening; then the user that we stay.
Result<os::UniqueFd> settle(const DaemonOptions& options) {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);  // AF_XDP pins its buffers; ignored if we may not
  if (!options.netns.empty()) SALLYPORT_TRY_VOID(os::enter_netns(options.netns));
  const std::string folder = options.run_dir + "/dataplane";
  mkdir(options.run_dir.c_str(), 0755);
  mkdir(folder.c_str(), 0755);
  SALLYPORT_TRY(os::UniqueFd listener, os::listen_at(folder + "/socket", 0666));
  if (options.user.empty()) return listener;
  SALLYPORT_TRY(const os::User user, os::find_user(options.user));
  // DPDK's run-time files are made in there when the ports are probed.
  if (geteuid() == 0 && chown(folder.c_str(), user.uid, user.gid) != 0)
    return fail(os::system_error("run-dir", folder));
  constexpr std::array kKept = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, CAP_IPC_LOCK};
  SALLYPORT_TRY_VOID(os::become_user(user, kKept));
  return listener;
}

class Service {
 public:
  Service(Daemon& daemon, os::UniqueFd listener, uid_t control)
      : daemon_(daemon), listener_(std::move(listener)), control_(control) {}

  void accept() {
    auto client = os::accept_from(listener_.get());
    if (!client || !*client) return;
    const auto peer = os::peer_of((*client)->get());
    if (!peer || peer->uid != control_) {
      os::log::warning("refused a connection: not control's user");
      return;
    }
    client_ = std::move(**client);  // control reconnects; its old connection is over
  }

  // False when the process must end.
  bool serve() {
    while (client_) {
      auto datagram = os::receive_datagram(client_.get());
      if (!datagram) {
        client_.reset();
        return true;
      }
      if (!*datagram) return true;
      const auto envelope = os::decode((*datagram)->bytes);
      if (!envelope) {
        os::log::warning("control sent what is no message: " + envelope.error().context);
        client_.reset();
        return true;
      }
      send(daemon_.handle(**envelope, std::move((*datagram)->descriptors)));
      if (daemon_.must_end()) return false;
    }
    return true;
  }

  void tell_events() {
    if (!client_) return;
    for (os::Bytes& event : daemon_.take_events()) {
      os::Outgoing out;
      out.bytes = std::move(event);
      send(out);
    }
  }
  int listener() const { return listener_.get(); }
  int client() const { return client_.get(); }

 private:
  void send(const os::Outgoing& message) {
    if (auto sent = os::send(client_.get(), message);
        !sent && sent.error().code == "socket-closed") {
      client_.reset();
    }
  }
  Daemon& daemon_;
  os::UniqueFd listener_;
  os::UniqueFd client_;
  uid_t control_;
};

// Two workers of one processor would stop each other in the middle of a burst.
bool processors_for(std::size_t workers) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return workers == 1;
  const auto processors = static_cast<std::size_t>(CPU_COUNT(&set));
  if (workers <= processors) return true;
  os::log::error(
      fmt::format("workers: {} need as many processors, this process has {}", workers, processors));
  return false;
}

int serve_until_told(const Arguments& arguments) {
  if (!processors_for(arguments.daemon.workers)) return 78;  // EX_CONFIG
  const auto ended = os::stop_signals();
  if (!ended) {
    os::log::error(ended.error().code + ": " + ended.error().context);
    return 1;
  }
  signal(SIGPIPE, SIG_IGN);
  const os::Notifier notifier;
  auto listener = settle(arguments.daemon);
  if (!listener) {
    os::log::error(listener.error().code + ": " + listener.error().context);
    return 1;
  }
  Daemon daemon(arguments.daemon);
  Service service(daemon, std::move(*listener), arguments.daemon.control_uid);
  notifier.ready();
  while (true) {
    std::array<pollfd, 3> wait{{{ended->get(), POLLIN, 0},
                                {service.listener(), POLLIN, 0},
                                {service.client(), POLLIN, 0}}};
    poll(wait.data(), wait.size(), kPollMs);
    notifier.watchdog();
    if ((wait[0].revents & POLLIN) != 0) return 0;
    if ((wait[1].revents & POLLIN) != 0) service.accept();
    if (!service.serve()) return 75;  // EX_TEMPFAIL: start me again
    service.tell_events();
    daemon.tick();
  }
}

}  // namespace
}  // namespace sallyport::dataplane

int main(int argc, char** argv) {
  using namespace sallyport::dataplane;
  CLI::App app("Sallyport's packet path");
  Arguments arguments;
  DaemonOptions& daemon = arguments.daemon;
  std::string prefix;
  app.add_option("--run-dir", daemon.run_dir, "folder of the run-time sockets");
  app.add_option("--prefix", prefix, "namespace prefix: ports are in /run/netns/PREFIXports");
  app.add_option("--netns", daemon.netns, "network namespace that the ports are in");
  app.add_option("--xdp-object", daemon.xdp_object, "XDP program for net_af_xdp ports");
  app.add_option("--user", daemon.user, "user to become");
  app.add_option("--control-uid", daemon.control_uid, "the only user whose requests count");
  app.add_option("--flows", daemon.flows, "flow table size")->check(CLI::Range(1024, 4194304));
  app.add_option("--hugepages", arguments.hugepages)->check(CLI::IsMember({"auto", "off"}));
  app.add_option("--workers", daemon.workers, "packet threads, no more than processors")
      ->envname("SALLYPORT_WORKERS")
      ->check(CLI::Range(std::size_t{1}, kMaxWorkers));
  CLI11_PARSE(app, argc, argv);
  if (daemon.netns.empty() && !prefix.empty()) daemon.netns = "/run/netns/" + prefix + "ports";
  daemon.hugepages = arguments.hugepages == "off" ? Hugepages::kOff : Hugepages::kAuto;
  sallyport::os::log::open("dataplane");
  return serve_until_told(arguments);
}
