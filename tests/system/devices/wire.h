// A raw socket on one interface of the host that a program of the lab runs on, and a bounded rate.
#pragma once

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <span>

namespace sallyport::lab {

class Wire {
 public:
  explicit Wire(const char* interface) : socket_(::socket(AF_PACKET, SOCK_RAW, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    open_ = socket_ >= 0 && address.sll_ifindex != 0 &&
            ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Wire() { ::close(socket_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  bool open() const { return open_; }

  // False when the interface refuses the frame for its size.
  bool put(std::span<const std::uint8_t> frame) {
    while (::send(socket_, frame.data(), frame.size(), 0) < 0) {
      if (errno != ENOBUFS && errno != EAGAIN) return false;
      pollfd ready{socket_, POLLOUT, 0};
      ::poll(&ready, 1, 1);
    }
    return true;
  }

 private:
  int socket_;
  bool open_ = false;
};

// wait() returns when the next of `per_second` steps is due; it may run ahead by less than 1 ms.
class Pace {
 public:
  explicit Pace(std::uint64_t per_second) : per_second_(per_second) {}
  void wait() {
    const auto due = start_ + std::chrono::microseconds(++steps_ * 1'000'000 / per_second_);
    const auto early = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now());
    if (early.count() > 0) ::poll(nullptr, 0, static_cast<int>(early.count()));
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::uint64_t per_second_;
  std::uint64_t steps_ = 0;
  Clock::time_point start_ = Clock::now();
};

}  // namespace sallyport::lab
