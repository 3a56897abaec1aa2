// Questions to sallyport-control and their answers, over <run-dir>/control/socket.
//
// Blocking, with a deadline; one thread. Failures: Error with the code that control gave, or
// "control-not-running" with what to do next; control/cli/exit_codes.h says which status sallyctl
// ends with.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/cli/exit_codes.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::control {

using OrderedJson = nlohmann::ordered_json;

struct Reply {
  OrderedJson result;
  std::vector<os::UniqueFd> fds;
};

// One connection; what it holds (an edit) it holds until it is destroyed.
class Connection {
 public:
  static constexpr std::chrono::milliseconds kDefaultWait{120'000};

  // `text` travels in sealed memory. On a refusal the whole answer is in `refusal`, if given.
  Result<Reply> ask(const OrderedJson& request, const std::optional<std::string>& text = {},
                    OrderedJson* refusal = nullptr,
                    std::chrono::milliseconds wait = kDefaultWait) const;

 private:
  friend class Client;
  explicit Connection(os::UniqueFd socket) : socket_(std::move(socket)) {}
  os::UniqueFd socket_;
};

class Client {
 public:
  explicit Client(std::string run_dir) : path_(std::move(run_dir) + "/control/socket") {}

  Result<Connection> connect() const;
  // One question on a connection of its own.
  Result<Reply> ask(const OrderedJson& request, const std::optional<std::string>& text = {},
                    OrderedJson* refusal = nullptr,
                    std::chrono::milliseconds wait = Connection::kDefaultWait) const;

 private:
  std::string path_;
};

}  // namespace sallyport::control
