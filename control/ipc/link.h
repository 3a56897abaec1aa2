// One connection to a neighbour's socket, re-made for ever: connects, sends what is queued,
// receives. Back-off doubles from kFirstRetry to kLastRetry; a connection that lived long starts
// anew.
//
// Thread: the loop's; `now` is an argument. Nothing blocks. Failures: whatever goes wrong ends the
// connection; what was queued is lost, and generation() tells the next one from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "policy/os/fd.h"
#include "policy/os/seqpacket.h"

namespace sallyport::control {

class Link {
 public:
  using Millis = std::chrono::milliseconds;
  static constexpr Millis kFirstRetry{100};
  static constexpr Millis kLastRetry{2000};
  static constexpr std::size_t kMaxQueued = 65536;

  explicit Link(std::string path) : path_(std::move(path)) {}

  // Connects if it is time to, and sends. True while connected.
  bool run(Millis now);
  bool up() const { return static_cast<bool>(fd_); }
  // Counts connections; 0 before the first.
  std::uint64_t generation() const { return generation_; }

  // Queued and sent by run(). Ignored while not up.
  void send(os::Datagram datagram);
  // The next datagram; nothing when there is none. Ends the connection when the peer did.
  std::optional<os::Datagram> receive(Millis now);
  // Ends the connection; the next attempt is made after the back-off.
  void drop(Millis now, std::string why);

  int fd() const { return fd_.get(); }
  bool wants_write() const { return !queue_.empty(); }
  Millis retry_at() const { return retry_at_; }
  const std::string& last_error() const { return last_error_; }

 private:
  std::string path_;
  os::UniqueFd fd_;
  std::deque<os::Datagram> queue_;
  std::uint64_t generation_ = 0;
  Millis retry_at_{0};
  Millis backoff_ = kFirstRetry;
  Millis connected_at_{0};
  std::string last_error_;
};

}  // namespace sallyport::control
