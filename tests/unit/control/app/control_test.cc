#include "control/app/control.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/control/app/control_world.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

TEST_F(ControlTest, AppliedRevisionIsInForceStoredShownAndAttributed) {
  const json applied = apply(kConfig);
  ASSERT_EQ(applied["ok"], true) << applied;
  EXPECT_EQ(applied["result"]["revision"], 1);
  EXPECT_EQ(dataplane_->in_force, 1U);
  EXPECT_EQ(control_->status()["state"], "in-force");
  const json revision = ask({{"op", "revision"}});
  EXPECT_EQ(revision["result"]["text"], kConfig) << "comments survive byte for byte";
  EXPECT_EQ(revision["result"]["user"], "root");
  EXPECT_EQ(ask({{"op", "show"}, {"what", "segments"}})["result"][0]["name"], "field");
  EXPECT_NE(read_file(run_ + "/control/dnsmasq-field.conf").find("interface=tap0"),
            std::string::npos);
}

TEST_F(ControlTest, MistakesChangeNothingAndAreListedWithPositions) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  const json refused = apply("version: 1\nports: {}\nsegmnts: {}\n");
  EXPECT_EQ(refused["code"], "config-invalid");
  EXPECT_EQ(refused["problems"].back()["line"], 3) << refused;
  for (const char* half : {"", "version: 1\nports: { lan1: {", "\x01"})
    EXPECT_EQ(apply(half)["ok"], false) << half;
  EXPECT_EQ(control_->status()["revision"], 1);
  EXPECT_EQ(dataplane_->in_force, 1U);
}

TEST_F(ControlTest, WithNothingInForceWhatIsBrokenLeavesNothingInForce) {
  for (const char* broken : {"", "version: 1\nports: { lan1: {", "# nothing\n", "ports: {}\n"}) {
    EXPECT_EQ(apply(broken)["code"], broken[0] == '\0' ? "memfd-bad-size" : "config-invalid")
        << broken;
    EXPECT_EQ(control_->status()["state"], "nothing-in-force");
  }
  EXPECT_EQ(dataplane_->in_force, 0U);
  EXPECT_EQ(dataplane_->prepared, 0U);
  start();
  EXPECT_EQ(control_->status()["state"], "nothing-in-force");
}

TEST_F(ControlTest, RefusalBySiblingKeepsTheOldRevisionAndSaysWhy) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  terminator_->refuse["prepare"] = "certificate-missing";
  const json refused = apply(std::string(kConfig) + "# changed\n");
  EXPECT_EQ(refused["code"], "certificate-missing");
  EXPECT_EQ(control_->status()["revision"], 1);
  EXPECT_EQ(ask({{"op", "history"}})["result"].size(), 1U);
}

TEST_F(ControlTest, AfterARestartTheConfirmedRevisionIsUsedNeverTheFile) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  std::ofstream(run_ + "/gateway.yaml") << kConfig << "# edited\n";
  dataplane_->disconnect();
  terminator_->disconnect();
  start();
  ASSERT_TRUE(until([&] { return control_->status()["state"] == "in-force"; }));
  EXPECT_EQ(control_->status()["revision"], 1);
  EXPECT_TRUE(until([&] { return control_->status()["file"]["state"] == "edited"; }));
  EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], kConfig);
}

TEST_F(ControlTest, ForeignWriteToTheRevisionIsUndoneWithinASecondAndTold) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  ASSERT_NE(test::run_program({"ovsdb-client", "transact", server_.remote(),
                               R"(["Sallyport",{"op":"update","table":"Revision","where":[],
                                   "row":{"text":"version: 1","user":"nobody"}}])"}),
            "");
  const Millis written = Loop::now();
  ASSERT_TRUE(until([&] {
    const json events = ask({{"op", "show"}, {"what", "events"}});
    for (const json& event : events["result"])
      if (event["kind"] == "foreign-write") return true;
    return false;
  }));
  EXPECT_LT(Loop::now() - written, Millis(1000));
  ASSERT_TRUE(until([&] {
    return test::run_program({"ovsdb-client", "dump", server_.remote(), "Revision", "user"})
               .find("nobody") == std::string::npos;
  }));
  EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], kConfig);
}

TEST_F(ControlTest, RollbackBringsAnOlderTextBackAsANewRevision) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  ASSERT_EQ(apply(std::string(kConfig) + "# second\n")["ok"], true);
  const json back = ask({{"op", "rollback"}, {"number", 1}});
  ASSERT_EQ(back["ok"], true) << back;
  EXPECT_EQ(back["result"]["revision"], 3);
  EXPECT_EQ(ask({{"op", "revision"}})["result"]["text"], kConfig);
}

TEST_F(ControlTest, OtherPortsNeedAYes) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  std::string other = kConfig;
  other.replace(other.find("net_null0"), 9, "net_null1");
  EXPECT_EQ(apply(other)["code"], "confirmation-needed");
  EXPECT_EQ(control_->status()["revision"], 1);
}

TEST_F(ControlTest, ExplainAsksTheDataplaneOrTheCandidate) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  dataplane_->answer = [](const wire::Query& query) {
    return "{\"asked\":\"" + query.arguments()->Get(0)->str() + "\"}";
  };
  EXPECT_EQ(ask({{"op", "explain"}, {"arguments", {"in=field"}}})["result"]["asked"], "in=field");
  const json candidate = ask({{"op", "explain"},
                              {"arguments",
                               {"in=field", "source=10.20.0.5", "destination=10.20.0.6",
                                "protocol=tcp", "destination_port=502"}}},
                             kConfig);
  EXPECT_EQ(candidate["result"]["decision"], "deny") << candidate;
}

TEST_F(ControlTest, GarbageOnTheSocketIsRefusedAndHarmsNobody) {
  ASSERT_EQ(apply(kConfig)["ok"], true);
  const auto socket = os::connect_to(run_ + "/control/socket");
  ASSERT_TRUE(socket);
  // One mebibyte in all, in datagrams of 60 KiB; control ends the connection at the first.
  const std::vector<std::uint8_t> garbage(60 * 1024, 0xa5);
  bool ended = false;
  for (int i = 0; i < 18 && !ended; ++i) {
    const auto sent = os::send_datagram(socket->get(), garbage);
    ended = !sent && sent.error().code == "socket-closed";
    until([] { return true; });
  }
  EXPECT_TRUE(ended);
  for (const char* text : {"[]", "{}", "{\"op\":5}", "{\"op\":\"no-such\"}", "null"})
    EXPECT_NE(ask(json::parse(text)).value("ok", false), true) << text;
  EXPECT_EQ(apply(std::string(kMaxConfigSize + 1, '#'))["ok"], false);
  EXPECT_EQ(control_->status()["state"], "in-force");
}

}  // namespace
}  // namespace sallyport::control
