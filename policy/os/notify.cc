#include "policy/os/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace sallyport::os {

Notifier::Notifier() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): called before threads start, by contract
  if (const char* path = std::getenv("NOTIFY_SOCKET")) path_ = path;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): as above
  if (const char* text = std::getenv("WATCHDOG_USEC")) {
    std::int64_t usec = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), usec);
    if (error == std::errc{} && *end == '\0' && usec > 1)
      interval_ = std::chrono::microseconds(usec / 2);
  }
  if (!path_.empty())
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void Notifier::send(const std::string& state) const {
  sockaddr_un address = {};
  if (!socket_ || path_.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // abstract name
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  // A service manager that does not read is its own trouble; the daemon goes on.
  static_cast<void>(::sendto(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), size));
}

}  // namespace sallyport::os
