// control's own socket: one JSON object per datagram, answered by one; texts that may be large
// travel in sealed memory beside it. Reading is for everybody, writing for root and the group
// `sallyport`, told by the kernel (SO_PEERCRED, SO_PEERGROUPS).
//
// Thread: the loop's. Nothing blocks. Failures: a client that sends anything malformed is answered
// once and disconnected; kMaxClients at most, each with one request under way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/app/request.h"
#include "control/config/tree.h"
#include "policy/os/fd.h"
#include "policy/os/seqpacket.h"

namespace sallyport::control {

inline constexpr std::size_t kMaxRequestText = kMaxConfigSize;

struct Request {
  nlohmann::json body;              // an object with a string "op"
  std::optional<std::string> text;  // of the attached memory
  std::string user;                 // who asks, for attribution
  std::uint64_t client = 0;         // the connection; never used twice
  bool may_write = false;
};

// One request's answer; called at most once. Descriptors follow the JSON's own memory, if any.
class Responder {
 public:
  using Send = std::function<void(std::string, std::vector<os::UniqueFd>)>;
  explicit Responder(Send send) : send_(std::make_shared<Send>(std::move(send))) {}
  // {"ok":true,"result":RESULT}; `json` is trusted to be JSON text.
  void result_text(const std::string& json, std::vector<os::UniqueFd> fds = {}) const;
  void result(const nlohmann::json& value) const;
  // {"ok":false,"code":...,"message":...,...more}
  void refuse(const std::string& code, const std::string& message,
              nlohmann::json more = nlohmann::json::object()) const;

 private:
  void send(std::string text, std::vector<os::UniqueFd> fds) const;
  std::shared_ptr<Send> send_;
};

class ControlServer {
 public:
  using Handler = std::function<void(Request, Responder)>;
  // A connection has ended.
  using Gone = std::function<void(std::uint64_t client)>;
  // Whether this idle connection must not be ended to make room for another.
  using Keep = std::function<bool(std::uint64_t client)>;
  static constexpr std::size_t kMaxClients = 64;

  // `group` may write besides root.
  ControlServer(os::UniqueFd listener, std::optional<gid_t> group, Handler handler, Gone gone,
                Keep keep);

  void run();
  void wait() const;

 private:
  struct Client {
    os::UniqueFd socket;
    std::string user;
    bool may_write = false;
    bool busy = false;
  };
  void accept_all();
  bool make_room();
  void end(std::uint64_t id);
  bool serve(std::uint64_t id, Client& client);
  void send(std::uint64_t id, const std::string& text, std::vector<os::UniqueFd> fds);

  os::UniqueFd listener_;
  std::optional<gid_t> group_;
  Handler handler_;
  Gone gone_;
  Keep keep_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_id_ = 1;
};

}  // namespace sallyport::control
