#include "control/app/audit.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "policy/os/log.h"

namespace sallyport::control {
namespace {

constexpr Millis kRetry{1000};
// RFC 5424 §6.2.1: facility 10 (security/authorization), severity 5 (notice).
constexpr int kPriority = 10 * 8 + 5;

}  // namespace

void Audit::record(const std::string& line) {
  os::log::info("audit: " + line);
  if (path_.empty()) return;
  // The form of syslog(3) without a time: the daemon stamps it on receipt.
  waiting_.push_back(fmt::format("<{}>sallyport-control: {}", kPriority, line));
  if (waiting_.size() > kMaxWaiting) {
    waiting_.pop_front();
    ++lost_;
  }
  retry_at_ = Millis(0);
  Loop::wake_now();
}

bool Audit::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::copy(path_.begin(), path_.end(), std::begin(address.sun_path));
  os::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  socket_ = std::move(socket);
  return true;
}

void Audit::run(Millis now) {
  while (!waiting_.empty() && now >= retry_at_) {
    const std::string& line = waiting_.front();
    if ((!socket_ && !connect()) ||
        ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
      error_ = fmt::format("{}: {}", path_, std::strerror(errno));
      socket_.reset();
      retry_at_ = now + kRetry;
      return;
    }
    error_.clear();
    waiting_.pop_front();
    ++sent_;
  }
}

void Audit::wait() const {
  if (!waiting_.empty()) Loop::wake_at(retry_at_);
}

nlohmann::json Audit::to_json() const {
  if (path_.empty()) return {{"log", true}, {"syslog", nullptr}};
  nlohmann::json out = {{"log", true}, {"syslog", path_}};
  out["sent"] = sent_;
  out["waiting"] = waiting_.size();
  out["lost"] = lost_;
  out["error"] = error_;
  return out;
}

}  // namespace sallyport::control
