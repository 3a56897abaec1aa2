// What is learned of a server: by a model of one (processor sharing) under the engine's own
// control.
#include <gtest/gtest.h>

#include <deque>

#include "policy/admission/capacity.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

// A server in millisecond steps: up to `inside` handshakes at once go at full speed, beyond that
// all go slower. It is kept busy as far as rate and window allow.
class Shop {
 public:
  Shop(std::uint32_t ceiling, double capacity, double alone_s)
      : capacity_(capacity), alone_s_(alone_s), control_(ceiling, 4096, {16, 4, 3, 20}, at(now)) {}

  void set(double capacity, double alone_s) {
    capacity_ = capacity;
    alone_s_ = alone_s;
  }
  void kill() { alive_ = false; }
  void refuse() {
    alive_ = false;
    refuses_ = true;
  }
  void hang() {
    alive_ = false;
    hangs_ = true;
  }
  void revive() {
    alive_ = true;
    refuses_ = hangs_ = false;
    jobs_.clear();
  }

  // Runs for `span`; how many handshakes started.
  std::uint32_t run(Duration span, bool clients = true) {
    std::uint32_t started = 0;
    for (const Duration end = now + span; now < end; now += 1ms) started += step(clients);
    return started;
  }

  Capacity& control() { return control_; }
  std::uint64_t done = 0;
  Duration now = 1s;

 private:
  struct Job {
    Duration begun;
    double left;
  };

  std::uint32_t step(bool clients) {
    Capacity::Sample sample;
    const double share =
        jobs_.empty() ? 0 : std::min(capacity_ / static_cast<double>(jobs_.size()), 1 / alone_s_);
    for (std::size_t i = 0; alive_ && i < jobs_.size();) {
      jobs_[i].left -= share * 1e-3;
      if (jobs_[i].left > 0) {
        ++i;
        continue;
      }
      const auto took = static_cast<std::uint64_t>((now - jobs_[i].begun).count() / 1000);
      ++sample.replies.count[0];
      sample.replies.server_time_us[0] += took;
      sample.reply_time_us += took;
      ++sample.established;
      sample.flight_time_us += took + 60'000;
      ++sample.server_signs;
      ++done;
      jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
      ending_.push_back(now + 45ms);
    }
    if (refuses_) {
      sample.failed += static_cast<std::uint32_t>(jobs_.size());
      jobs_.clear();
    }
    if (!alive_ && !refuses_ &&
        !hangs_)  // the caller takes back what was not answered within a second
      std::erase_if(jobs_, [&](const Job& j) { return now - j.begun > 1s; });
    while (!ending_.empty() && ending_.front() <= now) ending_.pop_front();
    if (alive_ || hangs_) {  // who started in the step before has its SYN-ACK and says hello
      sample.server_signs += began_;
      sample.hellos += static_cast<std::int32_t>(began_);
    }
    control_.learn(sample, at(now));
    tokens_ = std::min(tokens_ + static_cast<double>(control_.rate16()) / 16 * 1e-3, 3.0);
    std::uint32_t started = 0;
    const auto flying = [&] { return static_cast<std::uint32_t>(jobs_.size() + ending_.size()); };
    control_.tick(flying(), flying(), at(now));
    while (clients &&
           (control_.probe_due(at(now)) ||
            (tokens_ >= 1 && flying() < control_.window() && control_.may_start(at(now))))) {
      tokens_ -= 1;
      control_.granted(1, at(now));
      jobs_.push_back({now, 1});
      ++started;
    }
    if (clients) {
      control_.held_back();
    } else {
      control_.starved();
    }
    began_ = started;
    return started;
  }

  double capacity_, alone_s_;
  Capacity control_;
  std::deque<Job> jobs_;
  std::deque<Duration> ending_;
  double tokens_ = 1;
  bool alive_ = true, refuses_ = false, hangs_ = false;
  std::uint32_t began_ = 0;
};

TEST(Capacity, AConfiguredMaximumIsUsedFromTheFirstSecondAndNeverExceeded) {
  Shop shop(500, 500, 0.02);
  EXPECT_GE(shop.run(1s), 450U);
  for (int second = 0; second < 20; ++second) {
    const std::uint32_t started = shop.run(1s);
    EXPECT_LE(started, 505U);
    EXPECT_GE(started, 480U);
  }
}

