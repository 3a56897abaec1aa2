#include "policy/os/threads.h"

#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <mutex>
#include <set>

#include "policy/os/clock.h"
#include "policy/os/system_error.h"

namespace sallyport::os {
namespace {

// What the handler does; it may run after its caller has given up on it, so this lives on.
struct Order {
  std::atomic<long> number;
  std::array<std::atomic<long>, 5> arguments;
  std::atomic<int> outcome;  // kWaiting, or the call's errno
};
constexpr int kWaiting = -1;
Order order;
static_assert(std::atomic<long>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

int carry_out() {
  const auto& a = order.arguments;
  return ::syscall(order.number, a[0].load(), a[1].load(), a[2].load(), a[3].load(), a[4].load()) ==
                 -1
             ? errno
             : 0;
}

void on_signal(int /*number*/) {
  const int saved = errno;
  order.outcome.store(carry_out());
  errno = saved;
}

// Opened once per process and kept: after the first wall /proc may be out of reach.
DIR* thread_folder() {
  static DIR* folder = nullptr;
  static pid_t opened_by = 0;
  if (opened_by != ::getpid()) {  // a forked child's threads are not its parent's
    folder = ::opendir("/proc/self/task");
    opened_by = ::getpid();
  }
  return folder;
}

Result<std::set<pid_t>> other_threads() {
  DIR* const folder = thread_folder();
  if (folder == nullptr)
    return fail(ErrorKind::kSystem, "every-thread", "/proc/self/task cannot be read");
  ::rewinddir(folder);
  std::set<pid_t> out;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): under the caller's lock
  while (const dirent* entry = ::readdir(folder)) {
    pid_t thread = 0;
    std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), thread);
    if (thread > 0 && thread != ::gettid()) out.insert(thread);
  }
  return out;
}

Result<void> order_thread(pid_t thread, int signal_number) {
  order.outcome.store(kWaiting);
  if (::syscall(SYS_tgkill, ::getpid(), thread, signal_number) != 0) {
    if (errno == ESRCH) return {};  // it has ended
    return fail(system_error("every-thread", "tgkill"));
  }
  const Instant end = steady_now() + kThreadDeadline;
  while (order.outcome.load() == kWaiting) {
    if (steady_now() > end) {
      if (::syscall(SYS_tgkill, ::getpid(), thread, 0) != 0) return {};
      return fail(ErrorKind::kTimeout, "every-thread",
                  "thread " + std::to_string(thread) + " does not take signals");
    }
    ::poll(nullptr, 0, 1);
  }
  if (order.outcome != 0)
    return fail(system_error("every-thread", "thread " + std::to_string(thread), order.outcome));
  return {};
}

// A thread that a not yet ordered one has started meanwhile is found on the next look.
Result<void> order_others(int signal_number) {
  std::set<pid_t> done;
  while (true) {
    SALLYPORT_TRY(const std::set<pid_t> threads, other_threads());
    bool news = false;
    for (pid_t thread : threads) {
      if (!done.insert(thread).second) continue;
      news = true;
      SALLYPORT_TRY_VOID(order_thread(thread, signal_number));
    }
    if (!news) return {};
  }
}

}  // namespace

Result<void> in_every_thread(long number, const std::array<long, 5>& arguments) {
  static std::mutex one_at_a_time;
  const std::scoped_lock lock(one_at_a_time);
  order.number = number;
  for (std::size_t i = 0; i < arguments.size(); ++i) order.arguments[i] = arguments[i];
  const int signal_number = SIGRTMAX - 1;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigfillset(&action.sa_mask);
  if (::sigaction(signal_number, &action, &before) != 0)
    return fail(system_error("every-thread", "sigaction"));
  const auto others = order_others(signal_number);
  // After a timeout the handler stays: the signal may still be on its way, and would kill.
  if (!others) return others;
  ::sigaction(signal_number, &before, nullptr);
  if (const int error = carry_out(); error != 0)
    return fail(system_error("every-thread", "own thread", error));
  return {};
}

}  // namespace sallyport::os
