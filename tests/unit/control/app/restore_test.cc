// What is in force after a start, when database, recovery copy or both are not what they were.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "control/app/recovery.h"
#include "policy/os/memfd.h"
#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

std::string version(int number) {
  return std::string(kConfig) + "# " + std::to_string(number) + "\n";
}

class RestoreTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    for (int i = 1; i <= 3; ++i) ASSERT_EQ(apply(version(i))["ok"], true);
  }
  // With the database's server away: an attacker, an accident, a disk.
  void while_down(const std::string& operations) {
    control_.reset();
    server_.stop();
    ASSERT_NE(test::run_program(
                  {"ovsdb-tool", "transact", server_.file(), "[\"Sallyport\"," + operations + "]"}),
              "");
    server_.start();
  }
  std::string copy_path() const { return server_.folder() + "/recovery.json"; }
  std::string text_in_force() { return ask({{"op", "revision"}})["result"]["text"]; }
  json quarantine() { return ask({{"op", "show"}, {"what", "quarantine"}})["result"]; }
  json rows(const std::string& table) {
    return json::parse(
        server_.transact(R"(["Sallyport",{"op":"select","table":")" + table + R"(","where":[]}])"),
        nullptr, false)[0]["rows"];
  }
};

TEST_F(RestoreTest, ADamagedRowIsNotUsedAndKeptAsItWas) {
  while_down(R"({"op":"update","table":"Revision","where":[["number","==",2]],
                 "row":{"text":"version: 1 # evil"}})");
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_FALSE(events("revision-damaged").empty());
  ASSERT_TRUE(
      until([&] { return rows("Quarantine").size() == 1 && rows("Revision").size() == 2; }));
  ASSERT_EQ(quarantine().size(), 1U);
  EXPECT_EQ(json::parse(quarantine()[0]["evidence"].get<std::string>())["text"],
            "version: 1 # evil");
  // Evidence survives restarts, and whoever removes it.
  start();
  ASSERT_TRUE(everywhere(3));
  ASSERT_NE(server_.transact(R"(["Sallyport",{"op":"delete","table":"Quarantine","where":[]}])"),
            "");
  ASSERT_TRUE(until([&] { return !events("foreign-write").empty(); }));
  EXPECT_TRUE(until([&] { return rows("Quarantine").size() == 1; }));
}

TEST_F(RestoreTest, TheNewestRowIsTakenFromTheRecoveryCopyWhenItIsDamaged) {
  while_down(R"({"op":"update","table":"Revision","where":[["number","==",3]],
                 "row":{"text":"version: 1 # evil"}})");
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_EQ(quarantine().size(), 1U);
  EXPECT_FALSE(events("database-behind").empty());
  ASSERT_TRUE(until([&] { return stored_texts()[3] == version(3); }));
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_TRUE(events("revision-damaged").empty()) << "the chain holds again";
}

// What ovsdb-server makes of a file whose end is damaged: as if the last had never been.
TEST_F(RestoreTest, ADatabaseThatEndsTooEarlyIsNoticedAndMended) {
  const std::string head = rows("Gateway")[0]["head"];
  while_down(R"({"op":"delete","table":"Revision","where":[["number","==",3]]})");
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_FALSE(events("database-behind").empty());
  EXPECT_TRUE(
      until([&] { return rows("Revision").size() == 3 && rows("Gateway")[0]["head"] == head; }));
}

TEST_F(RestoreTest, AnEmptyDatabaseDoesNotEmptyTheGateway) {
  while_down(R"({"op":"delete","table":"Revision","where":[]},
                {"op":"delete","table":"Gateway","where":[]})");
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_EQ(apply(version(4))["result"]["revision"], 4) << "a number is never used twice";
}

// Somebody who recomputes what he changed is caught by the copy; and by the audit sink elsewhere.
TEST_F(RestoreTest, AHistoryThatWasRewrittenConsistentlyIsNotBelieved) {
  std::vector<json> found;
  for (const json& row : rows("Revision")) found.push_back(row);
  control_.reset();
  History forged;
  for (int i = 1; i <= 3; ++i) {
    Revision revision;
    revision.user = "root";
    revision.text = i == 3 ? "version: 1 # forged" : version(i);
    forged.set_state(forged.add(std::move(revision)).number, RevisionState::kConfirmed, "root", {});
  }
  server_.stop();
  std::string operations =
      R"({"op":"update","table":"Gateway","where":[],"row":{"head":")" + forged.head() + "\"}}";
  for (const auto& [number, revision] : forged.all())
    operations += R"(,{"op":"update","table":"Revision","where":[["number","==",)" +
                  std::to_string(number) + "]],\"row\":" + to_row(revision).dump() + "}";
  ASSERT_NE(test::run_program(
                {"ovsdb-tool", "transact", server_.file(), "[\"Sallyport\"," + operations + "]"}),
            "");
  server_.start();
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_FALSE(events("revision-damaged").empty());
  EXPECT_EQ(quarantine().size(), 1U);
}

TEST_F(RestoreTest, WithdrawingARevisionInTheDatabaseIsNoticed) {
  while_down(R"({"op":"update","table":"Revision","where":[["number","==",3]],
                 "row":{"state":"pending"}})");
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
}

