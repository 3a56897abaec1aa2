// Real host stacks at both ends of the real packet path: what is cut and merged on the way arrives
// byte for byte, and what is on the wire in between is what any Ethernet would carry. Needs root.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/tap_rig.h"

namespace sallyport::testing {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

// Byte `at` of what is sent; its period is no power of two and no segment's size.
std::uint8_t byte_at(std::size_t at) { return static_cast<std::uint8_t>(at * 167 + at / 4093); }

bool send_all(int fd, std::size_t from, std::size_t size) {
  std::vector<std::uint8_t> bytes(256 * 1024);
  for (std::size_t at = from; at < from + size;) {
    const std::size_t some = std::min(bytes.size(), from + size - at);
    for (std::size_t i = 0; i < some; ++i) bytes[i] = byte_at(at + i);
    for (std::size_t done = 0; done < some;) {
      const ssize_t sent = ::send(fd, bytes.data() + done, some - done, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += static_cast<std::size_t>(sent);
    }
    at += some;
  }
  return true;
}
// How many bytes arrived before the first that is wrong or missing.
std::size_t receive_all(int fd, std::size_t from, std::size_t size) {
  std::vector<std::uint8_t> bytes(256 * 1024);
  std::size_t at = from;
  while (at < from + size) {
    const ssize_t came = ::recv(fd, bytes.data(), std::min(bytes.size(), from + size - at), 0);
    if (came <= 0) break;
    for (ssize_t i = 0; i < came; ++i, ++at)
      if (bytes[static_cast<std::size_t>(i)] != byte_at(at)) return at - from;
  }
  return at - from;
}
std::size_t transfer(int from, int to, std::size_t size) {
  std::thread sender([&] { send_all(from, 0, size); });
  const std::size_t arrived = receive_all(to, 0, size);
  if (arrived != size) ::shutdown(from, SHUT_RDWR);
  sender.join();
  return arrived;
}

class TapKernel : public ::testing::TestWithParam<IpVersion> {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root for network namespaces";
  }
  static void expect_clean_wire(TapRig& rig) {
    rig.stop();
    EXPECT_EQ(rig.wire().complaint(), "");
    EXPECT_GT(rig.wire().carried(), 0U);
    for (const auto* taps : {&rig.gateway_taps(), &rig.peer_taps()}) {
      EXPECT_EQ(taps->to_host_failed, 0U);
      EXPECT_EQ(taps->from_host_dropped, 0U);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Versions, TapKernel, ::testing::Values(IpVersion::k4, IpVersion::k6),
                         [](const auto& p) { return p.param == IpVersion::k4 ? "IPv4" : "IPv6"; });

TEST_P(TapKernel, BulkIsCutAndMergedOnItsWayAndArrivesWhole) {
  TapRig rig({.faults = {.inspect = true}});
  const Connection c = connect(rig, GetParam());
  const auto& taps = rig.gateway_taps();
  ASSERT_EQ(transfer(c.client.get(), c.server.get(), 32 * kMegabyte), 32 * kMegabyte);
  // Many segments to a super-frame; a stack that is asked for little may send single ones too.
  EXPECT_GT(taps.from_host_supers, 100U);
  EXPECT_GT(taps.from_host_cut, taps.from_host_supers * 4);
  ASSERT_EQ(transfer(c.server.get(), c.client.get(), 32 * kMegabyte), 32 * kMegabyte);
  EXPECT_GT(taps.to_host_supers, 100U);
  EXPECT_GT(taps.to_host_merged, taps.to_host_supers * 2);
  EXPECT_GT(taps.to_host_merged, 32 * kMegabyte / 1500 / 2);
  expect_clean_wire(rig);
}

TEST_P(TapKernel, WhatIsLostAndOutOfOrderIsSentAgainAndArrivesWhole) {
  TapRig rig({.faults = {.inspect = true, .loss = 0.005, .swaps = 0.01}});
  const Connection c = connect(rig, GetParam());
  ASSERT_EQ(transfer(c.client.get(), c.server.get(), 4 * kMegabyte), 4 * kMegabyte);
  ASSERT_EQ(transfer(c.server.get(), c.client.get(), 4 * kMegabyte), 4 * kMegabyte);
  EXPECT_GT(rig.gateway_taps().from_host_supers, 0U);
  EXPECT_GT(rig.gateway_taps().to_host_supers, 0U);
  rig.stop();
  EXPECT_EQ(rig.wire().complaint(), "");
  EXPECT_GT(rig.wire().lost(), 10U);
  EXPECT_GT(rig.wire().swapped(), 10U);
}

TEST_P(TapKernel, SmallMessagesPassBetweenBulk) {
  TapRig rig({.faults = {.inspect = true}});
  const Connection bulk = connect(rig, GetParam());
  const Connection chat = connect(rig, GetParam());
  const int yes = 1;
  for (const int fd : {chat.client.get(), chat.server.get()})
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  std::atomic<bool> over = false;
  std::atomic<std::size_t> exchanged = 0;
  std::thread chatter([&] {
    for (std::size_t at = 0; !over; ++exchanged) {
      const std::size_t size = 1 + exchanged % 100;
      if (!send_all(chat.client.get(), at, size) ||
          receive_all(chat.server.get(), at, size) != size)
        break;
      if (!send_all(chat.server.get(), at, size) ||
          receive_all(chat.client.get(), at, size) != size)
        break;
      at += size;
    }
  });
  // Both ways at once.
  std::size_t back = 0;
  std::thread other([&] { back = transfer(bulk.server.get(), bulk.client.get(), 16 * kMegabyte); });
  const std::size_t forth = transfer(bulk.client.get(), bulk.server.get(), 16 * kMegabyte);
  other.join();
  const std::size_t before = exchanged;
  EXPECT_TRUE(wait_until([&] { return exchanged > before + 20; }));
  over = true;
  chatter.join();
  EXPECT_EQ(forth, 16 * kMegabyte);
  EXPECT_EQ(back, 16 * kMegabyte);
  expect_clean_wire(rig);
}

TEST_P(TapKernel, APeerWithoutOffloadsIsMergedForAllTheSame) {
  TapRig rig({.faults = {.inspect = true}, .peer_offloads = false});
  const Connection c = connect(rig, GetParam());
  ASSERT_EQ(transfer(c.client.get(), c.server.get(), 8 * kMegabyte), 8 * kMegabyte);
  ASSERT_EQ(transfer(c.server.get(), c.client.get(), 8 * kMegabyte), 8 * kMegabyte);
  EXPECT_EQ(rig.peer_taps().from_host_supers + rig.peer_taps().to_host_supers, 0U);
  EXPECT_GT(rig.gateway_taps().from_host_supers, 0U);
  EXPECT_GT(rig.gateway_taps().to_host_supers, 0U);
  expect_clean_wire(rig);
}

TEST_P(TapKernel, AHostStackWhoseKernelRefusesOffloadsIsServedWithoutThem) {
  TapRig rig({.faults = {.inspect = true}, .host_offloads = false});
  const Connection c = connect(rig, GetParam());
  ASSERT_EQ(transfer(c.client.get(), c.server.get(), 8 * kMegabyte), 8 * kMegabyte);
  ASSERT_EQ(transfer(c.server.get(), c.client.get(), 8 * kMegabyte), 8 * kMegabyte);
  const auto& taps = rig.gateway_taps();
  EXPECT_EQ(taps.from_host_supers + taps.from_host_cut + taps.to_host_supers + taps.to_host_merged,
            0U);
  expect_clean_wire(rig);
}

// Another sender and receiver than ours.
TEST_P(TapKernel, Iperf3MovesBulkBothWays) {
  TapRig rig({.faults = {.inspect = true}});
  const std::string port = std::to_string(TapRig::kPort);
  const std::string address = TapRig::peer_address(GetParam()).to_string();
  const auto inside = [](const Namespace& where, std::vector<std::string> command) {
    command.insert(command.begin(), {"ip", "netns", "exec", where.name()});
    return command;
  };
  const Process server(inside(rig.peer(), {"iperf3", "--server", "--port", port}));
  const auto listening = inside(rig.peer(), {"ss", "-Hltn", "sport = :" + port});
  ASSERT_TRUE(wait_until([&] { return !run(listening).output.empty(); }));
  for (const bool backwards : {false, true}) {
    std::vector<std::string> client = {
        "iperf3", "--client",          address, "--port", port, "--json", "--bytes",
        "64M",    "--connect-timeout", "5000"};
    if (backwards) client.emplace_back("--reverse");
    Ran ran;
    // It serves one after the other, and says so to a second that comes too early.
    ASSERT_TRUE(wait_until([&] {
      ran = run(inside(rig.host(), client));
      return ran.status == 0 || ran.output.find("busy") == std::string::npos;
    }));
    ASSERT_EQ(ran.status, 0) << ran.output;
    const auto told = nlohmann::json::parse(ran.output);
    EXPECT_GE(told["end"]["sum_received"]["bytes"].get<double>(), 60e6) << ran.output;
  }
  EXPECT_GT(rig.gateway_taps().from_host_supers, 100U);
  EXPECT_GT(rig.gateway_taps().to_host_supers, 100U);
  expect_clean_wire(rig);
}

}  // namespace
}  // namespace sallyport::testing
