// Confirmed commits: what is not confirmed goes back by itself, whatever else happens meanwhile.
#include <gtest/gtest.h>

#include "policy/os/seqpacket.h"
#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;
using std::chrono::seconds;

const std::string kOld = kConfig;
const std::string kNew = std::string(kConfig) + "# tried\n";

class ConfirmTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    set_boot_clock();
    ASSERT_EQ(apply(kOld)["ok"], true);
  }
  json try_out(std::uint64_t window = 60) {
    return ask({{"op", "apply"}, {"confirm_within", window}}, kNew);
  }
  std::string text_in_force() { return ask({{"op", "revision"}})["result"]["text"]; }
};

TEST_F(ConfirmTest, UnconfirmedRevisionGoesBackByItselfLoudlyAndWithoutARestart) {
  const json tried = try_out();
  ASSERT_EQ(tried["ok"], true) << tried;
  EXPECT_EQ(tried["result"]["confirm_within"], 60);
  EXPECT_TRUE(everywhere(2));
  EXPECT_EQ(control_->status()["unconfirmed"]["revision"], 2);
  boot_now_ += seconds(59);
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(200)));
  boot_now_ += seconds(1);
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), kOld);
  EXPECT_FALSE(control_->status().contains("unconfirmed"));
  EXPECT_EQ(events("revision-unconfirmed").size(), 1U);
  EXPECT_EQ(events("revision-reverting").size(), 1U);
  const json all = history();
  EXPECT_EQ(all[1]["state"], "reverted");
  EXPECT_EQ(all[2]["user"], "sallyport-control");
  EXPECT_EQ(all[2]["state"], "confirmed");
  EXPECT_TRUE(events("foreign-write").empty());
}

TEST_F(ConfirmTest, ConfirmedInTimeItStays) {
  ASSERT_EQ(try_out()["ok"], true);
  const json confirmed = ask({{"op", "confirm"}});
  ASSERT_EQ(confirmed["ok"], true) << confirmed;
  EXPECT_EQ(confirmed["result"]["revision"], 2);
  boot_now_ += seconds(3600);
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(300)));
  EXPECT_EQ(history()[1]["state"], "confirmed");
  EXPECT_EQ(history()[1]["confirmed_by"], "root");
  EXPECT_EQ(ask({{"op", "confirm"}})["code"], "nothing-to-confirm");
  EXPECT_EQ(json::parse(read_file(server_.folder() + "/recovery.json"))["number"], 2);
  // Also after a restart.
  start();
  EXPECT_TRUE(everywhere(2));
}

TEST_F(ConfirmTest, TheWindowGoesOnWhenControlIsRestarted) {
  ASSERT_EQ(try_out()["ok"], true);
  boot_now_ += seconds(30);
  start();
  ASSERT_TRUE(everywhere(2));
  EXPECT_EQ(control_->status()["unconfirmed"]["seconds_left"], 30);
  boot_now_ += seconds(31);
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), kOld);
}

TEST_F(ConfirmTest, AWindowThatEndedWhileControlWasDownEndsAtItsStart) {
  ASSERT_EQ(try_out()["ok"], true);
  control_.reset();
  boot_now_ += seconds(61);
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), kOld);
  EXPECT_EQ(events("revision-reverted").size(), 1U);
  EXPECT_EQ(history()[1]["state"], "reverted");
}

TEST_F(ConfirmTest, AfterAnotherStartOfTheMachineTheConfirmedOneIsUsed) {
  ASSERT_EQ(try_out(100'000)["ok"], true);
  control_.reset();
  settings_.boot_id = "the next boot";
  boot_now_ = Millis(5000);
  start();
  ASSERT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), kOld);
}

TEST_F(ConfirmTest, NobodyMovesTheDeadlineBySettingTheClock) {
  settings_.wall_clock = [this] { return wall_now_; };
  start();
  ASSERT_TRUE(everywhere(1));
  ASSERT_EQ(try_out()["ok"], true);
  for (const std::int64_t shift : {3600, -7200}) {
    wall_now_ += shift;
    EXPECT_FALSE(until([&] { return dataplane_->in_force != 2; }, Millis(200)));
  }
  boot_now_ += seconds(60);
  EXPECT_TRUE(everywhere(3));
}

TEST_F(ConfirmTest, GoingBackNeedsNoDatabase) {
  ASSERT_EQ(try_out()["ok"], true);
  server_.stop();
  ASSERT_TRUE(until([&] { return control_->status()["database"]["connected"] == false; }));
  boot_now_ += seconds(61);
  ASSERT_TRUE(until([&] { return dataplane_->in_force == 3 && terminator_->in_force == 3; }));
  server_.start();
  ASSERT_TRUE(until([&] { return control_->status()["database"]["settled"] == true; }));
  ASSERT_TRUE(until([&] { return stored_texts().size() == 2; }));
  EXPECT_EQ(stored_texts()[3], kOld);
}

