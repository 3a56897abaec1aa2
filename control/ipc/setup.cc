#include "control/ipc/setup.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace sallyport::control {
namespace {

constexpr int kMaxRepliesPerTurn = 256;

std::string_view name_of(const std::array<char, 16>& name) {
  return {name.data(), strnlen(name.data(), name.size())};
}

}  // namespace

void SetupClient::call(Millis now, const wire::SetupRequest& request, Done done) {
  if (!link_.up()) {
    done(fail(ErrorKind::kUnavailable, "peer-gone", "setup is not connected"));
    return;
  }
  waiting_.push_back({request, std::move(done), now});
  send_more(now);
}

void SetupClient::send_more(Millis now) {
  while (!waiting_.empty() && under_way_.size() < kWindow) {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    call.deadline = now + kCallTimeout;
    os::Datagram datagram;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&call.request);
    datagram.bytes.assign(bytes, bytes + sizeof call.request);
    link_.send(std::move(datagram));
    under_way_.push_back(std::move(call));
  }
}

std::optional<Link::Millis> SetupClient::deadline() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.front().deadline;
}

void SetupClient::fail_all(const Error& error) {
  auto calls = std::exchange(under_way_, {});
  for (Call& call : std::exchange(waiting_, {})) calls.push_back(std::move(call));
  for (Call& call : calls) call.done(fail(error));
}

void SetupClient::run(Millis now) {
  send_more(now);
  link_.run(now);
  for (int i = 0; i < kMaxRepliesPerTurn; ++i) {
    auto datagram = link_.receive(now);
    if (!datagram) break;
    handle(now, std::move(*datagram));
  }
  if (!link_.up() || link_.generation() != generation_)
    fail_all({ErrorKind::kUnavailable, "peer-gone", fmt::format("setup: {}", link_.last_error())});
  generation_ = link_.generation();
  if (const auto earliest = deadline(); earliest && *earliest <= now) {
    link_.drop(now, "no answer in time");
    fail_all({ErrorKind::kTimeout, "peer-silent", "setup does not answer"});
  }
  send_more(now);
  link_.run(now);
}

void SetupClient::handle(Millis now, os::Datagram datagram) {
  wire::SetupReply reply;
  if (datagram.bytes.size() != sizeof reply || under_way_.empty()) {
    link_.drop(now, "it sent something that is no reply");
    return;
  }
  std::memcpy(&reply, datagram.bytes.data(), sizeof reply);
  const Call call = std::move(under_way_.front());
  under_way_.pop_front();
  if (reply.magic != wire::kSetupMagic || reply.version != wire::kSetupVersion ||
      reply.op != call.request.op) {
    link_.drop(now, "it answered something else");
    call.done(fail(ErrorKind::kUnavailable, "peer-gone", "setup answered something else"));
    return;
  }
  if (reply.error != 0) {
    call.done(
        fail(ErrorKind::kRefused, fmt::format("setup-{}", reply.error),
             fmt::format("setup: operation {} on '{}': {} {}", static_cast<unsigned>(reply.op),
                         name_of(call.request.name), std::strerror(reply.error),
                         std::string_view(reply.detail.data(),
                                          strnlen(reply.detail.data(), reply.detail.size())))));
    return;
  }
  Answer answer{reply, {}};
  if (!datagram.descriptors.empty()) answer.fd = std::move(datagram.descriptors.front());
  call.done(std::move(answer));
}

}  // namespace sallyport::control
