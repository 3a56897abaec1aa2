// A trace through the real pipeline: only the flow that was asked for, stage by stage, both ways.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "dataplane/app/capture_session.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

using dataplane::CaptureSession;
using dataplane::kTcpAck;
using dataplane::kTcpSyn;
using dataplane::TracedFlow;
using nlohmann::json;

class TraceTest : public ::testing::Test {
 protected:
  void trace(const IpAddress& source, const IpAddress& destination, std::uint16_t port) {
    for (const char* name : {"lan1", "lan2", "lan3", "wan"}) names_[world_.port_slot(name)] = name;
    session_.emplace(1, world_.now(), 1,
                     TracedFlow{{source, destination, 0, port, IpProtocol::kTcp}});
    world_.pipeline().exits().observe(&session_->filling(0));
  }
  json read() {
    session_->waiting(0).continue_from(session_->filling(0));
    world_.pipeline().exits().observe(&session_->waiting(0));
    const auto part = session_->take({world_.pipeline().tables(), names_, world_.now(), 0});
    EXPECT_TRUE(part.pcapng.empty());
    return part.rows;
  }
  std::vector<Frame> send(const char* from, const IpAddress& to, std::uint16_t port,
                          std::uint8_t flags = kTcpSyn) {
    const Host& sender = plant_hosts().at(from);
    return world_.receive(sender.port,
                          PacketBuilder({sender.mac, sender.address(to.version()), 40000},
                                        {world_.segment_mac(sender.segment), to, port})
                              .tcp(flags));
  }
  static std::string stages(const json& row) {
    std::string out;
    for (const json& step : row["steps"])
      out += (out.empty() ? "" : " ") + step["stage"].get<std::string>();
    return out;
  }
  static json step(const json& row, std::string_view stage) {
    for (const json& one : row["steps"])
      if (one["stage"] == stage) return one;
    return {};
  }

  PipelineWorld world_;
  std::map<dataplane::PortSlot, std::string> names_;
  std::optional<CaptureSession> session_;
};

TEST_F(TraceTest, OnlyTheFlowThatWasAskedForWithItsVerdicts) {
  const Host& plc = plant_hosts().at("plc");
  const Host& scada = plant_hosts().at("scada");
  trace(scada.v4, plc.v4, 0);
  send("scada", plc.v4, 502);
  send("scada", plc.v4, 503);
  send("scada", plc.v6, 502);
  send("meter", plc.v4, 502);
  send("scada", *IpAddress::parse("10.30.0.1"), 502);
  const json rows = read();
  ASSERT_EQ(rows.size(), 2U) << rows.dump(1);
  EXPECT_EQ(rows[0]["packet"], "tcp 10.30.0.5:40000 > 10.20.0.5:502 [S]");
  EXPECT_EQ(rows[0]["decision"], "allow");
  EXPECT_EQ(rows[0]["rule"], "scada-plc");
  EXPECT_EQ(rows[0]["in"], "lan3");
  EXPECT_EQ(rows[0]["out"], "lan1");
  EXPECT_EQ(stages(rows[0]), "parse bind flow classify forward");
  EXPECT_EQ(step(rows[0], "bind")["outcome"], "scada");
  EXPECT_EQ(step(rows[0], "flow")["outcome"], "opened");
  EXPECT_EQ(rows[1]["reason"], "default-deny");
  EXPECT_EQ(stages(rows[1]), "parse bind classify drop");
}

TEST_F(TraceTest, AnswersAndWhatWasRewrittenBelongToIt) {
  const Host& cloud = plant_hosts().at("cloud");
  const IpAddress gateway = *IpAddress::parse("192.0.2.2");
  trace(cloud.v4, gateway, 802);
  const auto left = send("cloud", gateway, 802);
  ASSERT_EQ(left.size(), 1U);
  ASSERT_EQ(left[0].where, "host:uplink");
  json rows = read();
  ASSERT_EQ(rows.size(), 1U);
  const std::string rewritten = step(rows[0], "rewrite")["detail"];
  ASSERT_EQ(rewritten.rfind("destination becomes 192.0.2.2:", 0), 0U) << rewritten;
  EXPECT_EQ(rows[0]["out"], "host:uplink");
  const auto listener = static_cast<std::uint16_t>(std::stoi(rewritten.substr(30)));
  // The stack answers from the port that the client never saw; another one is not of this flow.
  for (const std::uint16_t from : {listener, static_cast<std::uint16_t>(listener + 1)})
    world_.receive_from_host("uplink",
                             PacketBuilder({world_.segment_mac("uplink"), gateway, from},
                                           {MacAddress({2, 0x53, 0x50, 0, 0, 1}), cloud.v4, 40000})
                                 .tcp(kTcpSyn | kTcpAck));
  rows = read();
  ASSERT_EQ(rows.size(), 1U) << rows.dump(1);
  EXPECT_EQ(rows[0]["in"], "host:uplink");
  EXPECT_EQ(rows[0]["decision"], "waits") << "for the cloud's MAC";
  EXPECT_EQ(step(rows[0], "rewrite")["detail"], "source becomes 192.0.2.2:802");
}

TEST_F(TraceTest, AFloodOfOthersPushesNothingOut) {
  const Host& plc = plant_hosts().at("plc");
  trace(plant_hosts().at("scada").v4, plc.v4, 503);
  send("scada", plc.v4, 503);
  for (std::size_t i = 0; i < 3 * dataplane::Capture::kSlots; ++i)
    send("meter", plc.v4, static_cast<std::uint16_t>(1000 + i));
  EXPECT_EQ(read().size(), 1U);
}

}  // namespace
}  // namespace sallyport::testing
