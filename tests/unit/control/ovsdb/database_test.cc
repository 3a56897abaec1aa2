#include "control/ovsdb/database.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/unit/control/ovsdb/ovsdb_server.h"

namespace sallyport::control {
namespace {

using nlohmann::json;
constexpr Millis kDeadline{10'000};

json port_row(const std::string& name, int slot) {
  return {{"name", name}, {"slot", slot}, {"device", "net_null0"}};
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
  const auto rows = other.read("Port");
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
  ASSERT_TRUE(run_until(database, [&] { return database.read("Port").size() == 1; }));
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
    return !seen.empty() && database.settled() && database.read("Port")[0]["slot"] == 3;
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
    const auto rows = database.read("Port");
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
  EXPECT_TRUE(run_until(database, [&] { return database.read("Port").empty(); }));
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
  EXPECT_TRUE(run_until(database, [&] { return database.read("Port").size() == 2; }));
}

TEST_F(DatabaseTest, ReplaceErasesWhatIsNotNamed) {
  Database database(server_.remote());
  database.manage("Port");
  database.replace("Port", {{"a", port_row("a", 1)}, {"b", port_row("b", 2)}});
  ASSERT_TRUE(settle(database));
  database.replace("Port", {{"b", port_row("b", 5)}});
  ASSERT_TRUE(settle(database));
  ASSERT_TRUE(run_until(database, [&] { return database.read("Port").size() == 1; }));
  EXPECT_EQ(database.read("Port")[0]["slot"], 5);
}

}  // namespace
}  // namespace sallyport::control
