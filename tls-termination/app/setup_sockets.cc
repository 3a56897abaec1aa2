#include "tls-termination/app/setup_sockets.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "policy/os/log.h"
#include "policy/os/seqpacket.h"
#include "policy/wire/setup_protocol.h"

namespace sallyport::terminator {
namespace {

Error gone(const std::string& why) {
  return {ErrorKind::kUnavailable, "setup-gone", "sallyport-setup: " + why};
}

}  // namespace

SetupSockets::SetupSockets(Loop& loop, std::string path) : loop_(loop), path_(std::move(path)) {
  connect();
  loop_.set_timer(*this, loop_.now() + kRetry);
}

SetupSockets::~SetupSockets() {
  loop_.cancel_timer(*this);
  if (socket_) loop_.forget(socket_.get());
}

void SetupSockets::connect() {
  auto socket = os::connect_to(path_);
  if (!socket) return;
  socket_ = *std::move(socket);
  loop_.watch(socket_.get(), EPOLLIN, *this);
  send_more();
}

void SetupSockets::open(const std::string& segment, IpVersion version, SocketKind kind, Done done) {
  if (!socket_) return done(fail(gone("not there")));
  if (waiting_.size() >= kMostWaiting)
    return done(fail(ErrorKind::kExhausted, "setup-busy", "too many sockets are asked for"));
  waiting_.push_back({segment, version, kind, std::move(done), loop_.now()});
  send_more();
}

void SetupSockets::send_more() {
  while (socket_ && !waiting_.empty() && under_way_.size() < kWindow) {
    Call& call = waiting_.front();
    wire::SetupRequest request;
    request.op = wire::SetupOp::kOpenSocket;
    std::copy_n(call.segment.begin(), std::min(call.segment.size(), request.name.size() - 1),
                request.name.begin());
    request.family = call.version == IpVersion::k4 ? 4 : 6;
    request.socket_type = static_cast<std::uint8_t>(call.kind);
    std::array<std::uint8_t, sizeof(request)> bytes{};
    std::memcpy(bytes.data(), &request, sizeof(request));
    if (auto sent = os::send_datagram(socket_.get(), bytes); !sent) {
      if (sent.error().code == "socket-busy") return;  // an answer comes first
      return drop(sent.error().context);
    }
    call.asked = loop_.now();
    under_way_.push_back(std::move(call));
    waiting_.pop_front();
  }
}

Result<bool> SetupSockets::take_answer() {
  SALLYPORT_TRY(auto datagram, os::receive_datagram(socket_.get(), sizeof(wire::SetupReply), 1));
  if (!datagram) return false;
  wire::SetupReply reply;
  if (datagram->bytes.size() != sizeof(reply) || under_way_.empty())
    return fail(gone("an answer that nobody asked for"));
  std::memcpy(&reply, datagram->bytes.data(), sizeof(reply));
  if (reply.magic != wire::kSetupMagic || reply.version != wire::kSetupVersion ||
      reply.op != wire::SetupOp::kOpenSocket)
    return fail(gone("an answer of another form"));
  const Call call = std::move(under_way_.front());
  under_way_.pop_front();
  reply.detail.back() = '\0';
  if (reply.error != 0) {
    call.done(fail(ErrorKind::kUnavailable, "setup-refused",
                   fmt::format("no socket in segment {}: {} {}", call.segment,
                               std::strerror(reply.error), reply.detail.data())));
  } else if (datagram->descriptors.size() != 1) {
    call.done(fail(gone("no socket in its answer")));
  } else {
    call.done(std::move(datagram->descriptors.front()));
  }
  return true;
}

void SetupSockets::on_ready(int, std::uint32_t) {
  while (socket_) {
    const auto answer = take_answer();
    if (!answer) return drop(answer.error().context);
    if (!*answer) break;
  }
  send_more();
}

void SetupSockets::on_timer() {
  loop_.set_timer(*this, loop_.now() + kRetry);
  if (!socket_) return connect();
  send_more();
  if (!under_way_.empty() && loop_.now() - under_way_.front().asked > kPatience)
    drop("it does not answer");
}

void SetupSockets::drop(const std::string& why) {
  if (!socket_) return;
  os::log::warning("sallyport-setup: " + why);
  loop_.forget(socket_.get());
  socket_.reset();
  std::deque<Call> lost;
  lost.swap(under_way_);
  std::ranges::move(std::exchange(waiting_, {}), std::back_inserter(lost));
  for (const Call& call : lost) call.done(fail(gone(why)));
}

}  // namespace sallyport::terminator
