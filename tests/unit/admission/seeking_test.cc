// How capacity is found in trains, before a server that shares itself among all and before one that
// takes them in turn; in steps of a millisecond.
#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "policy/admission/seeking.h"
#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

constexpr Duration kThere = 20ms, kBack = 5ms, kAlone = 20ms, kMissed = 100ms, kCut = 2s;
constexpr std::uint32_t kMost = 4096;

struct Kind {
  const char* name;
  double capacity;  // handshakes per second
  bool in_turn;     // one after another, as many at once as keep it busy; else all at once
};

// Clients without number, and a server.
class Street {
 public:
  explicit Street(const Kind& kind) : kind_(kind) {}

  // Whether the capacity was found within `span`; nobody comes in `pause`.
  std::optional<double> run(Duration span, bool clients = true) {
    for (const Duration end = now + span; now < end; now += 1ms)
      if (const auto found = step(clients)) return found;
    return std::nullopt;
  }

  Seeking seeking{kMost};
  Duration now = 1s;
  std::deque<Duration> starts;
  bool silent = false;
  std::size_t one_in = 1;  // of so many who get a turn one comes; 0: nobody

 private:
  struct Job {
    Duration given, came;
    double left = kAlone.count() * 1e-9;  // seconds, alone
  };

  double speed(std::size_t nth) const {
    const double at_once = std::max(1.0, kind_.capacity * kAlone.count() * 1e-9);
    if (kind_.in_turn) return static_cast<double>(nth) < at_once ? 1 : 0;
    return std::min(1.0, at_once / static_cast<double>(inside_.size()));
  }

  void serve(Seeking::Answers& answers) {
    while (!coming_.empty() && coming_.front() + kThere <= now) {
      inside_.push_back({coming_.front(), now});
      coming_.pop_front();
    }
    if (silent) return;
    for (std::size_t i = 0; i < inside_.size(); ++i) inside_[i].left -= speed(i) * 1e-3;
    std::erase_if(inside_, [&](const Job& job) {
      if (job.left > 1e-9) return false;
      leaving_.push_back({job.given, job.came});
      left_at_.push_back(now);
      return true;
    });
    while (!left_at_.empty() && left_at_.front() + kBack <= now) {
      const auto us = [](Duration d) { return static_cast<std::uint64_t>(d.count() / 1000); };
      ++answers.replies.count[0];
      answers.replies.server_time_us[0] += us(left_at_.front() - leaving_.front().came);
      answers.reply_us += static_cast<double>(us(now - leaving_.front().given));
      answers.cost += 1;
      leaving_.pop_front();
      left_at_.pop_front();
    }
    answers.inside = static_cast<std::uint32_t>(inside_.size() + leaving_.size());
  }

  std::optional<double> step(bool clients) {
    Seeking::Answers answers;
    serve(answers);
    for (; !absent_.empty() && absent_.front() + kMissed <= now; absent_.pop_front()) {
      ++answers.absent;
      missed_.push_back(absent_.front());
    }
    while (!missed_.empty() && missed_.front() + kCut <= now) missed_.pop_front();
    seeking.learn(answers, at(now));
    const std::size_t out =
        coming_.size() + inside_.size() + leaving_.size() + absent_.size() + missed_.size();
    seeking.tick(static_cast<std::uint32_t>(out), clients);
    if (const auto found = seeking.judge(time_, at(now))) return found;
    while (clients && seeking.may_start(at(now))) {
      seeking.granted(1, at(now));
      starts.push_back(now);
      (one_in != 0 && starts.size() % one_in == 0 ? coming_ : absent_).push_back(now);
    }
    return std::nullopt;
  }

  Kind kind_;
  ServerTime time_;
  std::deque<Duration> coming_, absent_, missed_, left_at_;
  std::deque<Job> leaving_;
  std::vector<Job> inside_;
};

class EveryServer : public testing::TestWithParam<Kind> {};

TEST_P(EveryServer, IsKnownAfterAFewTrains) {
  Street street(GetParam());
  const auto found = street.run(1s);
  ASSERT_TRUE(found);
  EXPECT_GT(*found, 0.75 * GetParam().capacity);
  EXPECT_LT(*found, 1.2 * GetParam().capacity);
}

TEST_P(EveryServer, IsAskedForLittleMoreThanItCanMeanwhile) {
  Street street(GetParam());
  street.run(1s);
  std::size_t most = 0;
  for (std::size_t from = 0, to = 0; to < street.starts.size(); ++to) {
    while (street.starts[to] - street.starts[from] >= 100ms) ++from;
    most = std::max(most, to - from + 1);
  }
  // Those who wait for their turn at the server pass for half done, and the mean time of a train
  // grows later; the first two trains leave before anything is known.
  const double allowed = GetParam().in_turn ? 1.6 : 1.15;
  EXPECT_LE(static_cast<double>(most), std::max(allowed * GetParam().capacity * 0.1, 24.0));
}

INSTANTIATE_TEST_SUITE_P(
    Servers, EveryServer,
    testing::Values(Kind{"shared_200", 200, false}, Kind{"shared_500", 500, false},
                    Kind{"shared_2000", 2'000, false}, Kind{"shared_10000", 10'000, false},
                    Kind{"in_turn_200", 200, true}, Kind{"in_turn_500", 500, true},
                    Kind{"in_turn_2000", 2'000, true}, Kind{"in_turn_10000", 10'000, true}),
    [](const auto& which) { return std::string(which.param.name); });

TEST(Seeking, SendsOneTrainAndNoMoreWhileNothingIsAnswered) {
  Street street({"", 500, false});
  street.silent = true;
  EXPECT_FALSE(street.run(5s));
  EXPECT_EQ(street.starts.size(), 8U);
}

TEST(Seeking, FindsTheCapacityAlthoughHalfDoNotCome) {
  for (const bool in_turn : {false, true}) {
    Street street({"", 500, in_turn});
    street.one_in = 2;
    const auto found = street.run(2s);
    ASSERT_TRUE(found) << in_turn;
    EXPECT_GT(*found, 0.7 * 500) << in_turn;
    EXPECT_LT(*found, 1.2 * 500) << in_turn;
  }
}

TEST(Seeking, IsNotHeldUpByNineInTenWhoDoNotCome) {
  Street street({"", 500, false});
  street.one_in = 10;
  const auto found = street.run(3s);
  ASSERT_TRUE(found);
  EXPECT_NEAR(*found, 500, 150);
}

TEST(Seeking, SendsNoLongerTrainWhileNobodyComes) {
  Street street({"", 500, false});
  street.one_in = 0;
  EXPECT_FALSE(street.run(1s));
  EXPECT_EQ(street.starts.size(), 80U);
}

TEST(Seeking, NeverHoldsBackWhoComesAlone) {
  Street street({"", 500, false});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(street.seeking.may_start(at(street.now)));
    street.run(1ms);
    EXPECT_FALSE(street.run(99ms, false));
  }
}

TEST(Seeking, ForgetsALongTrainWhenTheServerWasIdle) {
  Street street({"", 10'000, false});
  street.run(120ms);
  EXPECT_GT(street.starts.size(), 24U);
  street.run(1s, false);
  street.starts.clear();
  street.run(1ms);
  EXPECT_EQ(street.starts.size(), 8U);
}

TEST(Seeking, SendsNoMoreThanItsBound) {
  Seeking seeking(5);
  std::uint32_t sent = 0;
  for (; sent < 100 && seeking.may_start(at(1s)); ++sent) seeking.granted(1, at(1s));
  EXPECT_LE(sent, 8U);  // what is in flight is bounded by the budget
}

}  // namespace
}  // namespace sallyport::admission::test
