#include "tls-termination/relay/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "policy/base/check.h"
#include "policy/os/system_error.h"

namespace sallyport::terminator {

Result<Loop> Loop::create(Instant (*clock)()) {
  Loop loop;
  loop.clock_ = clock;
  loop.now_ = clock();
  loop.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop.epoll_) return fail(os::system_error("epoll", "epoll_create1"));
  return loop;
}

void Loop::watch(int fd, std::uint32_t events, Watcher& watcher) {
  const auto known = by_fd_.find(fd);
  if (known != by_fd_.end()) {
    Entry& entry = entries_.at(known->second);
    SALLYPORT_CHECK(entry.watcher == &watcher);
    if (entry.events == events) return;
    entry.events = events;
    epoll_event event{.events = events, .data = {.u64 = known->second}};
    SALLYPORT_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
    return;
  }
  const std::uint64_t id = next_id_++;
  epoll_event event{.events = events, .data = {.u64 = id}};
  SALLYPORT_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  entries_[id] = {fd, &watcher, events};
  by_fd_[fd] = id;
}

void Loop::forget(int fd) {
  const auto known = by_fd_.find(fd);
  if (known == by_fd_.end()) return;
  entries_.erase(known->second);
  by_fd_.erase(known);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::set_timer(TimerTarget& target, Instant when) {
  cancel_timer(target);
  timers_.emplace(when, &target);
  deadlines_[&target] = when;
}

void Loop::cancel_timer(TimerTarget& target) {
  const auto known = deadlines_.find(&target);
  if (known == deadlines_.end()) return;
  timers_.erase({known->second, &target});
  deadlines_.erase(known);
}

void Loop::run_once(std::chrono::milliseconds longest) {
  ++rounds_;
  auto wait = longest;
  if (!timers_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - clock_());
    wait = std::clamp(left, std::chrono::milliseconds(0), longest);
  }
  if (!deferred_.empty()) wait = std::chrono::milliseconds(0);
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(wait.count()));
  SALLYPORT_CHECK(count >= 0 || errno == EINTR);
  now_ = clock_();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto entry = entries_.find(event.data.u64);
    if (entry == entries_.end()) continue;
    entry->second.watcher->on_ready(entry->second.fd, event.events);
  }
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    TimerTarget* target = timers_.begin()->second;
    cancel_timer(*target);
    target->on_timer();
  }
  std::vector<std::function<void()>> work;
  work.swap(deferred_);
  for (const auto& step : work) step();
}

}  // namespace sallyport::terminator
