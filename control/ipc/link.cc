#include "control/ipc/link.h"

#include <algorithm>

namespace sallyport::control {
namespace {

Result<void> send_one(int socket, const os::Datagram& datagram) {
  std::vector<int> descriptors;
  for (const os::UniqueFd& fd : datagram.descriptors) descriptors.push_back(fd.get());
  return os::send_datagram(socket, datagram.bytes, descriptors);
}

}  // namespace

bool Link::run(Millis now) {
  if (!fd_) {
    if (now < retry_at_) return false;
    auto connected = os::connect_to(path_);
    if (!connected) {
      drop(now, connected.error().context);
      return false;
    }
    fd_ = *std::move(connected);
    ++generation_;
    connected_at_ = now;
    last_error_.clear();
  }
  while (!queue_.empty()) {
    const auto sent = send_one(fd_.get(), queue_.front());
    if (!sent && sent.error().code == "socket-busy") break;
    if (!sent) {
      drop(now, sent.error().context);
      return false;
    }
    queue_.pop_front();
  }
  return true;
}

void Link::send(os::Datagram datagram) {
  if (fd_ && queue_.size() < kMaxQueued) queue_.push_back(std::move(datagram));
}

std::optional<os::Datagram> Link::receive(Millis now) {
  if (!fd_) return std::nullopt;
  auto received = os::receive_datagram(fd_.get());
  if (received) return *std::move(received);
  drop(now, received.error().context);
  return std::nullopt;
}

void Link::drop(Millis now, std::string why) {
  if (fd_ && now - connected_at_ > kLastRetry) backoff_ = kFirstRetry;
  fd_.reset();
  queue_.clear();
  last_error_ = std::move(why);
  retry_at_ = now + backoff_;
  backoff_ = std::min(backoff_ * 2, kLastRetry);
}

}  // namespace sallyport::control
