#include "policy/os/threads.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/support/intruder.h"

namespace sallyport::os {
namespace {

using testing::expect_attempts;

Result<void> nothing() { return {}; }

// Starts `count` threads that wait in the kernel, then runs `work`; each then says whether
// no_new_privs holds for it. How many have it, the caller included.
int threads_with_no_new_privs(int count, bool blocked, bool& succeeded) {
  std::atomic<bool> stop = false;
  std::atomic<int> waiting = 0;
  std::atomic<int> with = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      if (blocked) {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
      }
      ++waiting;
      while (!stop) ::poll(nullptr, 0, 20);
      if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) ++with;
    });
  }
  while (waiting < count) ::poll(nullptr, 0, 1);
  succeeded = in_every_thread(SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}).has_value();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return with + (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 1 : 0);
}

TEST(EveryThread, MakesTheCall) {
  expect_attempts(nothing, {{"eight and the caller", 9, [] {
                               bool succeeded = false;
                               const int with = threads_with_no_new_privs(8, false, succeeded);
                               errno = succeeded ? with : 99;
                               return -1;
                             }}});
}

TEST(EveryThread, OneOutOfReachIsAFailureAndTheCallerIsUntouched) {
  expect_attempts(nothing, {{"none has it", 50, [] {
                               bool succeeded = true;
                               const int with = threads_with_no_new_privs(1, true, succeeded);
                               errno = succeeded ? 99 : 50 + with;
                               return -1;
                             }}});
}

TEST(EveryThread, AFailureIsSaid) {
  const auto outcome = in_every_thread(SYS_prctl, {-1, 0, 0, 0, 0});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "every-thread");
}

}  // namespace
}  // namespace sallyport::os
