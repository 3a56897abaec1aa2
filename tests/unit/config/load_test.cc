#include "control/config/load.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "control/config/tree.h"
#include "tests/support/source_tree.h"

namespace sallyport::control {
namespace {

std::string read_source(const std::string& name) {
  std::ifstream file(source_path("tests/unit/config/" + name));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

// The first problem's code, or "" when the text loads.
std::string first_code(const std::string& text) {
  const auto loaded = load_config(text);
  return loaded ? "" : loaded.error().front().code;
}

class Example : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = load_config(read_source("example.yaml"));
    ASSERT_TRUE(loaded) << format_problems("example.yaml", loaded.error());
    gateway_ = *std::move(loaded);
  }
  model::Gateway gateway_;
};

TEST_F(Example, PortsAndSegmentsLoadInOrderWithPositions) {
  ASSERT_EQ(gateway_.ports.size(), 3U);
  EXPECT_EQ(gateway_.ports[1].device, "net_af_xdp0,iface=eth1");
  EXPECT_EQ(gateway_.ports[1].at, (model::Position{5, 3}));
  ASSERT_EQ(gateway_.segments.size(), 2U);
  const model::Segment& uplink = gateway_.segments[0];
  EXPECT_EQ(uplink.role, model::Role::kUplink);
  ASSERT_EQ(uplink.addresses.size(), 2U);
  EXPECT_EQ(uplink.addresses[1].address.to_string(), "2001:db8::2");
  EXPECT_EQ(uplink.addresses[1].subnet.to_string(), "2001:db8::/64");
  EXPECT_EQ(uplink.gateways.size(), 2U);
  EXPECT_EQ(gateway_.segments[1].services, model::kDhcp | model::kDns | model::kNtp);
  EXPECT_EQ(gateway_.segments[1].members, (std::vector<model::Member>{{"lan1", 0}, {"lan2", 0}}));
}

TEST_F(Example, DevicesLoad) {
  ASSERT_EQ(gateway_.devices.size(), 2U);
  const model::Device& press = gateway_.devices[0];
  EXPECT_EQ(press.name, "press4");
  EXPECT_EQ(press.where, (model::Member{"lan1", 0}));
  EXPECT_EQ(press.mac.to_string(), "02:00:00:00:20:05");
  EXPECT_EQ(press.addresses.size(), 2U);
}

TEST_F(Example, InboundConduitLoads) {
  ASSERT_EQ(gateway_.conduits.size(), 2U);
  const model::Conduit& conduit = gateway_.conduits[0];
  const auto& from = std::get<model::SegmentEnd>(conduit.from);
  EXPECT_EQ(from.segment, "uplink");
  ASSERT_EQ(from.prefixes.size(), 1U);
  EXPECT_EQ(std::get<model::DeviceEnd>(conduit.to).device, "press4");
  EXPECT_EQ(conduit.service.ports, (PortRange{502, 502}));
  ASSERT_TRUE(conduit.terminate);
  EXPECT_EQ(conduit.terminate->side, model::Side::kInbound);
  EXPECT_TRUE(conduit.terminate->listen_gateway);
  EXPECT_EQ(conduit.terminate->listen_port, 802);
  EXPECT_EQ(conduit.terminate->client_auth, model::ClientAuth::kRequired);
  EXPECT_EQ(conduit.terminate->client_ca, "plant-ca");
  ASSERT_TRUE(conduit.inspect.modbus);
  EXPECT_EQ(conduit.inspect.modbus->functions, (std::vector<std::uint8_t>{1, 2, 3, 4}));
  EXPECT_EQ(conduit.admission.rate_per_s, 200U);
  EXPECT_EQ(conduit.admission.per_device_per_s, 1U);
  ASSERT_TRUE(conduit.review);
  EXPECT_EQ(conduit.review->on_day, 20758);       // 2026-11-01
  EXPECT_EQ(conduit.review->expires_day, 21123);  // 2027-11-01
  EXPECT_EQ(conduit.at, (model::Position{14, 3}));
}

TEST_F(Example, OutboundConduitLoads) {
  const model::Conduit& conduit = gateway_.conduits[1];
  EXPECT_EQ(std::get<model::NameEnd>(conduit.to).name, "broker.example");
  ASSERT_TRUE(conduit.terminate);
  EXPECT_EQ(conduit.terminate->side, model::Side::kOutbound);
  EXPECT_EQ(conduit.terminate->server_name, "broker.example");
  EXPECT_EQ(conduit.terminate->server_port, 8883);
  EXPECT_EQ(conduit.terminate->server_ca, "cloud-ca");
  EXPECT_EQ(conduit.terminate->certificate, "gw-client");
}

TEST_F(Example, WhatSaysNothingOfTimeoutsHasNone) {
  for (const model::Conduit& conduit : gateway_.conduits) EXPECT_TRUE(conduit.timeouts.none());
}

// The configuration of one conduit with these timeouts, from the gateway to a device.
std::expected<model::Timeouts, model::Diagnostics> timeouts_of(const std::string& service,
                                                               const std::string& timeouts) {
  auto loaded = load_config(
      "version: 1\nports: { lan1: { device: d } }\n"
      "segments: { field: { ports: [lan1], address: [10.20.0.1/24] } }\n"
      "conduits: { a: { from: gateway, to: { segment: field }, service: " +
      service + ", timeouts: " + timeouts + " } }\n");
  if (!loaded) return std::unexpected(loaded.error());
  return loaded->conduits[0].timeouts;
}

TEST(Timeouts, AreSecondsByTheirClass) {
  using Seconds = std::array<std::uint32_t, kTimeoutClasses>;
  EXPECT_EQ(
      timeouts_of("tcp/502", "{ established: 15m, transitory: 30s, half-open: 10s }")->seconds,
      (Seconds{900, 30, 10, 0, 0}));
  EXPECT_EQ(timeouts_of("udp/5683", "{ udp: 2h }")->seconds, (Seconds{0, 0, 0, 7200, 0}));
  EXPECT_EQ(timeouts_of("icmp-echo", "{ icmp: 5s }")->seconds, (Seconds{0, 0, 0, 0, 5}));
  EXPECT_EQ(timeouts_of("ntp", "{}")->seconds, Seconds{});
}

// Each class at both of its bounds, and one beyond.
TEST(Timeouts, AreBounded) {
  for (const TimeoutInfo& info : kTimeouts) {
    const std::string service = info.protocol == IpProtocol::kTcp   ? "tcp/502"
                                : info.protocol == IpProtocol::kUdp ? "udp/502"
                                                                    : "icmp-echo";
    const auto fits = [&](std::uint32_t seconds) {
      return timeouts_of(service,
                         "{ " + std::string(info.name) + ": " + std::to_string(seconds) + "s }")
          .has_value();
    };
    EXPECT_FALSE(fits(info.least_s - 1)) << info.name;
    EXPECT_TRUE(fits(info.least_s)) << info.name;
    EXPECT_TRUE(fits(info.usual_s)) << info.name;
    EXPECT_TRUE(fits(info.most_s)) << info.name;
    EXPECT_FALSE(fits(info.most_s + 1)) << info.name;
  }
}

TEST(Timeouts, AreWrittenInTheLargestUnitThatLeavesNothingOver) {
  EXPECT_EQ(duration_text(7440), "124m");
  EXPECT_EQ(duration_text(64'800), "18h");
  EXPECT_EQ(duration_text(90), "90s");
  EXPECT_EQ(duration_text(0), "0s");
}

TEST_F(Example, VirtualRangesHaveDefaults) {
  ASSERT_EQ(gateway_.virtual_ranges.size(), 2U);
  EXPECT_EQ(gateway_.virtual_ranges[0].to_string(), "198.18.0.0/15");
}

TEST(Bounds, FileAboveTheBoundIsRefused) {
  EXPECT_EQ(first_code(std::string(kMaxConfigSize + 1, '#')), "too-large");
  EXPECT_NE(first_code(std::string(kMaxConfigSize, '#')), "too-large");
}

TEST(Bounds, DeepNestingIsRefusedAndDoesNotRecurse) {
  EXPECT_EQ(first_code("ports: " + std::string(100'000, '[')), "too-deep");
  EXPECT_EQ(first_code(std::string(100'000, '{')), "too-deep");
  std::string block;
  for (int i = 0; i < 1000; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(first_code(block), "too-deep");
}

TEST(Bounds, ManyValuesAreRefused) {
  std::string text = "devices: [";
  for (std::size_t i = 0; i < kMaxConfigNodes + 10; ++i) text += "a,";
  EXPECT_EQ(first_code(text + "]"), "too-many-values");
}

TEST(Bounds, AliasBombIsRefusedAtItsFirstAnchor) {
  EXPECT_EQ(first_code("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"), "anchor");
}

TEST(Bounds, ProblemsAreBoundedAndTheRestCounted) {
  std::string text = "version: 1\nports: {}\nsegments: {}\n";
  for (int i = 0; i < 200; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const auto loaded = load_config(text);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().size(), kMaxProblems + 1);
  EXPECT_EQ(loaded.error().back().message, "150 more errors are not shown");
}

TEST(Bounds, HalfWrittenFilesNeverLoadAsSomethingElse) {
  const std::string whole = read_source("example.yaml");
  const auto full = load_config(whole);
  ASSERT_TRUE(full);
  // A prefix fails, holds fewer conduits, or lost the last one's review: then that one denies.
  for (std::size_t size = 0; size + 40 < whole.size(); size += 7) {
    const auto loaded = load_config(std::string_view(whole).substr(0, size));
    if (!loaded || loaded->conduits.size() < full->conduits.size()) continue;
    EXPECT_FALSE(loaded->conduits.back().review) << size;
  }
}

TEST(Vlans, MembersMayNameAVlan) {
  const auto loaded = load_config(R"(
version: 1
ports: { lan1: { device: "net_null0" } }
segments: { field: { ports: [lan1.20, lan1], address: 10.20.0.1/24 } }
devices: { a: { segment: field, port: lan1.20, mac: "02:00:00:00:00:01", address: 10.20.0.5 } }
)");
  ASSERT_TRUE(loaded) << format_problems("", loaded.error());
  EXPECT_EQ(loaded->segments[0].members, (std::vector<model::Member>{{"lan1", 20}, {"lan1", 0}}));
  EXPECT_EQ(loaded->devices[0].where, (model::Member{"lan1", 20}));
}

}  // namespace
}  // namespace sallyport::control
