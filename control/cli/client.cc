#include "control/cli/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/seqpacket.h"

namespace sallyport::control {
namespace {

struct Known {
  std::string_view code;
  ExitCode exit;
};
constexpr std::array kKnown{
    Known{"control-not-running", kExitNotRunning},
    Known{"peer-gone", kExitNotRunning},
    Known{"peer-silent", kExitNotRunning},
    Known{"no-answer", kExitNotRunning},
    Known{"no-database", kExitNotRunning},
    Known{"config-invalid", kExitMistakes},
    Known{"not-permitted", kExitNotPermitted},
    Known{"confirmation-needed", kExitConfirm},
    Known{"bad-request", kExitUsage},
    Known{"bad-question", kExitUsage},
    Known{"unknown-operation", kExitUsage},
    Known{"no-such-revision", kExitUsage},
};

Result<os::Datagram> exchange(const std::string& path, const std::string& request,
                              const std::optional<std::string>& text,
                              std::chrono::milliseconds wait) {
  auto socket = os::connect_to(path);
  if (!socket)
    return fail(ErrorKind::kUnavailable, "control-not-running",
                fmt::format("sallyport-control does not listen at {}\n"
                            "  next: systemctl status sallyport-control   (or give --run-dir)",
                            path));
  os::UniqueFd memory;
  std::vector<int> descriptors;
  if (text) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text->data());
    SALLYPORT_TRY(memory, os::make_sealed("sallyctl-config", {bytes, text->size()}));
    descriptors.push_back(memory.get());
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(request.data());
  SALLYPORT_TRY_VOID(os::send_datagram(socket->get(), {bytes, request.size()}, descriptors));
  const Error gone{ErrorKind::kUnavailable, "no-answer",
                   "sallyport-control ended the connection without an answer\n"
                   "  next: journalctl -u sallyport-control"};
  if (!os::wait_readable(socket->get(), wait)) return fail(gone);
  auto received = os::receive_datagram(socket->get());
  if (!received || !*received) return fail(gone);
  return std::move(**received);
}

}  // namespace

ExitCode exit_code(const Error& error) {
  const auto* known = std::find_if(kKnown.begin(), kKnown.end(),
                                   [&](const Known& one) { return one.code == error.code; });
  if (known != kKnown.end()) return known->exit;
  return error.kind == ErrorKind::kSystem  ? kExitSystem
         : error.kind == ErrorKind::kUsage ? kExitUsage
                                           : kExitRefused;
}

Result<Reply> Client::ask(const OrderedJson& request, const std::optional<std::string>& text,
                          OrderedJson* refusal, std::chrono::milliseconds wait) const {
  SALLYPORT_TRY(os::Datagram datagram, exchange(path_, request.dump(), text, wait));
  auto answer = OrderedJson::parse(datagram.bytes, nullptr, false);
  Reply reply;
  reply.fds = std::move(datagram.descriptors);
  if (answer.is_object() && answer.value("attached", false) && !reply.fds.empty()) {
    SALLYPORT_TRY(const auto memory,
                  os::map_sealed(reply.fds.front().get(), os::kLargestAttachedJson * 2));
    answer = OrderedJson::parse(memory.bytes(), nullptr, false);
    reply.fds.erase(reply.fds.begin());
  }
  if (!answer.is_object() || !answer.contains("ok"))
    return fail(ErrorKind::kInvalid, "bad-answer", "sallyport-control answered no JSON object");
  if (answer["ok"] != true) {
    Error error{ErrorKind::kRefused, answer.value("code", "refused"),
                answer.value("message", "it gave no reason")};
    if (refusal != nullptr) *refusal = std::move(answer);
    return fail(std::move(error));
  }
  reply.result = std::move(answer["result"]);
  return reply;
}

}  // namespace sallyport::control
