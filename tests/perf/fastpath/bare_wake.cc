#include "tests/perf/fastpath/bare_wake.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <ctime>

#include "dataplane/app/doze.h"
#include "dataplane/dpdk/cycles.h"
#include "policy/base/check.h"
#include "tests/perf/fastpath/cores.h"

namespace sallyport::bench {

BareWake::BareWake(std::size_t chain, int core) {
  for (std::size_t place = 0; place < chain; ++place) {
    bells_.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    SALLYPORT_CHECK(bells_.back());
  }
  for (std::size_t place = 0; place < chain; ++place)
    threads_.emplace_back([this, place, core] {
      stay_on(core);
      sleep_in_epoll(place);
    });
}

BareWake::BareWake(Duration pause, int core) {
  threads_.emplace_back([this, pause, core] {
    stay_on(core);
    sleep_and_look(pause);
  });
}

BareWake::~BareWake() {
  stop_ = true;
  for (std::size_t place = 0; place < bells_.size(); ++place) ring(place);
  for (std::thread& thread : threads_) thread.join();
}

void BareWake::ring(std::size_t place) noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(bells_[place].get(), &one, sizeof one));
}

void BareWake::ask() noexcept {
  const std::uint64_t start = dataplane::cycles();
  const std::uint64_t number = asked_.load(std::memory_order_relaxed) + 1;
  asked_.store(number, std::memory_order_release);
  if (!bells_.empty()) ring(0);
  while (answered_.load(std::memory_order_acquire) != number) {
  }
  cycles_.add(dataplane::cycles() - start);
}

// By edges and for as long as a worker, so that what surrounds the wake is a worker's, too.
void BareWake::sleep_in_epoll(std::size_t place) noexcept {
  constexpr int kLongestMs = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(dataplane::Doze::kLongest).count());
  const os::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  SALLYPORT_CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, bells_[place].get(), &event) == 0);
  while (!stop_.load(std::memory_order_relaxed)) {
    if (::epoll_wait(epoll.get(), &event, 1, kLongestMs) <= 0) continue;
    if (place + 1 < bells_.size())
      ring(place + 1);
    else
      answered_.store(asked_.load(std::memory_order_acquire), std::memory_order_release);
  }
}

void BareWake::sleep_and_look(Duration pause) noexcept {
  ::prctl(PR_SET_TIMERSLACK, 1);
  const timespec span{0, pause.count()};
  while (!stop_.load(std::memory_order_relaxed)) {
    ::ppoll(nullptr, 0, &span, nullptr);  // what is waited for is that time passes
    answered_.store(asked_.load(std::memory_order_acquire), std::memory_order_release);
  }
}

}  // namespace sallyport::bench
