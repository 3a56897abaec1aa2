// Sleeping until a frame arrives: what wakes, what does not, and that nothing is slept through.
#include "dataplane/app/doze.h"

#include <gtest/gtest.h>

#include "dataplane/app/worker.h"
#include "policy/os/clock.h"
#include "tests/support/pipeline_world.h"
#include "tests/unit/dataplane/bellwether.h"

namespace sallyport::testing {
namespace {

using dataplane::Bell;
using dataplane::Doze;
using dataplane::Packet;

const dataplane::LineVector<dataplane::Poller::PortLoad> kNothing(2);

class Polled final : public dataplane::PortDriver {
 public:
  std::size_t transmit(std::span<Packet> /*burst*/) noexcept override { return 0; }
  std::size_t receive(std::span<Packet> /*burst*/) noexcept override { return 0; }
};

TEST(Doze, OnePortThatCanOnlyBePolledKeepsTheWorkerAwake) {
  Bellwether first, second;
  Polled polled;
  EXPECT_TRUE(Doze({{0, &first}, {1, &second}}).possible());
  EXPECT_FALSE(Doze({{0, &first}, {1, &polled}}).possible());
}

TEST(Doze, ArmsEveryPortForAsLongAsItLasts) {
  Bellwether first, second;
  Doze doze({{0, &first}, {1, &second}});
  EXPECT_FALSE(first.armed() || second.armed());
  doze.begin(kNothing);
  EXPECT_TRUE(first.armed() && second.armed());
  doze.end();
  EXPECT_FALSE(first.armed() || second.armed());
}

TEST(Doze, EachFrameWakesOnceAndSilenceDoesNot) {
  Bellwether first, second;
  Doze doze({{0, &first}, {1, &second}});
  doze.begin(kNothing);
  EXPECT_FALSE(doze.wait());
  for (Bellwether* port : {&first, &second, &first}) {
    port->arrive();
    EXPECT_TRUE(doze.wait());
    EXPECT_FALSE(doze.wait()) << "the descriptor is still readable, but nothing came";
  }
  doze.end();
}

TEST(Doze, APortWhoseFramesComeUnannouncedAgainAndAgainIsPolled) {
  Bellwether broken, sound;
  Doze doze({{0, &sound}, {1, &broken}});
  dataplane::LineVector<dataplane::Poller::PortLoad> loads(2);
  const auto doze_once = [&](std::size_t port, bool announced) {
    doze.begin(loads);
    if (announced) (port == 0 ? sound : broken).signal();
    EXPECT_EQ(doze.wait(), announced);
    ++loads[port].rx_packets;
    if (!announced) doze.overslept(loads);
    doze.end();
  };
  // Now and then it happens to anybody: a frame comes as the sleep ends.
  for (unsigned i = 0; i < 2 * Doze::kMissed; ++i) {
    doze_once(0, false);
    doze_once(0, true);
  }
  EXPECT_TRUE(doze.possible());
  for (unsigned i = 1; i < Doze::kMissed; ++i) {
    doze_once(1, false);
    doze_once(0, true);
  }
  EXPECT_TRUE(doze.possible());
  EXPECT_FALSE(broken.distrusted());
  doze_once(1, false);
  EXPECT_FALSE(doze.possible());
  EXPECT_TRUE(broken.distrusted());
  EXPECT_FALSE(sound.distrusted());
}

TEST(Doze, NobodyDozesWhoMayNot) {
  Bellwether port;
  EXPECT_FALSE(Doze({{0, &port}}, Duration::zero()).possible());
}

TEST(Doze, TheBellWakesWhoDozesAndIsSilentOtherwise) {
  Bellwether port;
  Doze doze({{0, &port}});
  doze.bell()->ring();
  doze.begin(kNothing);
  EXPECT_FALSE(doze.wait()) << "rung before";
  doze.bell()->ring();
  EXPECT_TRUE(doze.wait());
  doze.end();
  doze.begin(kNothing);
  EXPECT_FALSE(doze.wait()) << "rung for the last time";
  doze.bell()->ring();
  doze.end();
}

// A worker with one port that sleeps for a whole second. What it slept through it would meet then:
// kCount such would take five times as long as is allowed.
class SleepingWorker : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kCount = 100;
  static constexpr Duration kLongest = std::chrono::seconds(1);
  static constexpr Duration kAllowed = kCount * kLongest / 5;
  static constexpr Duration kUntilItSleeps = std::chrono::microseconds(300);

  SleepingWorker()
      : worker_(world_.pipeline(), taps_, {{world_.port_slot("lan1"), &lan_}}, "sleeper",
                kLongest) {
    world_.pipeline().exits().attach_port(world_.port_slot("lan1"), lan_);
    world_.pipeline().exits().observe(nullptr);
  }
  // Keeps this thread's processor; the worker has its own.
  static void spin(Duration time) {
    for (const Instant start = os::steady_now(); os::steady_now() - start < time;) {
    }
  }
  bool in_time() const { return os::steady_now() - start_ < kAllowed; }

  PipelineWorld world_;
  Bellwether lan_;
  dataplane::TapThread taps_{test_pool()};
  dataplane::Worker worker_;
  Instant start_ = os::steady_now();
};

TEST_F(SleepingWorker, IsWokenByEveryFrame) {
  ASSERT_TRUE(worker_.woken());
  worker_.start();
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    spin(kUntilItSleeps);
    lan_.arrive();
    while (lan_.received() < i) ASSERT_TRUE(in_time()) << i << " frames";
  }
  std::uint64_t sleeps = 0;
  worker_.do_between_bursts([&](auto&) { sleeps = worker_.sleeps(); });
  EXPECT_GT(sleeps, 0U);
  EXPECT_EQ(lan_.kept_waiting(), 0U) << "frames that waited until it had risen";
}

TEST_F(SleepingWorker, MeetsTheFrameThatCameJustBeforeItsPortWasArmed) {
  lan_.slip_in(kCount);
  worker_.start();
  while (lan_.received() < kCount) ASSERT_TRUE(in_time()) << lan_.received() << " frames";
}

TEST_F(SleepingWorker, IsWokenByEveryRequest) {
  worker_.start();
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    spin(kUntilItSleeps);
    worker_.do_between_bursts([](auto&) {});
    ASSERT_TRUE(in_time()) << i << " requests";
  }
}

}  // namespace
}  // namespace sallyport::testing
