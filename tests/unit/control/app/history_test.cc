#include "control/app/history.h"

#include <gtest/gtest.h>

#include "control/app/chain_watch.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

std::vector<json> rows_of(const History& history) {
  std::vector<json> rows;
  for (const auto& [number, revision] : history.all()) rows.push_back(to_row(revision));
  return rows;
}

std::uint64_t propose(History& history, const std::string& text, std::int64_t window = 0) {
  Revision revision;
  revision.time_s = 1'800'000'000;
  revision.user = "root";
  revision.comment = "why";
  revision.text = text;
  revision.window.seconds = window;
  return history.add(std::move(revision)).number;
}

void confirmed(History& history, const std::string& text) {
  history.set_state(propose(history, text), RevisionState::kConfirmed, "root", {});
}

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* text : {"one", "two", "three"}) confirmed(history_, text);
  }
  History history_;
};

TEST_F(HistoryTest, LoadsWhatItStored) {
  History loaded;
  EXPECT_TRUE(loaded.load(rows_of(history_), history_.head()).problems.empty());
  ASSERT_NE(loaded.last_confirmed(), nullptr);
  EXPECT_EQ(loaded.last_confirmed()->text, "three");
  EXPECT_EQ(loaded.next_number(), 4U);
  EXPECT_EQ(loaded.all(), history_.all());
}

TEST_F(HistoryTest, ChangedTextIsNotUsedAndKeptAsEvidence) {
  auto rows = rows_of(history_);
  rows[2]["text"] = "evil";
  History loaded;
  const auto found = loaded.load(rows, history_.head());
  ASSERT_EQ(found.damaged.size(), 1U);
  EXPECT_EQ(found.damaged[0], rows[2]);
  EXPECT_EQ(loaded.last_confirmed()->text, "two");
  EXPECT_EQ(loaded.next_number(), 4U) << "a number is never used twice";
}

// Each column of any row, also of the newest, also how it ended.
TEST_F(HistoryTest, AnyChangeOfAnyColumnIsFound) {
  const auto original = rows_of(history_);
  for (std::size_t i = 0; i < 3; ++i)
    for (const auto& [column, value] : original[i].items()) {
      if (column == "boot" || column == "deadline") continue;  // of an unconfirmed one only
      auto rows = rows_of(history_);
      if (value.is_string())
        rows[i][column] = column == "state" ? "unconfirmed" : value.get<std::string>() + "x";
      else
        rows[i][column] = value.get<std::int64_t>() + 7;
      History loaded;
      const auto found = loaded.load(rows, history_.head());
      EXPECT_FALSE(found.problems.empty()) << column << " of row " << i;
    }
}

TEST_F(HistoryTest, MissingRowsAreFoundInTheMiddleAndAtTheEnd) {
  for (const std::ptrdiff_t gone : {1, 2}) {
    auto rows = rows_of(history_);
    rows.erase(rows.begin() + gone);
    History loaded;
    EXPECT_FALSE(loaded.load(rows, history_.head()).problems.empty()) << gone;
  }
}

TEST_F(HistoryTest, RowWithAMissingColumnIsDamagedNotGuessed) {
  const auto original = rows_of(history_);
  for (const auto& [column, value] : original[1].items()) {
    auto rows = rows_of(history_);
    rows[1].erase(column);
    History loaded;
    EXPECT_EQ(loaded.load(rows, history_.head()).damaged.size(), 1U) << column;
  }
}

TEST_F(HistoryTest, ChainHoldsAlsoWhenARevisionWasRefusedAndWhenTheOldestIsGone) {
  history_.discard(propose(history_, "bad"));
  confirmed(history_, "five");
  EXPECT_EQ(history_.last_confirmed()->number, 5U);
  auto rows = rows_of(history_);
  rows.erase(rows.begin());
  History loaded;
  EXPECT_TRUE(loaded.load(rows, history_.head()).problems.empty());
}

TEST_F(HistoryTest, HowARevisionEndedIsSealedByTheNext) {
  const std::uint64_t tried = propose(history_, "tried", 60);
  history_.set_state(tried, RevisionState::kUnconfirmed, "", {60, "boot", 1});
  confirmed(history_, "back");
  auto rows = rows_of(history_);
  ASSERT_EQ(rows[3]["state"], "unconfirmed");
  rows[3]["state"] = "confirmed";
  rows[3]["confirmed_by"] = "root";
  History loaded;
  EXPECT_FALSE(loaded.load(rows, history_.head()).problems.empty());
}

TEST_F(HistoryTest, IsBoundedAndKeepsTheNewest) {
  for (std::size_t i = 0; i < History::kMaxRevisions + 120; ++i)
    confirmed(history_, std::string(200'000, 'x'));
  std::size_t bytes = 0;
  for (const auto& [number, revision] : history_.all()) bytes += revision.text.size();
  EXPECT_LE(bytes, History::kMaxTextBytes);
  EXPECT_LE(history_.all().size(), History::kMaxRevisions);
  EXPECT_EQ(history_.last_confirmed()->number, 3 + History::kMaxRevisions + 120);
}

TEST_F(HistoryTest, WhatAnUnconfirmedOneFallsBackToIsNeverPruned) {
  const std::string large(History::kMaxTextBytes - 10, 'x');
  confirmed(history_, large);
  history_.set_state(propose(history_, large, 60), RevisionState::kUnconfirmed, "", {60, "b", 1});
  ASSERT_NE(history_.last_confirmed(), nullptr);
  EXPECT_EQ(history_.last_confirmed()->number, 4U);
}

TEST_F(HistoryTest, StoredRowsAreComparedWithWhatWasCommitted) {
  std::vector<std::string> rows;
  for (const json& row : rows_of(history_)) rows.push_back(row.dump());
  EXPECT_TRUE(chain_problems(history_, rows).empty());
  auto changed = rows;
  auto second = json::parse(changed[1]);
  second["confirmed_by"] = "mallory";  // verifies by itself
  changed[1] = second.dump();
  EXPECT_FALSE(chain_problems(history_, changed).empty());
  changed = rows;
  changed.pop_back();
  EXPECT_FALSE(chain_problems(history_, changed).empty());
}

TEST_F(HistoryTest, AHistoryThatWasChangedInMemoryIsFound) {
  History copy = history_;
  Revision changed = *copy.find(2);
  changed.user = "mallory";
  copy.adopt(changed);
  EXPECT_FALSE(copy.verify().empty());
}

}  // namespace
}  // namespace sallyport::control
