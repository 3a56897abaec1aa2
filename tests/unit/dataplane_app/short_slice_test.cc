// What the kernel says of a thread's slice, and that nothing else about it changes.
#include "dataplane/app/short_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

namespace sallyport::testing {
namespace {

// Of this thread, in nanoseconds; 0 if the kernel does not tell (/proc/thread-self/sched).
std::uint64_t slice() {
  std::ifstream told("/proc/thread-self/sched");
  for (std::string line; std::getline(told, line);)
    if (line.starts_with("se.slice")) return std::stoull(line.substr(line.find(':') + 1));
  return 0;
}

// What slice() says of a thread that asked for a short one, by what it said before: the kernels
// that heed it are those since 6.12.
std::uint64_t once_asked(std::uint64_t before) {
  utsname kernel{};
  int major = 0, minor = 0;
  EXPECT_EQ(::uname(&kernel), 0);
  EXPECT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2) << kernel.release;
  const bool heeds = std::pair(major, minor) >= std::pair(6, 12);
  return heeds && before != 0 ? static_cast<std::uint64_t>(dataplane::kShortSlice.count()) : before;
}

// In a thread of its own: how it is scheduled ends with it.
template <class Work>
void in_a_thread(Work work) {
  std::thread(work).join();
}

TEST(ShortSlice, IsTakenByTheThreadThatAsksAndThoseThatItStarts) {
  const std::uint64_t before = slice(), after = once_asked(before);
  in_a_thread([=] {
    EXPECT_EQ(slice(), before);
    dataplane::take_short_slices();
    EXPECT_EQ(slice(), after);
    in_a_thread([=] { EXPECT_EQ(slice(), after); });
  });
  EXPECT_EQ(slice(), before);
}

TEST(ShortSlice, LeavesAThreadItsShareOfTheCore) {
  in_a_thread([] {
    const auto thread = static_cast<id_t>(::gettid());
    ASSERT_EQ(::setpriority(PRIO_PROCESS, thread, 7), 0);
    const std::uint64_t after = once_asked(slice());
    dataplane::take_short_slices();
    EXPECT_EQ(slice(), after);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, thread), 7);
  });
}

TEST(ShortSlice, IsNotForWhoHasAnotherPolicy) {
  in_a_thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    const std::uint64_t before = slice();
    dataplane::take_short_slices();
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    EXPECT_EQ(slice(), before);
  });
}

}  // namespace
}  // namespace sallyport::testing
