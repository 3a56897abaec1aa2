// One question to sallyport-control and its answer, over <run-dir>/control/socket.
//
// Blocking, with a deadline; one thread. Failures: Error with the code that control gave, or
// "control-not-running" with what to do next. exit_code() says which status sallyctl ends with.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::control {

// What sallyctl ends with; documented in docs/guide/sallyctl.md and `sallyctl --help`.
enum ExitCode : int {
  kExitDone = 0,
  kExitDiffers = 1,       // `config diff`: there are differences
  kExitUsage = 2,         // the command line makes no sense
  kExitMistakes = 3,      // the configuration has mistakes
  kExitNotRunning = 4,    // sallyport-control, or the process that knows, is not there
  kExitNotPermitted = 5,  // neither root nor in the group sallyport
  kExitRefused = 6,       // the gateway refused; the old revision is in force
  kExitConfirm = 7,       // it interrupts traffic and was not confirmed
  kExitSystem = 8,        // a file cannot be read or written, or memory is short
};
ExitCode exit_code(const Error& error);

using OrderedJson = nlohmann::ordered_json;

struct Reply {
  OrderedJson result;
  std::vector<os::UniqueFd> fds;
};

class Client {
 public:
  explicit Client(std::string run_dir) : path_(std::move(run_dir) + "/control/socket") {}

  // `text` travels in sealed memory. On a refusal the whole answer is in `refusal`, if given.
  Result<Reply> ask(const OrderedJson& request, const std::optional<std::string>& text = {},
                    OrderedJson* refusal = nullptr,
                    std::chrono::milliseconds wait = kDefaultWait) const;

  static constexpr std::chrono::milliseconds kDefaultWait{120'000};

 private:
  std::string path_;
};

}  // namespace sallyport::control
