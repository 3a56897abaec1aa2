#include "control/setup/server.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>

#include "policy/os/clock.h"
#include "policy/os/log.h"
#include "policy/os/seqpacket.h"
#include "policy/os/system_error.h"

namespace sallyport::setup {
namespace {

constexpr int kMaxAcceptsPerTurn = 64;

ConstBytes bytes_of(const wire::SetupReply& reply) {
  return {reinterpret_cast<const std::uint8_t*>(&reply), sizeof(reply)};
}

bool changes_nothing(wire::SetupOp op) {
  return op == wire::SetupOp::kHello || op == wire::SetupOp::kSegmentList;
}

std::string_view name_of(wire::SetupOp op) {
  switch (op) {
    case wire::SetupOp::kHello:
      return "hello";
    case wire::SetupOp::kSegmentCreate:
      return "segment-create";
    case wire::SetupOp::kSegmentDelete:
      return "segment-delete";
    case wire::SetupOp::kAddressAdd:
      return "address-add";
    case wire::SetupOp::kAddressDelete:
      return "address-delete";
    case wire::SetupOp::kNeighbourSet:
      return "neighbour-set";
    case wire::SetupOp::kNeighbourDelete:
      return "neighbour-delete";
    case wire::SetupOp::kRouteDefaultSet:
      return "route-default-set";
    case wire::SetupOp::kRouteDefaultDelete:
      return "route-default-delete";
    case wire::SetupOp::kRouteLocalAdd:
      return "route-local-add";
    case wire::SetupOp::kTapOpen:
      return "tap-open";
    case wire::SetupOp::kPortTake:
      return "port-take";
    case wire::SetupOp::kPortUp:
      return "port-up";
    case wire::SetupOp::kPortDown:
      return "port-down";
    case wire::SetupOp::kPortRelease:
      return "port-release";
    case wire::SetupOp::kOpenSocket:
      return "open-socket";
    case wire::SetupOp::kOpenRing:
      return "open-ring";
    case wire::SetupOp::kSegmentList:
      return "segment-list";
    case wire::SetupOp::kMtuSet:
      return "mtu-set";
  }
  return "unknown";
}

void log_outcome(const Request& request, const Outcome<Product>& done) {
  if (done) {
    os::log::info(fmt::format("{} {}: done", name_of(request.op), request.name));
  } else {
    const Error error = os::system_error("operation", done.error().subject, done.error().error);
    os::log::warning(fmt::format("{} {}: {}", name_of(request.op), request.name, error.context));
  }
}

}  // namespace

Result<void> Server::run(const os::Notifier& notifier) {
  const auto interval = notifier.watchdog_interval();
  const int wait_ms =
      interval ? static_cast<int>(
                     std::chrono::duration_cast<std::chrono::milliseconds>(*interval).count())
               : -1;
  while (true) {
    std::vector<pollfd> waiting = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_)
      waiting.push_back({connection.socket.get(), POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), wait_ms) < 0 && errno != EINTR)
      return fail(os::system_error("poll", "poll"));
    notifier.watchdog();
    if (waiting[0].revents != 0) return {};
    // Connections first, in the order of `waiting`; then a new one.
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (waiting[i + 2].revents != 0 && !serve(connections_[i])) connections_[i].socket.reset();
    }
    std::erase_if(connections_, [](const Connection& c) { return !c.socket; });
    // Strangers must not keep the backlog full: all that wait are looked at, within a bound.
    for (int i = 0; i < kMaxAcceptsPerTurn && waiting[1].revents != 0 && accept_one(); ++i) {
    }
  }
}

bool Server::accept_one() {
  auto accepted = os::accept_from(listener_.get());
  if (!accepted || !*accepted) return false;
  Connection connection{std::move(**accepted), 0};
  const auto peer = os::peer_of(connection.socket.get());
  if (!peer) return true;
  connection.uid = peer->uid;
  if (!clients_.known(peer->uid)) {
    report_refused("stranger", peer->uid);
  } else if (connections_.size() >= kMaxConnections) {
    report_refused("too many connections", peer->uid);
  } else {
    connections_.push_back(std::move(connection));
  }
  return true;
}

bool Server::serve(const Connection& connection) {
  auto received = os::receive_datagram(connection.socket.get(), sizeof(wire::SetupRequest), 0);
  if (!received) {
    if (received.error().kind == ErrorKind::kInvalid)
      report_refused(received.error().code, connection.uid);
    return false;
  }
  if (!*received) return true;
  const auto request = check_record((*received)->bytes, connection.uid, clients_);
  if (!request) {
    report_refused(request.error().what, connection.uid);
    if (request.error().severity == Severity::kClose) return false;
    return answer(connection, request.error().op, EINVAL, request.error().what, {});
  }
  auto done = operations_.perform(*request);
  if (!changes_nothing(request->op)) log_outcome(*request, done);
  if (!done) return answer(connection, request->op, done.error().error, done.error().subject, {});
  return answer(connection, request->op, 0, done->name, done->descriptor);
}

bool Server::answer(const Connection& connection, wire::SetupOp op, int error,
                    std::string_view detail, const os::UniqueFd& descriptor) {
  wire::SetupReply reply;
  reply.op = op;
  reply.error = error;
  const std::size_t size = std::min(detail.size(), reply.detail.size() - 1);
  std::copy_n(detail.begin(), size, reply.detail.begin());
  const int fd = descriptor.get();
  const std::span<const int> descriptors(&fd, descriptor ? 1U : 0U);
  return os::send_datagram(connection.socket.get(), bytes_of(reply), descriptors).has_value();
}

void Server::report_refused(std::string_view what, uid_t uid) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t now = os::steady_now().ns();
  if (last_report_ns_ != 0 && now - last_report_ns_ < kSecond) {
    ++unreported_;
    return;
  }
  os::log::warning(
      fmt::format("refused a record from uid {}: {} ({} more unreported)", uid, what, unreported_));
  last_report_ns_ = now;
  unreported_ = 0;
}

}  // namespace sallyport::setup
