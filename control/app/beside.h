// Long work beside the main loop: one thread, one queue, results handed back on the loop's thread
// (compiling takes up to a second; the loop never blocks for more than 50 ms).
//
// Thread: start() and run() from the loop's thread; `work` runs on the other one and shares nothing
// with it; `done` runs inside run().
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "policy/os/fd.h"

namespace sallyport::control {

class Beside {
 public:
  Beside();
  ~Beside();
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  // done(work()) for any result type.
  template <class Work, class Done>
  void start(Work work, Done done) {
    push([work = std::move(work), done = std::move(done)]() mutable -> std::function<void()> {
      return [result = std::make_shared<decltype(work())>(work()),
              done = std::move(done)]() mutable { done(std::move(*result)); };
    });
  }
  // Calls `done` of whatever is finished.
  void run();
  int wake_fd() const { return wake_.get(); }

 private:
  using Job = std::function<std::function<void()>()>;
  void push(Job job);
  void work();

  os::UniqueFd wake_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Job> jobs_;
  std::deque<std::function<void()>> finished_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sallyport::control
