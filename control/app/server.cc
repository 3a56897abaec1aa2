#include "control/app/server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "control/ovsdb/loop.h"
#include "policy/os/envelope.h"
#include "policy/os/memfd.h"

namespace sallyport::control {
namespace {

// It goes into rows, logs and chains.
std::string printable(std::string name) {
  for (char& c : name)
    if (c <= ' ' || c > '~') c = '?';
  return name;
}

// From the password file itself: the name service may load code and open sockets.
std::string user_name(uid_t uid) {
  std::ifstream file("/etc/passwd");
  const std::string number = std::to_string(uid);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    const std::size_t third = line.find(':', second + 1);
    if (third != std::string::npos && line.substr(second + 1, third - second - 1) == number)
      return printable(line.substr(0, first));
  }
  return "uid " + number;
}

bool in_group(int socket, const os::Peer& peer, gid_t group) {
  if (peer.gid == group) return true;
  std::array<gid_t, 1024> groups{};
  socklen_t size = sizeof groups;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  const auto end = groups.begin() + size / sizeof(gid_t);
  return std::find(groups.begin(), end, group) != end;
}

}  // namespace

void Responder::send(std::string text, std::vector<os::UniqueFd> fds) const {
  if (!*send_) return;
  const Send once = std::move(*send_);
  *send_ = nullptr;
  once(std::move(text), std::move(fds));
}

void Responder::result_text(const std::string& json, std::vector<os::UniqueFd> fds) const {
  send("{\"ok\":true,\"result\":" + (json.empty() ? "null" : json) + "}", std::move(fds));
}

void Responder::result(const nlohmann::json& value) const {
  result_text(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Responder::refuse(const std::string& code, const std::string& message,
                       nlohmann::json more) const {
  more["ok"] = false;
  more["code"] = code;
  more["message"] = message;
  send(more.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), {});
}

ControlServer::ControlServer(os::UniqueFd listener, std::optional<gid_t> group, Handler handler,
                             Gone gone, Keep keep)
    : listener_(std::move(listener)),
      group_(group),
      handler_(std::move(handler)),
      gone_(std::move(gone)),
      keep_(std::move(keep)) {}

void ControlServer::end(std::uint64_t id) {
  if (clients_.erase(id) != 0) gone_(id);
}

// Idle connections must not keep others out: the oldest goes.
bool ControlServer::make_room() {
  if (clients_.size() < kMaxClients) return true;
  const auto idle = std::find_if(clients_.begin(), clients_.end(), [this](const auto& entry) {
    return !entry.second.busy && !keep_(entry.first);
  });
  if (idle == clients_.end()) return false;
  end(idle->first);
  return true;
}

void ControlServer::accept_all() {
  while (make_room()) {
    auto accepted = os::accept_from(listener_.get());
    if (!accepted || !*accepted) return;
    const int socket = (*accepted)->get();
    const auto peer = os::peer_of(socket);
    if (!peer) continue;
    Client client;
    client.user = user_name(peer->uid);
    client.may_write = peer->uid == 0 || (group_ && in_group(socket, *peer, *group_));
    client.socket = std::move(**accepted);
    clients_.emplace(next_id_++, std::move(client));
  }
}

void ControlServer::send(std::uint64_t id, const std::string& text, std::vector<os::UniqueFd> fds) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  client.busy = false;
  std::string datagram = text;
  if (text.size() > os::kLargestInlineJson) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    auto memory = os::make_sealed("sallyctl-answer", {bytes, text.size()});
    if (memory) {
      fds.insert(fds.begin(), *std::move(memory));
      datagram = R"({"attached":true})";
    } else {
      datagram = R"({"ok":false,"code":"no-memory","message":"the answer is too large"})";
    }
  }
  std::vector<int> numbers;
  for (const os::UniqueFd& fd : fds) numbers.push_back(fd.get());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(datagram.data());
  // A client that does not read its one answer is not worth a queue.
  if (!os::send_datagram(client.socket.get(), {bytes, datagram.size()}, numbers)) end(id);
}

// False: the client is gone or must go.
bool ControlServer::serve(std::uint64_t id, Client& client) {
  auto received = os::receive_datagram(client.socket.get());
  if (!received) return false;
  if (!*received) return true;
  os::Datagram& datagram = **received;
  const Responder responder([this, id](const std::string& text, std::vector<os::UniqueFd> fds) {
    send(id, text, std::move(fds));
  });
  auto body = parse_request(datagram.bytes);
  if (!body || datagram.descriptors.size() > 1) {
    responder.refuse("bad-request", body ? "too many descriptors" : body.error().context);
    return false;
  }
  Request request{*std::move(body), std::nullopt, client.user, id, client.may_write};
  if (!datagram.descriptors.empty()) {
    const auto memory = os::map_sealed(datagram.descriptors[0].get(), kMaxRequestText);
    if (!memory) {
      responder.refuse(memory.error().code, memory.error().context);
      return false;
    }
    const auto bytes = memory->bytes();
    request.text.emplace(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  client.busy = true;
  handler_(std::move(request), responder);
  return true;
}

void ControlServer::run() {
  accept_all();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, client] : clients_)
    if (!client.busy) ids.push_back(id);
  for (const std::uint64_t id : ids) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second.busy) continue;
    // serve() may answer at once, and sending may already have removed the client.
    if (!serve(id, found->second)) end(id);
  }
}

void ControlServer::wait() const {
  const bool room = std::any_of(clients_.begin(), clients_.end(), [this](const auto& entry) {
    return !entry.second.busy && !keep_(entry.first);
  });
  if (room || clients_.size() < kMaxClients) Loop::wake_on(listener_.get(), true, false);
  for (const auto& [id, client] : clients_)
    if (!client.busy) Loop::wake_on(client.socket.get(), true, false);
}

}  // namespace sallyport::control
