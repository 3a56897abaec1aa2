// A burst is its packets, one after the other: what leaves, what is counted and which flows are
// open are the same, and packets of one flow keep their order.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

using dataplane::kTcpAck;
using dataplane::kTcpSyn;
using Bytes = std::vector<std::uint8_t>;

// Enrolled devices that open flows, answer, and send what is denied; other kinds of frames between.
Bytes some_frame(std::mt19937& random, const PipelineWorld& world, const char* from) {
  const Host& sender = plant_hosts().at(from);
  const Host& other = plant_hosts().at(random() % 2 == 0 ? "plc" : "scada");
  const auto port = static_cast<std::uint16_t>(random() % 2 == 0 ? 502 : 40'000 + random() % 4);
  const auto own = static_cast<std::uint16_t>(random() % 2 == 0 ? 502 : 40'000 + random() % 4);
  const IpVersion version = random() % 2 == 0 ? IpVersion::k4 : IpVersion::k6;
  const PacketBuilder builder({sender.mac, sender.address(version), own},
                              {world.segment_mac(sender.segment), other.address(version), port});
  switch (random() % 6) {
    case 0:
      return builder.udp();
    case 1:
      return builder.echo(true);
    case 2:
      return builder.neighbour_question();
    case 3:
      return builder.tcp(kTcpAck);
    case 4:
      return builder.tcp(kTcpSyn | kTcpAck);
    default:
      return builder.tcp(kTcpSyn);
  }
}

std::map<std::string, std::vector<Bytes>> by_exit(const std::vector<Frame>& frames) {
  std::map<std::string, std::vector<Bytes>> out;
  for (const Frame& frame : frames) out[frame.where].push_back(frame.bytes);
  return out;
}

TEST(Burst, IsItsPackets) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  PipelineWorld one;
  PipelineWorld many;
  std::uint64_t forwarded = 0;
  for (int round = 0; round < 300; ++round) {
    const char* from = round % 2 == 0 ? "scada" : "plc";
    std::vector<Bytes> burst(1 + random() % dataplane::Pipeline::kMaxBurst);
    std::ranges::generate(burst, [&] { return some_frame(random, one, from); });
    const std::string& port = plant_hosts().at(from).port;
    std::vector<Frame> apart;
    for (const Bytes& frame : burst)
      for (Frame& out : one.receive(port, ConstBytes(frame))) apart.push_back(std::move(out));
    auto together = by_exit(many.receive(port, std::span<const Bytes>(burst)));
    auto expected = by_exit(apart);
    // What is no flow's may overtake flows within its burst: as sets, whatever the order.
    for (auto* exits : {&expected, &together})
      for (auto& [where, frames] : *exits) std::ranges::sort(frames);
    ASSERT_EQ(together, expected) << "round " << round;
    const dataplane::Counters& a = one.pipeline().counters();
    const dataplane::Counters& b = many.pipeline().counters();
    ASSERT_EQ(a.drops, b.drops);
    ASSERT_EQ(a.forwarded, b.forwarded);
    ASSERT_EQ(one.pipeline().flows().size(), many.pipeline().flows().size());
    forwarded = a.forwarded;
    one.wait(std::chrono::milliseconds(20));
    many.wait(std::chrono::milliseconds(20));
  }
  EXPECT_GT(forwarded, 500U);
}

TEST(Burst, PacketsOfOneFlowKeepTheirOrder) {
  PipelineWorld world;
  const Host& meter = plant_hosts().at("meter");
  const Host& plc = plant_hosts().at("plc");
  std::vector<Bytes> burst;
  for (std::uint8_t i = 0; i < dataplane::Pipeline::kMaxBurst; ++i)
    burst.push_back(
        PacketBuilder({meter.mac, meter.v4, 40'000}, {world.segment_mac("field"), plc.v4, 5683})
            .payload({i})
            .udp());
  const auto left = world.receive("lan2", std::span<const Bytes>(burst));
  ASSERT_EQ(left.size(), burst.size());
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i].bytes.at(42), i);
}

// The SYN that opens a flow and the packets that need it, in one burst.
TEST(Burst, AFlowMayBeOpenedAndUsedWithinIt) {
  PipelineWorld world;
  const Host& scada = plant_hosts().at("scada");
  const Host& plc = plant_hosts().at("plc");
  const PacketBuilder builder({scada.mac, scada.v4, 40'000},
                              {world.segment_mac("office"), plc.v4, 502});
  const std::vector<Bytes> burst = {builder.tcp(kTcpSyn), builder.tcp(kTcpSyn),
                                    builder.tcp(kTcpAck)};
  EXPECT_EQ(world.receive("lan3", std::span<const Bytes>(burst)).size(), 2U);
  EXPECT_EQ(world.pipeline().counters().drop_count(Drop::kBadTcpState), 1U);
  EXPECT_EQ(world.pipeline().flows().size(), 1U);
}

}  // namespace
}  // namespace sallyport::testing
