// One writer at a time, and everybody else is told who and since when.
#include <gtest/gtest.h>

#include "policy/os/memfd.h"
#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

class WriterTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    settings_.wall_clock = [this] { return wall_now_; };
    start();
    ASSERT_EQ(apply(kConfig)["ok"], true);
  }
  os::UniqueFd connect() {
    auto socket = os::connect_to(run_ + "/control/socket");
    return socket ? *std::move(socket) : os::UniqueFd();
  }
  void expect_refused(const json& answer) {
    EXPECT_EQ(answer["code"], "busy") << answer;
    const std::string message = answer.value("message", "");
    EXPECT_NE(message.find("root"), message.npos) << message;
    EXPECT_NE(message.find("2026-11-01 00:00:00 UTC"), message.npos) << message;
  }
  const std::string changed_ = std::string(kConfig) + "# changed\n";
};

TEST_F(WriterTest, TheSecondIsRefusedWhileTheFirstIsApplying) {
  dataplane_->silent.insert("prepare");
  const os::UniqueFd first = connect();
  const std::string body = R"({"op":"apply"})";
  const auto memory = os::make_sealed(
      "test", {reinterpret_cast<const std::uint8_t*>(changed_.data()), changed_.size()});
  const std::vector<int> fds = {memory->get()};
  ASSERT_TRUE(os::send_datagram(
      first.get(), {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}, fds));
  ASSERT_TRUE(until([&] { return control_->status()["step"] == "prepare-dataplane"; }));
  for (const char* op : {"rollback", "confirm", "edit"}) expect_refused(ask({{"op", op}}));
  expect_refused(apply(changed_));
  EXPECT_EQ(control_->status()["holder"]["user"], "root");
  dataplane_->disconnect();
  dataplane_->silent.clear();
  ASSERT_TRUE(until([&] { return !control_->status().contains("holder"); }));
  ASSERT_TRUE(everywhere(1));
  EXPECT_EQ(apply(changed_)["ok"], true);
}

TEST_F(WriterTest, WhatWaitsToBeConfirmedHoldsTheConfiguration) {
  ASSERT_EQ(ask({{"op", "apply"}, {"confirm_within", 600}}, changed_)["ok"], true);
  const json refused = apply(changed_);
  expect_refused(refused);
  EXPECT_NE(refused.value("message", "").find("config confirm"), std::string::npos);
  expect_refused(ask({{"op", "edit"}}));
  ASSERT_EQ(ask({{"op", "confirm"}})["ok"], true);
  EXPECT_EQ(apply(changed_)["ok"], true);
}

TEST_F(WriterTest, AnEditHoldsItForAsLongAsItsConnectionLives) {
  os::UniqueFd editor = connect();
  const json begun = ask_on(editor.get(), {{"op", "edit"}});
  EXPECT_EQ(begun["result"]["text"], kConfig);
  EXPECT_EQ(begun["result"]["revision"], 1);
  expect_refused(apply(changed_));
  expect_refused(ask({{"op", "edit"}}));
  EXPECT_EQ(control_->status()["holder"]["doing"], "is editing the configuration");
  editor.reset();
  ASSERT_TRUE(until([&] { return !control_->status().contains("holder"); }));
  EXPECT_EQ(apply(changed_)["ok"], true);
}

TEST_F(WriterTest, TheEditorAppliesOnItsOwnConnectionAndLetsGo) {
  const os::UniqueFd editor = connect();
  ASSERT_EQ(ask_on(editor.get(), {{"op", "edit"}})["ok"], true);
  // A mistake keeps the lock: the editor mends it and tries again.
  EXPECT_EQ(ask_on(editor.get(), {{"op", "apply"}, {"base", 1}}, "nonsense")["code"],
            "config-invalid");
  expect_refused(apply(changed_));
  EXPECT_EQ(ask_on(editor.get(), {{"op", "apply"}, {"base", 1}}, changed_)["ok"], true);
  EXPECT_EQ(apply(kConfig)["ok"], true) << "the edit has ended with it";
}

TEST_F(WriterTest, AnEditCanBeTakenOverAndIsThenRefused) {
  const os::UniqueFd editor = connect();
  ASSERT_EQ(ask_on(editor.get(), {{"op", "edit"}})["ok"], true);
  ASSERT_EQ(ask({{"op", "apply"}, {"take_over", true}}, changed_)["ok"], true);
  const json late = ask_on(editor.get(), {{"op", "apply"}, {"base", 1}}, kConfig);
  EXPECT_EQ(late["code"], "changed-meanwhile") << late;
  EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], changed_);
}

TEST_F(WriterTest, ACommitCannotBeTakenOver) {
  ASSERT_EQ(ask({{"op", "apply"}, {"confirm_within", 600}}, changed_)["ok"], true);
  expect_refused(ask({{"op", "apply"}, {"take_over", true}}, kConfig));
}

TEST_F(WriterTest, AScriptMayInsistOnWhatItHasRead) {
  EXPECT_EQ(ask({{"op", "apply"}, {"base", 7}}, changed_)["code"], "changed-meanwhile");
  EXPECT_EQ(ask({{"op", "apply"}, {"base", 1}}, changed_)["ok"], true);
}

TEST_F(WriterTest, ManyIdleConnectionsDoNotEndAnEdit) {
  const os::UniqueFd editor = connect();
  ASSERT_EQ(ask_on(editor.get(), {{"op", "edit"}})["ok"], true);
  std::vector<os::UniqueFd> others;
  for (std::size_t i = 0; i < 2 * ControlServer::kMaxClients; ++i) {
    others.push_back(connect());
    until([] { return true; });
  }
  EXPECT_EQ(control_->status()["holder"]["doing"], "is editing the configuration");
  EXPECT_EQ(ask_on(editor.get(), {{"op", "apply"}}, changed_)["ok"], true);
}

// Bytes that editors, other systems and other alphabets leave behind.
TEST_F(WriterTest, TextsAreStoredAndGivenBackByteForByte) {
  for (const std::string& tail :
       {std::string("# no newline at the end"), std::string("# trailing blanks   \n\n\n"),
        std::string("# tabs\there\t\n"),
        std::string("# Grüße, 測試, \xf0\x9f\x9a\xaa, \xe2\x80\xa8\n"),
        std::string("# \"quoted\" \\ and 'so' </script> %s {}\n")}) {
    const std::string text = kConfig + tail;
    const json applied = apply(text);
    ASSERT_EQ(applied["ok"], true) << applied;
    EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], text);
    start();
    ASSERT_TRUE(everywhere(applied["result"]["revision"]));
    EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], text);
    EXPECT_TRUE(events("revision-damaged").empty());
  }
  std::string dos;
  for (const char c : std::string(kConfig))
    dos += c == '\n' ? std::string("\r\n") : std::string(1, c);
  ASSERT_EQ(apply(dos)["ok"], true);
  EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], dos);
}

// The chain is computed over what is stored, so a comment must not be stored otherwise.
TEST_F(WriterTest, LongCommentsAreCutBetweenCharacters) {
  std::string comment = "x";
  while (comment.size() < 700) comment += "\xe6\xb8\xac";
  ASSERT_EQ(ask({{"op", "apply"}, {"comment", comment + "\n\x1b[2J"}}, changed_)["ok"], true);
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_TRUE(events("revision-damaged").empty());
  EXPECT_EQ(history()[1]["comment"].get<std::string>().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace sallyport::control
