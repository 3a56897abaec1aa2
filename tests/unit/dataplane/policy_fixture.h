// The plant of tests/support/pipeline_world.h, asked in one IP version or the other: every test of
// policy is a TEST_P of this fixture and runs twice.
#pragma once

#include <gtest/gtest.h>

#include "dataplane/stages/parse.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {

using dataplane::Headers;
using dataplane::kTcpAck;
using dataplane::kTcpFin;
using dataplane::kTcpRst;
using dataplane::kTcpSyn;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What the kernel writes there does not matter.
inline constexpr MacAddress kAnyMac({2, 0, 0, 0, 0, 9});

inline const Host& host(std::string_view name) { return plant_hosts().find(name)->second; }

inline Headers parsed(ConstBytes frame) {
  Headers h;
  EXPECT_FALSE(dataplane::parse_frame(frame, h)) << as_scapy(frame);
  return h;
}

// Every policy test runs for both IP versions.
class Policy : public ::testing::TestWithParam<IpVersion> {
 protected:
  IpVersion version() const { return GetParam(); }
  Party at(std::string_view name, std::uint16_t port = 0) const {
    const Host& h = host(name);
    return {h.mac, h.address(version()), port};
  }
  // As `from` sends it: to its router's MAC.
  Party via(std::string_view from, std::string_view to, std::uint16_t port) const {
    return {world_.segment_mac(host(from).segment), host(to).address(version()), port};
  }
  IpAddress own(std::string_view segment) const {
    const bool v4 = version() == IpVersion::k4;
    if (segment == "uplink") return *IpAddress::parse(v4 ? "192.0.2.2" : "2001:db8::2");
    if (segment == "office") return *IpAddress::parse(v4 ? "10.30.0.1" : "fd00:30::1");
    return *IpAddress::parse(v4 ? "10.20.0.1" : "fd00:20::1");
  }
  PacketBuilder packet(std::string_view from, std::uint16_t sport, std::string_view to,
                       std::uint16_t dport) const {
    return {at(from, sport), via(from, to, dport)};
  }
  std::vector<Frame> send(std::string_view from, const std::vector<std::uint8_t>& frame) {
    return world_.receive(host(from).port, frame);
  }
  void expect_out(const std::vector<Frame>& out, std::string_view port) {
    ASSERT_EQ(out.size(), 1U) << (world_.verdict().drop ? to_string(*world_.verdict().drop) : "");
    EXPECT_EQ(out[0].where, port) << as_scapy(out[0].bytes);
  }
  void expect_drop(const std::vector<Frame>& out, Drop reason) {
    EXPECT_TRUE(out.empty()) << out[0].where << ' ' << as_scapy(out[0].bytes);
    ASSERT_TRUE(world_.verdict().drop.has_value());
    EXPECT_EQ(to_string(*world_.verdict().drop), to_string(reason));
  }
  void open_tcp() {
    expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpSyn)), "lan1");
    expect_out(send("plc", packet("plc", 502, "scada", 40000).tcp(kTcpSyn | kTcpAck)), "lan3");
    expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)), "lan1");
  }
  PipelineWorld world_;
};

// Names the instances of a suite over IP versions.
inline std::string version_name(const ::testing::TestParamInfo<IpVersion>& param) {
  return param.param == IpVersion::k4 ? "Ipv4" : "Ipv6";
}
#define SALLYPORT_IN_BOTH_VERSIONS(Suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(BothVersions, Suite, ::testing::Values(IpVersion::k4, IpVersion::k6), \
                           version_name)

}  // namespace sallyport::testing
