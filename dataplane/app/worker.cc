#include "dataplane/app/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "dataplane/app/pause.h"
#include "dataplane/dpdk/eal.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"

namespace sallyport::dataplane {
namespace {

constexpr Duration kLongestLook = std::chrono::milliseconds(500);

void pause(Duration time) {
  const timespec span{0, time.count()};
  nanosleep(&span, nullptr);
}

}  // namespace

Worker::Worker(Pipeline& pipeline, TapThread& taps, std::vector<Port> ports, std::string name,
               Duration longest_doze)
    : name_(std::move(name)),
      pipeline_(pipeline),
      taps_(taps),
      poller_(pipeline, std::move(ports)),
      doze_(poller_.ports(), longest_doze) {}

Worker::~Worker() {
  stop_ = true;
  bell()->ring();
  if (thread_.joinable()) thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::do_between_bursts(const std::function<void(Pipeline&)>& work) {
  request_.store(&work, std::memory_order_release);
  bell()->ring();
  while (request_.load(std::memory_order_acquire) != nullptr) {
    pause(kShortestPause);
    watch(os::steady_now());
  }
}

void Worker::watch(Instant now) noexcept {
  const std::uint64_t turns = turns_.value.load(std::memory_order_relaxed);
  const Duration since = std::clamp(now - looked_, Duration::zero(), kLongestLook);
  looked_ = now;
  without_turn_ = turns == seen_turns_ ? without_turn_ + since : Duration::zero();
  seen_turns_ = turns;
  if (without_turn_ < kLongestTurn) return;
  os::log::error("the worker has not come round for 5 s: this process ends");
  std::_Exit(kStalledExit);
}

std::size_t Worker::turn(Instant now) noexcept {
  const std::size_t came = poller_.poll(now);
  if (pipeline_.exits().take_host_stack_pending()) taps_.wake();
  for (const Beside& other : beside_)
    if (other.to->take_news()) other.bell->ring();
  turns_.value.fetch_add(1, std::memory_order_relaxed);
  return came;
}

void Worker::run() {
  register_dpdk_thread();
  prctl(PR_SET_NAME, name_.c_str());
  prctl(PR_SET_TIMERSLACK, 1);
  std::uint32_t idle = 0;
  Instant now = os::steady_now(), busy = now;
  const auto look = [&] {
    now = os::steady_now();
    ++idle;
    if (turn(now) == 0) return false;
    idle = 0;
    busy = now;
    return true;
  };
  while (!stop_.load(std::memory_order_relaxed)) {
    look();
    if (const auto* work = request_.load(std::memory_order_acquire)) {
      (*work)(pipeline_);
      request_.store(nullptr, std::memory_order_release);
      continue;
    }
    const Duration time = pause_after(idle, now - busy);
    if (time == Duration::zero()) continue;
    ++sleeps_;
    if (!doze_.possible() || pipeline_.unfinished()) {
      pause(time);
      continue;
    }
    doze_.begin(poller_.loads());
    // Something may have come before anybody would have told.
    if (!look() && !asked() && !stop_.load(std::memory_order_relaxed)) {
      const bool told = doze_.wait();
      // What it was woken for goes on its way before end(), which takes a system call.
      if (look() && !told) doze_.overslept(poller_.loads());
    }
    doze_.end();
  }
}

}  // namespace sallyport::dataplane
