#include "control/ovsdb/database.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/unit/control/ovsdb/ovsdb_server.h"

namespace sallyport::control {
namespace {

using nlohmann::json;
constexpr Millis kDeadline{10'000};

std::string port_row(const std::string& name, int slot) {
  return row_text({{"name", name}, {"slot", slot}, {"device", "net_null0"}});
}

std::vector<json> read(const Database& database, const std::string& table) {
  std::vector<json> out;
  for (const std::string& key : database.keys(table))
    if (const auto row = database.row(table, key)) out.push_back(json::parse(*row, nullptr, false));
  return out;
}

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    Loop::quiet();
    ASSERT_TRUE(server_.available()) << "ovsdb-server is not installed: ./dev deps";
    server_.start();
  }
  // Turns the loop until the condition holds; false after kDeadline.
  bool run_until(Database& database, const std::function<bool()>& condition) {
    const Millis end = Loop::now() + kDeadline;
    while (true) {
      database.run(Loop::now());
      if (condition()) return true;
      if (Loop::now() > end) return false;
      database.wait();
      Loop::wake_at(Loop::now() + Millis(50));
      Loop::block();
    }
  }
  bool settle(Database& database) {
    return run_until(database, [&] { return database.connected() && database.settled(); });
  }
  test::OvsdbServer server_;
};

TEST_F(DatabaseTest, DesiredRowsAreStoredAndReadBackByAnotherClient) {
  {
    Database database(server_.remote());
    database.manage("Port");
    database.set("Port", "lan1", port_row("lan1", 3));
    ASSERT_TRUE(settle(database));
  }
  Database other(server_.remote());
  ASSERT_TRUE(run_until(other, [&] { return other.connected(); }));
  const auto rows = read(other, "Port");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["name"], "lan1");
  EXPECT_EQ(rows[0]["slot"], 3);
}

TEST_F(DatabaseTest, RowsThatAreNotManagedAreLeftAlone) {
  Database database(server_.remote());
  ASSERT_TRUE(run_until(database, [&] { return database.connected(); }));
  ASSERT_NE(server_.transact(R"(["Sallyport",{"op":"insert","table":"Port","row":{"name":"x"}}])"),
            "");
  database.manage("Segment");
  ASSERT_TRUE(run_until(database, [&] { return read(database, "Port").size() == 1; }));
  EXPECT_TRUE(database.take_foreign().empty());
}

TEST_F(DatabaseTest, ForeignWriteIsUndoneAndTold) {
  Database database(server_.remote());
  database.manage("Port");
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(settle(database));
  ASSERT_NE(server_.transact(R"(["Sallyport",{"op":"update","table":"Port","where":[],
      "row":{"slot":9}}])"),
            "");
  std::vector<ForeignWrite> seen;
  ASSERT_TRUE(run_until(database, [&] {
    for (auto& write : database.take_foreign()) seen.push_back(write);
    return !seen.empty() && database.settled() && read(database, "Port")[0]["slot"] == 3;
  }));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].table, "Port");
  EXPECT_EQ(seen[0].key, "lan1");
}

TEST_F(DatabaseTest, ForeignRowIsRemovedAndForeignDeletionRestored) {
  Database database(server_.remote());
  database.manage("Port");
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(settle(database));
  ASSERT_NE(server_.transact(R"(["Sallyport",{"op":"delete","table":"Port","where":[]},
      {"op":"insert","table":"Port","row":{"name":"evil"}}])"),
            "");
  std::size_t told = 0;
  ASSERT_TRUE(run_until(database, [&] {
    told += database.take_foreign().size();
    const auto rows = read(database, "Port");
    return told >= 2 && rows.size() == 1 && rows[0]["name"] == "lan1" && database.settled();
  }));
}

TEST_F(DatabaseTest, OwnChangesAreNotTakenForForeignOnes) {
  Database database(server_.remote());
  database.manage("Port");
  for (int slot = 0; slot < 20; ++slot) {
    database.set("Port", "lan1", port_row("lan1", slot));
    database.run(Loop::now());
  }
  ASSERT_TRUE(settle(database));
  database.erase("Port", "lan1");
  ASSERT_TRUE(settle(database));
  EXPECT_TRUE(run_until(database, [&] { return read(database, "Port").empty(); }));
  EXPECT_TRUE(database.take_foreign().empty());
}

TEST_F(DatabaseTest, ServerRestartIsSurvivedAndContentsRestored) {
  Database database(server_.remote());
  database.manage("Port");
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(settle(database));
  server_.stop();
  ASSERT_TRUE(run_until(database, [&] { return !database.connected(); }));
  database.set("Port", "lan2", port_row("lan2", 4));
  server_.start();
  ASSERT_TRUE(settle(database));
  EXPECT_TRUE(run_until(database, [&] { return read(database, "Port").size() == 2; }));
}