TEST_F(RestoreTest, ADamagedCopyIsToldKeptAndMadeAnew) {
  control_.reset();
  std::string copy = read_file(copy_path());
  copy[copy.size() / 2] ^= 1;
  std::ofstream(copy_path()) << copy;
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_FALSE(events("recovery-damaged").empty());
  EXPECT_EQ(read_file(copy_path() + ".damaged"), copy);
  EXPECT_TRUE(until([&] {
    const auto mended = read_recovery(copy_path());
    return mended && *mended && (*mended)->number == 3;
  }));
}

TEST_F(RestoreTest, EveryBitOfTheCopyCounts) {
  const std::string copy = read_file(copy_path());
  const std::string path = server_.folder() + "/flipped.json";
  for (std::size_t bit = 0; bit < copy.size() * 8; ++bit) {
    std::string flipped = copy;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    std::ofstream(path) << flipped;
    const auto read = read_recovery(path);
    // White space and escapes may differ; what it says may not.
    if (read && *read) {
      EXPECT_TRUE(**read == *from_row(json::parse(copy))) << "bit " << bit;
    }
  }
}

// Control ends between the two transactions of a commit.
TEST_F(RestoreTest, WhatWasUnderWayIsDiscardedAndTheOldOneIsUsed) {
  dataplane_->silent.insert("prepare");
  const auto socket = os::connect_to(run_ + "/control/socket");
  const std::string text = version(4);
  const auto memory =
      os::make_sealed("test", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  const std::string body = R"({"op":"apply"})";
  const std::vector<int> fds = {memory->get()};
  ASSERT_TRUE(os::send_datagram(
      socket->get(), {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}, fds));
  ASSERT_TRUE(until([&] { return control_->status()["step"] == "prepare-dataplane"; }));
  EXPECT_EQ(rows("Gateway")[0]["next_cfg"], 4);
  EXPECT_EQ(rows("Gateway")[0]["cur_cfg"], 3);
  control_.reset();
  dataplane_->silent.clear();
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), version(3));
  EXPECT_TRUE(until([&] { return rows("Revision").size() == 3; }));
  EXPECT_EQ(rows("Gateway")[0]["next_cfg"], 3);
  EXPECT_EQ(apply(version(5))["result"]["revision"], 5);
}

std::size_t with_all(const std::vector<std::string>& records,
                     const std::vector<std::string>& parts) {
  std::size_t count = 0;
  for (const std::string& record : records) {
    bool all = true;
    for (const std::string& part : parts) all = all && record.find(part) != record.npos;
    count += all ? 1 : 0;
  }
  return count;
}

// One transaction each for what is about to be and for what is: never half of a commit.
TEST_F(RestoreTest, ACommitIsOneTransactionOfTheRevisionAndTheGateway) {
  ASSERT_EQ(apply(version(4))["ok"], true);
  const std::string head = rows("Gateway")[0]["head"];
  const auto records = server_.records();
  EXPECT_EQ(with_all(records, {"state=pending", "number=4", "next_cfg=4"}), 1U);
  EXPECT_EQ(with_all(records, {"state=confirmed", "cur_cfg=4", head}), 1U);
  EXPECT_EQ(with_all(records, {"cur_cfg=4"}), 1U);
}

// What was under way goes together with the head that counted it; else a second end of control at
// that moment would leave a history that does not verify.
TEST_F(RestoreTest, WhatIsDiscardedAtAStartGoesInOneTransactionWithItsHead) {
  while_down(R"({"op":"update","table":"Revision","where":[["number","==",3]],
                 "row":{"state":"pending","confirmed_by":""}})");
  std::filesystem::remove(copy_path());
  start();
  ASSERT_TRUE(everywhere(2));
  ASSERT_TRUE(until([&] { return rows("Revision").size() == 2; }));
  const std::string head = rows("Gateway")[0]["head"];
  EXPECT_EQ(with_all(server_.records(), {"delete", head}), 1U);
}

TEST_F(RestoreTest, ADiskThatIsFullIsFoundBeforeAnythingIsChanged) {
  server_.limit_file(server_.file_size());
  journal_.clear();
  const json refused = apply(version(4));
  EXPECT_EQ(refused["code"], "not-stored") << refused;
  EXPECT_NE(refused.value("message", "").find("df "), std::string::npos) << refused;
  for (const std::string& line : journal_) EXPECT_EQ(line.find("prepare"), line.npos) << line;
  EXPECT_EQ(control_->status()["revision"], 3);
  EXPECT_TRUE(until([&] { return !events("database-failing").empty(); }));
  server_.limit_file(RLIM_INFINITY);
  // Only something that is stored shows that there is room again.
  EXPECT_EQ(apply(version(4))["ok"], true);
  EXPECT_TRUE(until([&] { return !events("database-recovered").empty(); }));
}

TEST_F(RestoreTest, TheChainIsVerifiedAgainAndAgain) {
  settings_.verify_interval = Millis(20);
  start();
  ASSERT_TRUE(until([&] { return control_->status()["chain"]["verified"] >= 3; }));
  EXPECT_TRUE(control_->status()["chain"]["problems"].empty());
  EXPECT_EQ(control_->status()["chain"]["revisions"], 3);
}

TEST_F(RestoreTest, DerivedRowsSayWhichRevisionTheyDescribe) {
  EXPECT_TRUE(until([&] { return rows("Gateway")[0]["rows_cfg"] == 3; }));
  EXPECT_EQ(rows("Segment").size(), 1U);
}

}  // namespace
}  // namespace sallyport::control
