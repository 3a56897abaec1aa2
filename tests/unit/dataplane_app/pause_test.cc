#include "dataplane/app/pause.h"

#include <gtest/gtest.h>

namespace sallyport::dataplane {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What the kernel adds to a pause at least.
constexpr Duration kOverhead = microseconds(20);

TEST(Pause, ThereIsNoneAsLongAsPacketsAreAbout) {
  EXPECT_EQ(pause_after(0, Duration::zero()), Duration::zero());
  EXPECT_EQ(pause_after(kBusyPolls, seconds(1)), Duration::zero());
  EXPECT_EQ(pause_after(kBusyPolls + 1, Duration::zero()), kShortestPause);
}

TEST(Pause, AddsLittleToThePacketsDistanceFromTheOneBefore) {
  for (Duration silence = milliseconds(1); silence < seconds(1); silence += microseconds(97))
    ASSERT_LE(pause_after(kBusyPolls + 1, silence), silence / 32) << silence.count();
}

TEST(Pause, IsNeverShorterAfterALongerSilenceAndNeverLongerThanTheLongest) {
  Duration before = Duration::zero();
  for (Duration silence = Duration::zero(); silence < seconds(1); silence += microseconds(97)) {
    const Duration pause = pause_after(kBusyPolls + 1, silence);
    ASSERT_GE(pause, before) << silence.count();
    before = pause;
  }
  EXPECT_EQ(before, kLongestPause);
  EXPECT_EQ(pause_after(~0U, seconds(1'000'000)), kLongestPause);
}

// The bench measures the gateway 100 ms after a packet as an idle one.
TEST(Pause, AWorkerIsIdleSoonAfterItsLastPacketAndAfterFewWakeUps) {
  int wake_ups = 0;
  Duration silence = Duration::zero();
  for (; silence < seconds(1); ++wake_ups) {
    const Duration pause = pause_after(kBusyPolls + 1, silence);
    if (pause == kLongestPause) break;
    silence += pause + kOverhead;
  }
  EXPECT_LE(silence, milliseconds(15));
  EXPECT_LE(wake_ups, 150);
}

}  // namespace
}  // namespace sallyport::dataplane