TEST(Capacity, AMaximumThatIsTooHighIsNotBelieved) {
  Shop shop(5000, 500, 0.02);
  shop.run(2s);
  for (int second = 0; second < 10; ++second) {
    EXPECT_LE(shop.run(1s), 550U);
    EXPECT_LE(shop.control().window(), 80U);
  }
  EXPECT_GE(shop.done, 5'400U);
}

TEST(Capacity, WithoutAMaximumItIsLearned) {
  Shop shop(0, 2000, 0.02);
  shop.run(5s);
  const std::uint64_t before = shop.done;
  shop.run(5s);
  EXPECT_GE(shop.done - before, 9'300U);
  EXPECT_LE(shop.run(1s), 2'200U);
}

TEST(Capacity, ASlowdownToAQuarterIsFollowedWithinASecond) {
  Shop shop(500, 500, 0.02);
  shop.run(5s);
  shop.set(125, 0.02);
  shop.run(300ms);
  for (int i = 0; i < 30; ++i) EXPECT_LE(shop.run(100ms), 15U) << i;
  const std::uint64_t before = shop.done;
  shop.run(10s);
  EXPECT_GE(shop.done - before, 1'130U) << "and it is kept busy";
}

TEST(Capacity, ASlowerMachineIsToldFromAQueue) {
  Shop shop(500, 500, 0.02);
  shop.run(5s);
  shop.set(125, 0.08);  // as many at once, each four times as long
  shop.run(3s);
  const std::uint64_t before = shop.done;
  shop.run(10s);
  EXPECT_GE(shop.done - before, 1'100U);
  EXPECT_NEAR(shop.control().base_us(Handshake::kFull), 80'000, 12'000);
}

TEST(Capacity, ComesBackWhenTheServerDoes) {
  Shop shop(500, 500, 0.02);
  shop.run(5s);
  shop.set(125, 0.02);
  shop.run(10s);
  shop.set(500, 0.02);
  shop.run(10s);
  const std::uint64_t before = shop.done;
  shop.run(5s);
  EXPECT_GE(shop.done - before, 2'350U);
}

TEST(Capacity, TheClientsAbsenceIsNotTheServersFault) {
  Shop shop(500, 500, 0.02);
  shop.run(5s);
  for (int i = 0; i < 40; ++i) {  // a few stragglers, for ten seconds
    shop.run(5ms);
    shop.run(245ms, false);
  }
  EXPECT_GE(shop.run(200ms), 85U) << "back at full rate within two tenths of a second";
}

enum class Dying : std::uint8_t { kSilent, kRefusing, kHung };
class Death : public testing::TestWithParam<Dying> {
 protected:
  static void die(Shop& shop) {
    switch (GetParam()) {
      case Dying::kSilent:
        return shop.kill();
      case Dying::kRefusing:
        return shop.refuse();
      case Dying::kHung:
        return shop.hang();
    }
  }
};

TEST_P(Death, IsNoticedWithinASecondAndProbedOnceASecond) {
  Shop shop(500, 500, 0.02);
  shop.run(3s);
  die(shop);
  shop.run(1500ms);
  EXPECT_EQ(shop.control().phase(), Capacity::Phase::kDead);
  const std::uint32_t probes = shop.run(10s);
  EXPECT_GE(probes, 9U);
  EXPECT_LE(probes, 10U);
  shop.revive();
  shop.run(1100ms);
  EXPECT_NE(shop.control().phase(), Capacity::Phase::kDead);
  EXPECT_GE(shop.run(1s), 450U) << "and the rate of before is tried at once";
  EXPECT_LE(shop.run(100ms), 56U);
}

// A port that answers again is back. A server that was silent may answer and still be hung: only
// its first flight proves it alive.
TEST_P(Death, EndsWithASignOnlyForWhoRefused) {
  const bool refused = GetParam() == Dying::kRefusing;
  Shop shop(500, 500, 0.02);
  shop.run(3s);
  die(shop);
  shop.run(1500ms);
  ASSERT_EQ(shop.control().phase(), Capacity::Phase::kDead);
  Capacity::Sample accepted;
  accepted.server_signs = 1;
  shop.control().learn(accepted, at(shop.now));
  EXPECT_EQ(shop.control().phase() == Capacity::Phase::kDead, !refused);
  Capacity::Sample replied;
  replied.replies.count[0] = 1;
  replied.replies.server_time_us[0] = 20'000;
  replied.reply_time_us = 40'000;
  shop.control().learn(replied, at(shop.now));
  EXPECT_NE(shop.control().phase(), Capacity::Phase::kDead);
}
INSTANTIATE_TEST_SUITE_P(Kinds, Death,
                         testing::Values(Dying::kSilent, Dying::kRefusing, Dying::kHung),
                         [](const testing::TestParamInfo<Dying>& i) {
                           return i.param == Dying::kSilent     ? "Silent"
                                  : i.param == Dying::kRefusing ? "Refusing"
                                                                : "Hung";
                         });

// The same through the whole engine: places are kept, one probe a second goes out.
TEST(Capacity, ADeadServerCostsNoClientItsPlace) {
  World world({.rate = 200, .pairs_per_lane = 100});
  for (std::uint32_t i = 0; i < 100; ++i) world.arrive(world.pair(0, i), syn(4000, i));
  const auto nobody_answers = [&](Duration span) {
    std::size_t released = 0;
    for (const Duration end = world.now + span; world.now < end; world.now += 1ms) {
      released += world.poll().size();
      if (world.now.count() % Duration(4s).count() == 0)  // who still waits retries
        for (std::uint32_t i = 0; i < 100; ++i) world.arrive(world.pair(0, i), syn(4000, i));
    }
    return released;
  };
  nobody_answers(3s);
  const std::size_t probes = nobody_answers(10s);
  EXPECT_GE(probes, 9U);
  EXPECT_LE(probes, 11U);
  EXPECT_TRUE(world.engine().budget().in_flight(0) <= 2);
  std::set<PairId> served;
  for (const Released& r : world.run(3s)) served.insert(r.pair);
  EXPECT_GE(served.size(), 97U);
}

}  // namespace
}  // namespace sallyport::admission::test
