// The service manager's notification protocol (sd_notify(3)): one datagram to $NOTIFY_SOCKET.
// Without that variable every call succeeds and does nothing. Reads the environment once; create
// before threads start.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "policy/os/fd.h"

namespace sallyport::os {

class Notifier {
 public:
  Notifier();
  void ready() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  void status(std::string_view text) const { send("STATUS=" + std::string(text)); }
  void watchdog() const { send("WATCHDOG=1"); }
  // Half of the time within which watchdog() must be called; nothing when no watchdog is set
  // (WATCHDOG_USEC).
  std::optional<std::chrono::microseconds> watchdog_interval() const { return interval_; }

 private:
  void send(const std::string& state) const;
  UniqueFd socket_;
  std::string path_;
  std::optional<std::chrono::microseconds> interval_;
};

}  // namespace sallyport::os
