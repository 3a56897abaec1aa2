#include "control/app/beside.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "policy/base/check.h"

namespace sallyport::control {

Beside::Beside() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  SALLYPORT_CHECK(static_cast<bool>(wake_));
  thread_ = std::thread([this] { work(); });
}

Beside::~Beside() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  more_.notify_all();
  thread_.join();
}

void Beside::push(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  more_.notify_one();
}

void Beside::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    more_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    std::function<void()> finished = job();
    lock.lock();
    finished_.push_back(std::move(finished));
    const std::uint64_t one = 1;
    // The counter cannot overflow: run() resets it.
    SALLYPORT_CHECK(::write(wake_.get(), &one, sizeof one) == sizeof one);
  }
}

void Beside::run() {
  std::uint64_t count = 0;
  if (::read(wake_.get(), &count, sizeof count) != sizeof count) return;
  std::deque<std::function<void()>> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (auto& done : finished) done();
}

}  // namespace sallyport::control
