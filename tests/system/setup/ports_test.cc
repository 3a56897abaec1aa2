// Ports: muted, raised last, given back. The wire's other end is a device that asks questions.
#include <array>
#include <csignal>

#include "tests/system/setup/daemon.h"

namespace sallyport::testing {
namespace {

using wire::SetupOp;

class SetupPorts : public SetupDaemon {
 protected:
  void SetUp() override {
    SetupDaemon::SetUp();
    if (!home_) return;
    device_.emplace("device" + prefix_);
    join(*device_, "eth0", *home_, "lan1");
    // What a port brings along from its former life.
    home_->ip({"address", "add", "10.20.0.9/24", "dev", "lan1"});
    home_->ip({"address", "add", "fd00:20::9/64", "dev", "lan1", "nodad"});
  }
  std::string link(const char* name) { return segment("ports").ip({"-o", "link", "show", name}); }
  static bool has(const std::string& text, const char* word) {
    return text.find(word) != std::string::npos;
  }
  std::optional<Namespace> device_;
};

TEST_F(SetupPorts, TakenPortIsMuteAndDown) {
  must(record(SetupOp::kPortTake, "lan1"));
  const std::string lan1 = link("lan1");
  EXPECT_TRUE(has(lan1, "NOARP")) << lan1;
  EXPECT_TRUE(has(lan1, "state DOWN")) << lan1;
  EXPECT_EQ(segment("ports").ip({"address", "show", "to", "0.0.0.0/0"}), "");
  EXPECT_EQ(segment("ports").ip({"-6", "address"}), "");
  EXPECT_EQ(segment("ports").sysctl("net/ipv6/conf/lan1/disable_ipv6"), "1");
  EXPECT_EQ(segment("ports").sysctl("net/ipv6/conf/all/disable_ipv6"), "1");
  EXPECT_EQ(segment("ports").sysctl("net/ipv4/ip_forward"), "0");
  const std::string offloads =
      must_run({"ip", "netns", "exec", prefix_ + "ports", "ethtool", "-k", "lan1"});
  for (const char* offload : {"generic-receive-offload: off", "large-receive-offload: off",
                              "rx-vlan-offload: off", "tx-vlan-offload: off"})
    EXPECT_TRUE(has(offloads, offload)) << offloads;
}

TEST_F(SetupPorts, RaisedPortSaysNothingAndAnswersNothing) {
  home_->ip({"link", "set", "lan1", "down"});
  Wire wire(*device_, "eth0");
  must(record(SetupOp::kPortTake, "lan1"));
  must(record(SetupOp::kPortUp, "lan1"));
  EXPECT_TRUE(has(link("lan1"), "state UP"));
  Wire port(segment("ports"), "lan1");
  // Who has its former address? An IPv6 question to everybody. A general MLD query would be the
  // third, but without IPv6 there is nobody to ask.
  const std::vector<std::uint8_t> arp = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0,  0, 0x20, 5, 8, 6, 0, 1, 8, 0,  6,  4, 0,
      1,    2,    0,    0,    0,    0x20, 5, 10, 20, 0, 5,    0, 0, 0, 0, 0, 0, 10, 20, 0, 9};
  wire.send(arp);
  device_->ip({"address", "add", "fd00:20::5/64", "dev", "eth0", "nodad"});
  const Ran ping = run({"ip", "netns", "exec", device_->name(), "ping", "-6", "-c", "2", "-i",
                        "0.2", "-W", "1", "fd00:20::9"});
  EXPECT_NE(ping.status, 0) << ping.output;
  EXPECT_TRUE(port.wait_for([&](const WireFrame& f) { return !f.outgoing && f.bytes == arp; }))
      << "the question did arrive";
  for (const WireFrame& frame : port.take()) EXPECT_FALSE(frame.outgoing);
  for (const WireFrame& frame : wire.take())
    EXPECT_TRUE(frame.outgoing) << "a frame came out of the port, type "
                                << static_cast<int>(frame.bytes[12]) << " "
                                << static_cast<int>(frame.bytes[13]);
}

TEST_F(SetupPorts, PortInServiceOutlivesSetup) {
  must(record(SetupOp::kPortTake, "lan1"));
  must(record(SetupOp::kPortUp, "lan1"));
  restart_after(SIGKILL);
  EXPECT_TRUE(has(link("lan1"), "state UP"));
  must(record(SetupOp::kPortTake, "lan1"));
  EXPECT_TRUE(has(link("lan1"), "state UP")) << "taking it again does not interrupt it";
  must(record(SetupOp::kPortDown, "lan1"));
  EXPECT_TRUE(has(link("lan1"), "state DOWN"));
}

TEST_F(SetupPorts, ReleasedPortIsBackAsItWas) {
  for (int round = 0; round < 2; ++round) must(record(SetupOp::kPortTake, "lan1"));
  for (int round = 0; round < 2; ++round) must(record(SetupOp::kPortRelease, "lan1"));
  const std::string lan1 = home_->ip({"-o", "link", "show", "lan1"});
  EXPECT_FALSE(has(lan1, "NOARP")) << lan1;
  EXPECT_EQ(control(record(SetupOp::kPortUp, "lan1")).error, ENODEV);
  EXPECT_EQ(control(record(SetupOp::kPortTake, "absent0")).error, ENODEV);
}

TEST_F(SetupPorts, CleanupGivesPortsBack) {
  must(record(SetupOp::kPortTake, "lan1"));
  daemon_->signal(SIGTERM);
  ASSERT_TRUE(daemon_->wait(std::chrono::seconds(10)));
  cleanup();
  EXPECT_TRUE(has(home_->ip({"-o", "link"}), "lan1"));
}

}  // namespace
}  // namespace sallyport::testing