TEST_F(ConfirmTest, ASiblingThatIsAwayIsGivenTheOldTextWhenItComes) {
  ASSERT_EQ(try_out()["ok"], true);
  terminator_->die();
  ASSERT_TRUE(until([&] { return control_->status()["processes"][2]["connected"] == false; }));
  boot_now_ += seconds(61);
  ASSERT_TRUE(until([&] { return dataplane_->in_force == 3; }))
      << "the one that is there does not wait for the other";
  terminator_->listen();
  EXPECT_TRUE(everywhere(3));
}

TEST_F(ConfirmTest, ARefusalToGoBackIsToldAndTriedAgain) {
  ASSERT_EQ(try_out()["ok"], true);
  terminator_->refuse["prepare"] = "credential-missing";
  boot_now_ += seconds(61);
  ASSERT_TRUE(until([&] { return !events("revert-failed").empty(); }));
  EXPECT_EQ(control_->status()["revision"], 2) << "both keep what they have";
  terminator_->refuse.clear();
  boot_now_ += Confirmation::kRetry;
  EXPECT_TRUE(until(
      [&] { return terminator_->in_force == dataplane_->in_force && terminator_->in_force > 2; }));
  EXPECT_EQ(text_in_force(), kOld);
}

TEST_F(ConfirmTest, RollbackGoesBackAtOnceInTheNameOfWhoAsked) {
  ASSERT_EQ(try_out()["ok"], true);
  const json back = ask({{"op", "rollback"}});
  ASSERT_EQ(back["ok"], true) << back;
  EXPECT_TRUE(everywhere(3));
  EXPECT_EQ(text_in_force(), kOld);
  EXPECT_EQ(history()[2]["user"], "root");
  // And once more: the one that was never confirmed is not what one goes back to.
  EXPECT_EQ(ask({{"op", "rollback"}, {"number", 2}})["code"], "no-such-revision");
  EXPECT_EQ(ask({{"op", "rollback"}})["code"], "no-such-revision");
}

TEST_F(ConfirmTest, ARollbackToAnOlderOneEndsTheWindowToo) {
  ASSERT_EQ(apply(kOld + "# second\n")["ok"], true);
  ASSERT_EQ(try_out()["ok"], true);
  ASSERT_EQ(ask({{"op", "rollback"}, {"number", 1}})["ok"], true);
  EXPECT_EQ(text_in_force(), kOld);
  boot_now_ += seconds(61);
  EXPECT_FALSE(until([&] { return dataplane_->in_force != 4; }, Millis(200)));
}

TEST_F(ConfirmTest, ConfirmingWithoutADatabaseIsTrueAfterARestartToo) {
  ASSERT_EQ(try_out()["ok"], true);
  server_.stop();
  ASSERT_TRUE(until([&] { return control_->status()["database"]["connected"] == false; }));
  const json confirmed = ask({{"op", "confirm"}});
  EXPECT_EQ(confirmed["ok"], true) << confirmed;
  EXPECT_NE(confirmed["result"].value("note", ""), "") << "it says that the database has it not";
  control_.reset();  // the confirmation is in the recovery copy alone
  boot_now_ += seconds(61);
  server_.start();
  start();
  EXPECT_TRUE(everywhere(2));
  EXPECT_EQ(history()[1]["state"], "confirmed");
}

// A database that stands still: what is being written down is finished first.
TEST_F(ConfirmTest, NobodyCommitsWhileAConfirmationIsBeingStored) {
  ASSERT_EQ(try_out()["ok"], true);
  ASSERT_TRUE(until([&] { return control_->status()["database"]["settled"] == true; }));
  server_.freeze();
  const auto confirmer = os::connect_to(run_ + "/control/socket");
  const std::string body = R"({"op":"confirm"})";
  ASSERT_TRUE(os::send_datagram(confirmer->get(),
                                {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}));
  ASSERT_TRUE(until([&] { return !control_->status().contains("unconfirmed"); }));
  const json refused = apply(kOld + "# third\n");
  EXPECT_EQ(refused["code"], "busy") << refused;
  EXPECT_NE(refused.value("message", "").find("is confirming revision 2"), std::string::npos);
  server_.thaw();
  ASSERT_TRUE(until([&] { return apply(kOld + "# third\n")["ok"] == true; }));
  EXPECT_EQ(history()[1]["state"], "confirmed");
}

TEST_F(ControlTest, AFirstRevisionCannotBeTriedSinceThereIsNothingToGoBackTo) {
  EXPECT_EQ(ask({{"op", "apply"}, {"confirm_within", 60}}, kConfig)["code"],
            "nothing-to-go-back-to");
  EXPECT_EQ(control_->status()["revision"], 0);
}

TEST_F(ConfirmTest, AWindowIsBounded) { EXPECT_EQ(try_out(7 * 86'400 + 1)["code"], "bad-request"); }

}  // namespace
}  // namespace sallyport::control
