// Which of a sender's time counts, and what turns come to.
#include "tests/perf/timing/slices.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sallyport::bench {
namespace {

constexpr std::uint64_t kStart = 1000, kLength = 100;

// Ten slices, and one packet in the middle of each that came back after ten times its number.
Slices ten() {
  Slices out(kLength, 10);
  out.start(kStart);
  for (std::uint64_t i = 0; i < 10; ++i) {
    const std::uint64_t at = kStart + i * kLength + kLength / 2;
    out.sent(at, 1);
    out.came_back(at, 10 * i);
  }
  return out;
}
Sliced sum_of(const Slices& slices) {
  Sliced out;
  slices.add_to(out);
  return out;
}
// Numbers of the packets that count.
std::string counted(const Slices& slices) {
  const Sliced sum = sum_of(slices);
  std::string out;
  std::uint64_t last = 0;
  for (std::uint64_t i = 1; i <= sum.cycles.count(); ++i) {
    last = sum.cycles.quantile(static_cast<double>(i) / static_cast<double>(sum.cycles.count()));
    out += std::to_string(last / 10);
  }
  return out;
}

TEST(Slices, CountAllIfTheSenderWasThere) {
  const Slices slices = ten();
  EXPECT_EQ(slices.end(), kStart + 10 * kLength);
  EXPECT_EQ(counted(slices), "0123456789");
  EXPECT_EQ(sum_of(slices).sent, 10U);
  EXPECT_EQ(sum_of(slices).slices, 10U);
  EXPECT_EQ(sum_of(slices).forgotten, 0U);
}

TEST(Slices, EverySliceThatTheSenderWasAwayInIsForgottenWithTheNextAndNoOther) {
  struct Case {
    std::uint64_t from, to;
    const char* left;
  };
  for (const Case& c :
       {Case{1310, 1320, "01256789"}, Case{1399, 1400, "0126789"}, Case{1250, 1650, "0189"},
        Case{0, 899, "0123456789"}, Case{890, 900, "123456789"}, Case{990, 1000, "23456789"},
        Case{1999, 2000, "012345678"}, Case{1850, 1850, "01234567"}, Case{1950, 5000, "012345678"},
        Case{2000, 5000, "0123456789"}, Case{0, 5000, ""}}) {
    Slices slices = ten();
    slices.sender_was_away(c.from, c.to);
    EXPECT_EQ(counted(slices), c.left) << c.from << " to " << c.to;
    EXPECT_EQ(sum_of(slices).slices + sum_of(slices).forgotten, 10U);
    EXPECT_EQ(sum_of(slices).slices, std::string(c.left).size());
  }
}

TEST(Slices, APacketBelongsToTheSliceInWhichItWasSentWheneverItComesBack) {
  Slices slices(kLength, 10);
  slices.start(kStart);
  slices.sent(1050, 2);
  slices.came_back(1050, 700);     // in the eighth
  slices.came_back(1050, 99'000);  // after the last one
  slices.sender_was_away(1700, 1800);
  EXPECT_EQ(sum_of(slices).cycles.count(), 2U);
  EXPECT_GE(sum_of(slices).cycles.quantile(1), 99'000U);
  slices.sender_was_away(1000, 1010);
  EXPECT_EQ(sum_of(slices).cycles.count(), 0U);
}

TEST(Slices, WhatIsLostIsThatOfTheSlicesThatCount) {
  Slices slices = ten();
  slices.sent(1150, 5);
  slices.sent(1250, 7);
  EXPECT_EQ(sum_of(slices).lost(), 12U);
  slices.sender_was_away(1250, 1260);
  EXPECT_EQ(sum_of(slices).lost(), 5U);
  EXPECT_EQ(sum_of(slices).sent, 13U);
}

TEST(Slices, WhatIsSentBeforeOrAfterThemIsNotLookedAt) {
  Slices slices = ten();
  for (const std::uint64_t at : {std::uint64_t{0}, kStart - 1, slices.end(), slices.end() + 1}) {
    slices.sent(at, 1);
    slices.came_back(at, 5);
  }
  EXPECT_EQ(sum_of(slices).sent, 10U);
  EXPECT_EQ(sum_of(slices).cycles.count(), 10U);
}

// Plays turns of one slice each, which counts or does not.
struct Player {
  std::string& played;
  char name;
  std::string counts;  // turn by turn, 'x' does not; all after those
  std::size_t turn = 0;
  Slices operator()() {
    played += name;
    Slices out(kLength, 1);
    out.start(kStart);
    out.sent(kStart, 1);
    out.came_back(kStart, static_cast<std::uint64_t>(name));
    if (turn < counts.size() && counts[turn] == 'x') out.sender_was_away(kStart, kStart);
    ++turn;
    return out;
  }
};

PooledTurns pooled(std::size_t slices, std::size_t most, Player one, Player other) {
  PooledTurns out;
  pool_turns(out, slices, most, std::move(one), std::move(other));
  return out;
}

TEST(PoolTurns, TakeTurnsUntilBothHaveTheirSlices) {
  std::string played;
  const auto out = pooled(3, 100, {played, 'A', ""}, {played, 'B', ""});
  EXPECT_EQ(played, "ABBAAB");
  EXPECT_TRUE(out.have(3));
  EXPECT_FALSE(out.have(4));
  EXPECT_EQ(out.pairs, 3U);
  EXPECT_EQ(out.one.cycles.count(), 3U);
  for (const double share : {0.0, 1.0}) {
    EXPECT_EQ(out.one.cycles.quantile(share), static_cast<std::uint64_t>('A'));
    EXPECT_EQ(out.other.cycles.quantile(share), static_cast<std::uint64_t>('B'));
  }
}

TEST(PoolTurns, GoOnFromWhatThereIs) {
  std::string played;
  PooledTurns out = pooled(1, 100, {played, 'A', ""}, {played, 'B', ""});
  pool_turns(out, 3, 100, Player{played, 'A', ""}, Player{played, 'B', ""});
  EXPECT_EQ(played, "ABBAAB");
  EXPECT_EQ(out.other.sent, 3U);
}

TEST(PoolTurns, WhatIsForgottenIsPlayedAgainByBothAlike) {
  for (const bool one_disturbed : {true, false}) {
    std::string played;
    const auto out = pooled(2, 100, {played, 'A', one_disturbed ? "xx" : ""},
                            {played, 'B', one_disturbed ? "" : "xx"});
    EXPECT_EQ(played, "ABBAABBA");
    EXPECT_TRUE(out.have(2));
    EXPECT_EQ(out.one.forgotten, one_disturbed ? 2U : 0U);
    EXPECT_EQ(out.other.forgotten, one_disturbed ? 0U : 2U);
    EXPECT_EQ(out.one.slices, one_disturbed ? 2U : 4U) << "what counts is kept";
  }
}

TEST(PoolTurns, EndWithoutThemWhenTheSenderIsAwayTooOften) {
  std::string played;
  const auto out = pooled(2, 3, {played, 'A', ""}, {played, 'B', "xxx"});
  EXPECT_EQ(played, "ABBAAB");
  EXPECT_FALSE(out.have(2));
  EXPECT_EQ(out.other.forgotten, 3U);
}

}  // namespace
}  // namespace sallyport::bench
