// Heads of the chain on their way to a syslog daemon.
#include "control/app/audit.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>

#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

// What a syslog daemon has at /dev/log.
class Syslog {
 public:
  explicit Syslog(const std::string& path) : path_(path) { listen(); }
  void listen() {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), std::begin(address.sun_path));
    ::unlink(path_.c_str());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void die() {
    socket_.reset();
    ::unlink(path_.c_str());
  }
  const std::vector<std::string>& lines() {
    std::string line(4096, '\0');
    for (ssize_t size = 0; (size = ::recv(socket_.get(), line.data(), line.size(), 0)) > 0;)
      lines_.push_back(line.substr(0, static_cast<std::size_t>(size)));
    return lines_;
  }
  bool heard(const std::string& part) {
    const auto& all = lines();
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& line) { return line.find(part) != line.npos; });
  }

 private:
  std::string path_;
  os::UniqueFd socket_;
  std::vector<std::string> lines_;
};

class AuditTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    syslog_.emplace(server_.folder() + "/log");
    settings_.audit_socket = server_.folder() + "/log";
    set_boot_clock();
  }
  std::string stored_head() {
    const json answer = json::parse(
        server_.transact(R"(["Sallyport",{"op":"select","table":"Gateway","where":[]}])"), nullptr,
        false);
    return answer[0]["rows"][0]["head"];
  }
  std::optional<Syslog> syslog_;
};

TEST_F(AuditTest, EachHeadIsHeardAsItIsStoredWithWhoAndWhat) {
  for (const char* remark : {"# one\n", "# two\n"}) {
    ASSERT_EQ(apply(std::string(kConfig) + remark)["ok"], true);
    EXPECT_TRUE(until([&] { return syslog_->heard("head=" + stored_head()); })) << remark;
  }
  EXPECT_TRUE(syslog_->heard("<85>sallyport-control: revision 2 of root confirmed by root"));
  EXPECT_TRUE(syslog_->heard("sha256=" + history()[1]["sha256"].get<std::string>()));
  // What is tried, confirmed, refused and found at a start is heard too.
  ASSERT_EQ(ask({{"op", "apply"}, {"confirm_within", 60}}, kConfig)["ok"], true);
  EXPECT_TRUE(until([&] { return syslog_->heard("head=" + stored_head()); }));
  ASSERT_EQ(ask({{"op", "confirm"}})["ok"], true);
  EXPECT_TRUE(until([&] { return syslog_->heard("head=" + stored_head()); }));
  EXPECT_TRUE(syslog_->heard("revision 3 of root confirmed by root"));
  terminator_->refuse["prepare"] = "credential-missing";
  EXPECT_EQ(apply(std::string(kConfig) + "# bad\n")["ok"], false);
  EXPECT_TRUE(until([&] { return syslog_->heard("refused: credential-missing"); }));
  terminator_->refuse.clear();
  start();
  EXPECT_TRUE(until([&] { return syslog_->heard("started with 3 revisions"); }));
}

TEST_F(AuditTest, NoCommentLooksLikeAHead) {
  ASSERT_EQ(ask({{"op", "apply"}, {"comment", "x\" head=0000 \""}}, kConfig)["ok"], true);
  ASSERT_TRUE(until([&] { return syslog_->heard("head=" + stored_head()); }));
  EXPECT_TRUE(syslog_->heard(R"(comment="x\" head=0000 \"" head=)" + stored_head()));
}

TEST_F(AuditTest, WhatADaemonThatIsAwayMissesIsToldAndComesLater) {
  syslog_->die();
  ASSERT_EQ(apply(kConfig)["ok"], true);
  ASSERT_TRUE(until([&] { return !events("audit-sink-failing").empty(); }));
  EXPECT_NE(control_->status()["audit"]["error"], "");
  syslog_->listen();
  EXPECT_TRUE(until([&] { return syslog_->heard("head=" + stored_head()); }));
  EXPECT_TRUE(until([&] { return !events("audit-sink-recovered").empty(); }));
}

TEST_F(AuditTest, WhatWaitsIsBoundedAndTheLossIsCounted) {
  Audit audit(server_.folder() + "/nobody");
  for (std::size_t i = 0; i < Audit::kMaxWaiting + 5; ++i) audit.record("line");
  EXPECT_EQ(audit.to_json()["waiting"], Audit::kMaxWaiting);
  EXPECT_EQ(audit.to_json()["lost"], 5);
}

}  // namespace
}  // namespace sallyport::control
