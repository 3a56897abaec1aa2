#include "control/app/history.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sallyport::control {
namespace {

std::vector<nlohmann::json> rows_of(const History& history) {
  std::vector<nlohmann::json> rows;
  for (const auto& [number, revision] : history.all()) rows.push_back(History::to_row(revision));
  return rows;
}

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* text : {"one", "two", "three"})
      history_.confirm(history_.add(1'800'000'000, "root", "why", text).number);
  }
  History history_;
};

TEST_F(HistoryTest, LoadsWhatItStored) {
  History loaded;
  EXPECT_TRUE(loaded.load(rows_of(history_)).empty());
  ASSERT_NE(loaded.last_confirmed(), nullptr);
  EXPECT_EQ(loaded.last_confirmed()->text, "three");
  EXPECT_EQ(loaded.next_number(), 4U);
}

TEST_F(HistoryTest, ChangedTextIsNotUsed) {
  auto rows = rows_of(history_);
  rows[2]["text"] = "evil";
  History loaded;
  EXPECT_EQ(loaded.load(rows).size(), 1U);
  EXPECT_EQ(loaded.last_confirmed()->text, "two");
  EXPECT_EQ(loaded.next_number(), 4U) << "a number is never used twice";
}

TEST_F(HistoryTest, ChangeInTheMiddleBreaksTheChain) {
  for (const char* column : {"user", "comment"}) {
    auto rows = rows_of(history_);
    rows[1][column] = "somebody else";
    History loaded;
    EXPECT_FALSE(loaded.load(rows).empty()) << column;
  }
}

TEST_F(HistoryTest, ChainHoldsAlsoWhenARevisionWasRefusedAndWhenTheOldestIsGone) {
  const std::uint64_t refused = history_.add(1, "root", "", "bad").number;
  history_.discard(refused);
  history_.confirm(history_.add(2, "root", "", "five").number);
  EXPECT_EQ(history_.last_confirmed()->number, 5U);
  auto rows = rows_of(history_);
  rows.erase(rows.begin());
  History loaded;
  EXPECT_TRUE(loaded.load(rows).empty());
}

TEST_F(HistoryTest, IsBoundedAndKeepsTheNewest) {
  for (std::size_t i = 0; i < History::kMaxRevisions + 20; ++i)
    history_.confirm(history_.add(3, "root", "", std::string(100'000, 'x')).number);
  EXPECT_LE(history_.all().size() * 100'000, History::kMaxTextBytes + 100'000);
  EXPECT_EQ(history_.last_confirmed()->number, 3 + History::kMaxRevisions + 20);
}

}  // namespace
}  // namespace sallyport::control
