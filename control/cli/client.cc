#include "control/cli/client.h"

#include <fmt/format.h>

#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/seqpacket.h"

namespace sallyport::control {
namespace {

Result<os::Datagram> exchange(int socket, const std::string& request,
                              const std::optional<std::string>& text,
                              std::chrono::milliseconds wait) {
  os::UniqueFd memory;
  std::vector<int> descriptors;
  if (text) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text->data());
    SALLYPORT_TRY(memory, os::make_sealed("sallyctl-config", {bytes, text->size()}));
    descriptors.push_back(memory.get());
  }
  const Error gone{ErrorKind::kUnavailable, "no-answer",
                   "sallyport-control ended the connection without an answer\n"
                   "  next: journalctl -u sallyport-control"};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(request.data());
  if (!os::send_datagram(socket, {bytes, request.size()}, descriptors)) return fail(gone);
  if (!os::wait_readable(socket, wait)) return fail(gone);
  auto received = os::receive_datagram(socket);
  if (!received || !*received) return fail(gone);
  return std::move(**received);
}

}  // namespace

Result<Reply> Connection::ask(const OrderedJson& request, const std::optional<std::string>& text,
                              OrderedJson* refusal, std::chrono::milliseconds wait) const {
  SALLYPORT_TRY(os::Datagram datagram, exchange(socket_.get(), request.dump(), text, wait));
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

Result<Connection> Client::connect() const {
  auto socket = os::connect_to(path_);
  if (!socket)
    return fail(ErrorKind::kUnavailable, "control-not-running",
                fmt::format("sallyport-control does not listen at {}\n"
                            "  next: systemctl status sallyport-control   (or give --run-dir)",
                            path_));
  return Connection(*std::move(socket));
}

Result<Reply> Client::ask(const OrderedJson& request, const std::optional<std::string>& text,
                          OrderedJson* refusal, std::chrono::milliseconds wait) const {
  SALLYPORT_TRY(const Connection connection, connect());
  return connection.ask(request, text, refusal, wait);
}

}  // namespace sallyport::control
