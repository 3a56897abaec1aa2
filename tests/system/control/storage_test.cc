// A disk that is full, a database file that is damaged: said clearly, and recovered from.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/system/control/daemon.h"

namespace sallyport::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Storage : public ControlDaemon {
 protected:
  void start_all() {
    const Ran prepared = prepare_database();
    ASSERT_EQ(prepared.status, 0) << prepared.output;
    start_database();
    start_control();
  }
  void kill_all() {
    kill_control();
    kill_database();
  }
  void commit(int number) {
    ASSERT_TRUE(wait_until([&] { return apply(numbered_config(number)).status == 0; }));
  }
};

class FullDisk : public Storage {
 protected:
  void SetUp() override {
    ControlDaemon::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(::mount("tmpfs", state_.c_str(), "tmpfs", 0, "size=384k"), 0);
    ASSERT_EQ(::chown(state_.c_str(), kControlUser, kControlUser), 0);
  }
  void TearDown() override {
    control_.reset();
    database_.reset();
    if (!state_.empty()) ::umount2(state_.c_str(), MNT_DETACH);
    ControlDaemon::TearDown();
  }
  void fill() {
    std::ofstream filler(state_ + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void make_room() { fs::remove(state_ + "/filler"); }
  // Larger than what is left of the last block.
  static std::string large_config(int number) {
    return numbered_config(number) + std::string("# ") + std::string(20'000, 'x') + "\n";
  }
};

TEST_F(FullDisk, ACommitIsRefusedClearlyAndNothingIsChanged) {
  start_all();
  commit(1);
  fill();
  const Ran refused = apply(large_config(2));
  EXPECT_EQ(refused.status, 10) << refused.output;
  EXPECT_NE(refused.output.find("the database cannot store it"), std::string::npos)
      << refused.output;
  EXPECT_NE(refused.output.find("df " + state_), std::string::npos) << refused.output;
  EXPECT_NE(refused.output.find("nothing was changed"), std::string::npos) << refused.output;
  EXPECT_EQ(in_force(), 1U);
  EXPECT_EQ(text_in_force(), numbered_config(1));
  EXPECT_TRUE(wait_until([&] { return !events("database-failing").empty(); }));
  EXPECT_NE(ctl({"status"}).output.find("the database could not store"), std::string::npos);
  make_room();
  EXPECT_EQ(apply(large_config(2)).status, 0);
  EXPECT_TRUE(wait_until([&] { return !events("database-recovered").empty(); }));
  EXPECT_EQ(ctl({"status"}).output.find("the database could not store"), std::string::npos);
  EXPECT_EQ(chain_problem(), "");
}

TEST_F(FullDisk, TheGatewayStartsWithWhatWasConfirmedAlsoWhenThereIsNoRoomAtAll) {
  start_all();
  commit(1);
  fill();
  kill_all();
  start_all();
  EXPECT_EQ(in_force(), 1U);
  EXPECT_EQ(text_in_force(), numbered_config(1));
}

// Between its two transactions the disk fills and the database stops: the intent is stored, the
// commit is not.
TEST_F(FullDisk, WhatIsInForceButCannotBeStoredIsSaid) {
  start_all();
  commit(1);
  neighbours_->on_request([&](const std::string& line) {
    if (line.find("commit") == std::string::npos) return;
    fill();
    database_->signal(SIGSTOP);
  });
  const Ran told = apply(numbered_config(2));
  neighbours_->on_request({});
  EXPECT_EQ(told.status, 0) << told.output;
  EXPECT_NE(told.output.find("in force, but not stored yet"), std::string::npos) << told.output;
  EXPECT_FALSE(events("recovery-not-written").empty());
  EXPECT_FALSE(events("revision-not-stored").empty());
  make_room();
  database_->signal(SIGCONT);
  EXPECT_TRUE(
      wait_until([&] { return chain_problem().empty() && rows("Gateway")[0]["cur_cfg"] == 2; }));
}

class Damaged : public Storage {
 protected:
  void SetUp() override {
    ControlDaemon::SetUp();
    if (IsSkipped()) return;
    start_all();
    for (int i = 1; i <= kLast; ++i) commit(i);
    ASSERT_TRUE(wait_until([&] { return read({"status"})["database"]["rows_of"] == kLast; }));
    kill_all();
    whole_ = read_file(file());
    ASSERT_GT(whole_.size(), 5000U);
  }
  std::string file() const { return state_ + "/gateway.db"; }
  void put(const std::string& bytes) {
    std::ofstream(file(), std::ios::binary) << bytes;
    for (const auto& entry : fs::directory_iterator(state_))
      if (entry.path().filename().string().starts_with("gateway.db.damaged-"))
        fs::remove(entry.path());
  }
  // The last confirmed revision is in force again, and the operator is told what was damaged.
  void expect_recovered(bool damaged = true) {
    start_all();
    if (HasFatalFailure()) return;
    ASSERT_EQ(in_force(), static_cast<std::uint64_t>(kLast));
    EXPECT_EQ(text_in_force(), numbered_config(kLast));
    EXPECT_NE(events("database-mended").empty() && events("database-behind").empty(), damaged);
    // It works again: the next commit follows, and a restart finds it.
    ASSERT_EQ(apply(numbered_config(99)).status, 0);
    kill_all();
    start_all();
    ASSERT_TRUE(in_force());
    EXPECT_EQ(text_in_force(), numbered_config(99));
    kill_all();
  }
  // Records begin with a line "OVSDB JSON LENGTH SHA1". The other case of one of the checksum's
  // letters is bit 5, and says the same.
  bool only_case_of_checksum(std::size_t bit) const {
    const std::size_t at = bit / 8;
    const std::size_t line = whole_.rfind('\n', at) + 1;
    return bit % 8 == 5 && whole_.compare(line, 11, "OVSDB JSON ") == 0 &&
           at > whole_.find(' ', line + 11) && std::isalpha(whole_[at]) != 0;
  }
  std::size_t a_checksums_letter() const {
    std::size_t at = whole_.find(' ', whole_.rfind("\nOVSDB JSON ") + 12);
    while (std::isalpha(whole_[at]) == 0) ++at;
    return 8 * at + 5;
  }
  static constexpr int kLast = 4;
  std::string whole_;
};

TEST_F(Damaged, ATruncatedFileOfAnyLength) {
  const std::string copy = read_file(state_ + "/control/recovery.json");
  std::mt19937 random(11);
  std::vector<std::size_t> lengths = {0, 1, 30, whole_.size() - 1, whole_.size() / 2};
  for (int i = 0; i < 15; ++i) lengths.push_back(random() % whole_.size());
  for (const std::size_t length : lengths) {
    SCOPED_TRACE(fmt::format("{} of {} bytes", length, whole_.size()));
    put(whole_.substr(0, length));
    std::ofstream(state_ + "/control/recovery.json") << copy;
    expect_recovered();
    if (HasFatalFailure()) return;
  }
}

TEST_F(Damaged, AnyFlippedBit) {
  const std::string copy = read_file(state_ + "/control/recovery.json");
  std::mt19937 random(12);
  // The first record's header and body, the last record's, and anywhere.
  std::vector<std::size_t> bits = {3, 8 * 20, 8 * 200, 8 * (whole_.size() - 10),
                                   a_checksums_letter()};
  ASSERT_TRUE(only_case_of_checksum(bits.back()));
  for (int i = 0; i < 20; ++i) bits.push_back(random() % (8 * whole_.size()));
  for (const std::size_t bit : bits) {
    SCOPED_TRACE(fmt::format("bit {} of byte {}", bit % 8, bit / 8));
    std::string flipped = whole_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    put(flipped);
    std::ofstream(state_ + "/control/recovery.json") << copy;
    expect_recovered(!only_case_of_checksum(bit));
    if (HasFatalFailure()) return;
  }
}

TEST_F(Damaged, WhatWasFoundIsKeptAndSaysWhereItIs) {
  std::string flipped = whole_;
  flipped[whole_.size() - 10] ^= 1;
  put(flipped);
  start_all();
  ASSERT_TRUE(in_force());
  const auto told = events("database-mended");
  ASSERT_EQ(told.size(), 1U);
  const std::size_t at = told[0].find(file() + ".damaged-");
  ASSERT_NE(at, std::string::npos) << told[0];
  EXPECT_EQ(read_file(told[0].substr(at, (file() + ".damaged-20261125T120000Z").size())), flipped);
  // Once.
  kill_all();
  start_all();
  ASSERT_TRUE(in_force());
  EXPECT_TRUE(events("database-mended").empty());
}

TEST_F(Damaged, AFileThatIsGoneComesBackFromTheRecoveryCopy) {
  fs::remove(file());
  expect_recovered();
}

TEST_F(Damaged, BothGoneMeansDenyAndSaysSo) {
  fs::remove(file());
  fs::remove(state_ + "/control/recovery.json");
  start_all();
  ASSERT_TRUE(wait_until([&] { return read({"status"}).value("ready", false); }));
  EXPECT_EQ(read({"status"})["state"], "nothing-in-force");
  EXPECT_NE(ctl({"status"}).output.find("everything is denied"), std::string::npos);
  EXPECT_EQ(apply(numbered_config(1)).status, 0);
}

TEST_F(Damaged, AnOlderSchemaIsConverted) {
  std::string schema = read_file(state_ + "/gateway.ovsschema");
  schema.replace(schema.find("\"2."), 3, "\"1.");
  const std::size_t at = schema.find("\"rows_cfg\"");
  schema.erase(at, schema.find('\n', at) + 1 - at);
  const std::string old_schema = write_file("old.ovsschema", schema);
  const std::string user = std::to_string(kControlUser);
  ASSERT_EQ(run({"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "ovsdb-tool",
                 "convert", file(), old_schema})
                .status,
            0);
  ASSERT_EQ(::chown(file().c_str(), 0, 0), 0);
  // It is root's now, and nobody may take that for damage.
  const Ran refused = prepare_database();
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.output.find("it must belong to the user"), std::string::npos) << refused.output;
  ASSERT_EQ(::chown(file().c_str(), kControlUser, kControlUser), 0);
  start_all();
  EXPECT_EQ(in_force(), static_cast<std::uint64_t>(kLast));
  EXPECT_TRUE(events("database-mended").empty());
  EXPECT_TRUE(wait_until([&] { return rows("Gateway")[0].contains("rows_cfg"); }));
}

}  // namespace
}  // namespace sallyport::testing
