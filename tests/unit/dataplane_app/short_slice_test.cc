// What the kernel says of a thread's slice, and that nothing else about it changes.
#include "dataplane/app/short_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <fstream>
#include <string>
#include <thread>

namespace sallyport::testing {
namespace {

// Of this thread, in nanoseconds; 0 if the kernel does not tell (/proc/thread-self/sched).
std::uint64_t slice() {
  std::ifstream told("/proc/thread-self/sched");
  for (std::string line; std::getline(told, line);)
    if (line.starts_with("se.slice")) return std::stoull(line.substr(line.find(':') + 1));
  return 0;
}

class ShortSlice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (slice() == 0) GTEST_SKIP() << "this kernel knows no slices, or does not tell them";
  }
  static constexpr auto kShort = static_cast<std::uint64_t>(dataplane::kShortSlice.count());
  // In a thread of its own: how it is scheduled ends with it.
  template <class Work>
  static void in_a_thread(Work work) {
    std::thread(work).join();
  }
};

TEST_F(ShortSlice, IsTakenByTheThreadThatAsksAndThoseThatItStarts) {
  in_a_thread([] {
    ASSERT_GT(slice(), kShort);
    dataplane::take_short_slices();
    EXPECT_EQ(slice(), kShort);
    in_a_thread([] { EXPECT_EQ(slice(), kShort); });
  });
  EXPECT_GT(slice(), kShort);
}

TEST_F(ShortSlice, LeavesAThreadItsShareOfTheCore) {
  in_a_thread([] {
    const auto thread = static_cast<id_t>(::gettid());
    ASSERT_EQ(::setpriority(PRIO_PROCESS, thread, 7), 0);
    dataplane::take_short_slices();
    EXPECT_EQ(slice(), kShort);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, thread), 7);
  });
}

TEST_F(ShortSlice, IsNotForWhoHasAnotherPolicy) {
  in_a_thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    dataplane::take_short_slices();
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    EXPECT_NE(slice(), kShort);
  });
}

}  // namespace
}  // namespace sallyport::testing