TEST_F(DatabaseTest, ReplaceErasesWhatIsNotNamed) {
  Database database(server_.remote());
  database.manage("Port");
  database.replace("Port", {{"a", port_row("a", 1)}, {"b", port_row("b", 2)}});
  ASSERT_TRUE(settle(database));
  database.replace("Port", {{"b", port_row("b", 5)}});
  ASSERT_TRUE(settle(database));
  ASSERT_TRUE(run_until(database, [&] { return read(database, "Port").size() == 1; }));
  EXPECT_EQ(read(database, "Port")[0]["slot"], 5);
}

// Whoever renames a row leaves the old name missing.
TEST_F(DatabaseTest, RenamedRowIsRestored) {
  Database database(server_.remote());
  database.manage("Port");
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(settle(database));
  ASSERT_NE(server_.transact(R"(["Sallyport",{"op":"update","table":"Port","where":[],
      "row":{"name":"evil"}}])"),
            "");
  ASSERT_TRUE(run_until(database, [&] { return !database.take_foreign().empty(); }));
  ASSERT_TRUE(run_until(database, [&] {
    return database.settled() && database.keys("Port") == std::vector<std::string>{"lan1"};
  }));
}

TEST_F(DatabaseTest, WhatSomebodyWroteWhileTheServerWasAwayIsUndoneAndTold) {
  Database database(server_.remote());
  database.manage("Port");
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(settle(database));
  server_.stop();
  ASSERT_TRUE(run_until(database, [&] { return !database.connected(); }));
  ASSERT_NE(test::run_program({"ovsdb-tool", "transact", server_.file(),
                               R"(["Sallyport",{"op":"update","table":"Port","where":[],
                                   "row":{"slot":9}}])"}),
            "");
  server_.start();
  std::size_t told = 0;
  ASSERT_TRUE(run_until(database, [&] {
    told += database.take_foreign().size();
    const auto rows = read(database, "Port");
    return told == 1 && rows.size() == 1 && rows[0]["slot"] == 3 && database.settled();
  }));
}

TEST_F(DatabaseTest, CommittedChangesAreOneTransactionAlsoWhenThousandsOfRowsWait) {
  Database database(server_.remote());
  for (const char* table : {"Port", "Segment", "Process"}) database.manage(table);
  RowTexts rows;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "p" + std::to_string(i);
    rows[name] = port_row(name, i);
  }
  database.replace("Port", rows);
  ASSERT_TRUE(run_until(database, [&] { return database.keys("Port").size() > 100; }));
  database.commit({{"Process", "z", row_text({{"name", "z"}, {"revision", 77}})},
                   {"Port", "p2999", port_row("p2999", 4242)},
                   {"Port", "p0", std::nullopt}});
  ASSERT_TRUE(run_until(database, [&] { return database.stored("Process", "z"); }));
  EXPECT_TRUE(database.stored("Port", "p2999"));
  EXPECT_TRUE(database.stored("Port", "p0"));
  EXPECT_FALSE(database.settled()) << "it did not wait for the others";
  std::size_t together = 0;
  for (const std::string& record : server_.records())
    if (record.find("77") != record.npos && record.find("4242") != record.npos &&
        record.find("delete") != record.npos)
      ++together;
  EXPECT_EQ(together, 1U);
  ASSERT_TRUE(settle(database));
  EXPECT_TRUE(run_until(database, [&] { return database.keys("Port").size() == 2999; }));
}

TEST_F(DatabaseTest, FullDiskIsToldAndTheRowsAreStoredWhenThereIsRoomAgain) {
  Database database(server_.remote());
  database.manage("Port");
  ASSERT_TRUE(settle(database));
  server_.limit_file(server_.file_size());
  database.set("Port", "lan1", port_row("lan1", 3));
  ASSERT_TRUE(run_until(database, [&] { return database.failures() > 0; }));
  EXPECT_FALSE(database.last_error().empty());
  EXPECT_FALSE(database.stored("Port", "lan1"));
  server_.limit_file(RLIM_INFINITY);
  ASSERT_TRUE(settle(database));
  EXPECT_TRUE(database.stored("Port", "lan1"));
  EXPECT_EQ(database.last_error(), "");
}

TEST_F(DatabaseTest, EachTurnStaysWithinItsBudgetHoweverManyRowsWait) {
  Database database(server_.remote());
  database.manage("Port");
  RowTexts rows;
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = "p" + std::to_string(i);
    rows[name] = port_row(name, i);
  }
  database.replace("Port", rows);
  std::chrono::nanoseconds longest{0};
  ASSERT_TRUE(run_until(database, [&] {
    const auto before = test::thread_time();
    database.run(Loop::now());
    longest = std::max(longest, test::thread_time() - before);
    return database.settled();
  }));
  // The budget, and what the library makes of a transaction of kMaxRowsPerTransaction rows.
  EXPECT_LT(longest, std::chrono::milliseconds(25));
}

}  // namespace
}  // namespace sallyport::control
