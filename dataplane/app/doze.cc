#include "dataplane/app/doze.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::dataplane {
namespace {

constexpr std::uint64_t kBell = ~std::uint64_t{0};

int in_ms(Duration time) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

Doze::Doze(const std::vector<Poller::Port>& ports, Duration longest) : longest_ms_(in_ms(longest)) {
  if (longest_ms_ == 0) return;
  for (const Poller::Port& port : ports) {
    if (port.driver->arrivals() < 0) return;
    ports_.push_back({port.driver});
  }
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  bool watched = watch(bell_->descriptor(), kBell);
  for (std::size_t i = 0; i < ports_.size(); ++i)
    watched = watched && watch(ports_[i].driver->arrivals(), i);
  possible_ = watched;
}

bool Doze::watch(int fd, std::uint64_t what) const noexcept {
  epoll_event event{};
  // By edges: an interrupt's descriptor is never read, and a frame that the port could not take for
  // want of a buffer must not keep the worker awake.
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = what;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Doze::begin(const LineVector<Poller::PortLoad>& loads) noexcept {
  bell_->doze();
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    ports_[i].seen = loads[i].rx_packets;
    ports_[i].driver->arm();
  }
}

bool Doze::wait() noexcept {
  std::array<epoll_event, 8> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), longest_ms_);
  for (const epoll_event& event :
       std::span(events).first(static_cast<std::size_t>(std::max(count, 0))))
    if (event.data.u64 != kBell) ports_[event.data.u64].missed = 0;
  return count != 0;
}

void Doze::overslept(const LineVector<Poller::PortLoad>& loads) noexcept {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    if (loads[i].rx_packets == port.seen || ++port.missed < kMissed) continue;
    port.driver->distrust();
    possible_ = false;
  }
}

void Doze::end() noexcept {
  bell_->rise();
  for (const Port& port : ports_) port.driver->disarm();
}

}  // namespace sallyport::dataplane
