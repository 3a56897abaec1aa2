// Who is heard, and what happens to the rest.
#include <csignal>
#include <filesystem>
#include <random>

#include "policy/os/seqpacket.h"
#include "tests/system/setup/daemon.h"

namespace sallyport::testing {
namespace {

using wire::SetupOp;

bool exists(const std::string& name) { return std::filesystem::exists("/run/netns/" + name); }

TEST_F(SetupDaemon, StrangersAreNotHeard) {
  for (uid_t uid : {0U, 1U, 64003U, 65534U}) {
    EXPECT_FALSE(Client(socket_, uid).ask(record(SetupOp::kHello))) << uid;
    EXPECT_FALSE(
        Client(socket_, uid).ask(with_mac(record(SetupOp::kSegmentCreate, "field"), kTapMac)))
        << uid;
  }
  EXPECT_FALSE(exists(prefix_ + "field"));
}

TEST_F(SetupDaemon, TerminatorMayOpenSocketsAndNothingElse) {
  make_segment("field");
  for (unsigned op = 0; op <= 20; ++op) {
    const auto which = static_cast<SetupOp>(op);
    if (which == SetupOp::kHello || which == SetupOp::kOpenSocket || which == SetupOp::kOpenRing)
      continue;
    EXPECT_FALSE(Client(socket_, kTerminator).ask(record(which, "field"))) << op;
  }
  EXPECT_FALSE(Client(socket_, kTerminator)
                   .ask(with_mac(record(SetupOp::kSegmentCreate, "other"), kTapMac)));
  EXPECT_FALSE(exists(prefix_ + "other"));
  EXPECT_TRUE(exists(prefix_ + "field"));
}

TEST_F(SetupDaemon, ControlMayNotOpenSockets) {
  make_segment("field");
  EXPECT_FALSE(Client(socket_, kControl).ask(socket_record("field", 4, 1)));
}

TEST_F(SetupDaemon, GarbageOfEverySizeEndsItsConnectionAndNothingElse) {
  make_segment("field");
  Client bystander(socket_, kControl);
  ASSERT_TRUE(bystander.ask(record(SetupOp::kHello)));
  std::mt19937 random(20);  // fixed seed
  std::vector<std::size_t> sizes = {65536};
  for (std::size_t size = 1; size <= 256; ++size) sizes.push_back(size);
  for (std::size_t size : sizes) {
    std::vector<std::uint8_t> bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    EXPECT_FALSE(Client(socket_, kControl).send_bytes(bytes)) << size;
  }
  EXPECT_TRUE(bystander.ask(record(SetupOp::kHello)));
  EXPECT_EQ(control(record(SetupOp::kSegmentList)).detail, "field");
}

TEST_F(SetupDaemon, AWrongFieldIsAnsweredByName) {
  Client control_client(socket_, kControl);
  const auto reply =
      control_client.ask(with_mac(record(SetupOp::kSegmentCreate, "../../tmp/x"), kTapMac));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->error, EINVAL);
  EXPECT_EQ(reply->detail, "name");
  EXPECT_TRUE(control_client.ask(record(SetupOp::kHello))) << "the connection goes on";
}

TEST_F(SetupDaemon, ManyConnectionsDoNotLockOthersOut) {
  std::vector<Client> crowd;
  for (int i = 0; i < 40; ++i) crowd.emplace_back(socket_, 0U);
  // A full backlog says "try again", and so control does.
  EXPECT_TRUE(wait_until(
      [&] { return Client(socket_, kControl).ask(record(SetupOp::kHello)).has_value(); }));
}

TEST_F(SetupDaemon, CleanupRemovesWhatItMadeAndNothingElse) {
  make_segment("field");
  const Namespace bystander("bystander");
  daemon_->signal(SIGTERM);
  EXPECT_EQ(daemon_->wait(std::chrono::seconds(10)), 0);
  EXPECT_TRUE(exists(prefix_ + "field")) << "SIGTERM leaves them";
  cleanup();
  for (const char* name : {"field", "ports"}) EXPECT_FALSE(exists(prefix_ + name)) << name;
  EXPECT_TRUE(exists(bystander.name()));
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

}  // namespace
}  // namespace sallyport::testing
