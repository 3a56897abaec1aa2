// A capture through the real pipeline: what each packet became, in parts that continue each other.
#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/app/capture_session.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

using dataplane::CaptureSession;
using dataplane::kTcpAck;
using dataplane::kTcpSyn;
using dataplane::QueryContext;

struct Shown {
  std::string interface;
  std::string comment;
  std::size_t size = 0;
};

std::uint32_t u32(ConstBytes b, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, b.data() + at, sizeof value);
  return value;
}
// The text of option `code` in a block's options.
std::string option(ConstBytes options, std::uint16_t code) {
  while (options.size() >= 4) {
    const auto found = static_cast<std::uint16_t>(u32(options, 0) & 0xffff);
    const std::size_t size = u32(options, 0) >> 16;
    if (found == code) return {reinterpret_cast<const char*>(options.data()) + 4, size};
    options = options.subspan(std::min(options.size(), 4 + (size + 3) / 4 * 4));
  }
  return {};
}

class CaptureTest : public ::testing::Test {
 protected:
  explicit CaptureTest(std::size_t workers = 1)
      : world_(workers, plant()), session_(1, world_.now(), workers) {
    for (const char* port : {"lan1", "lan2", "lan3", "wan"}) names_[world_.port_slot(port)] = port;
    for (std::size_t i = 0; i < workers; ++i)
      world_.pipeline_of(i).exits().observe(&session_.filling(i));
  }
  // As the daemon reads: each worker goes over to the other buffer, the full ones are written out.
  std::vector<Shown> read() {
    for (std::size_t i = 0; i < world_.workers(); ++i) {
      session_.waiting(i).continue_from(session_.filling(i));
      world_.pipeline_of(i).exits().observe(&session_.waiting(i));
    }
    return show(session_.take(context()));
  }
  QueryContext context() { return {world_.pipeline().tables(), names_, world_.now(), 0}; }
  std::vector<Shown> show(const CaptureSession::Part& part) {
    part_ = part;
    stream_.insert(stream_.end(), part.pcapng.begin(), part.pcapng.end());
    std::vector<Shown> out;
    ConstBytes rest = ConstBytes(stream_).subspan(read_);
    while (!rest.empty()) {
      const std::uint32_t size = u32(rest, 4);
      const ConstBytes block = rest.first(size);
      if (u32(block, 0) == 1) interfaces_.push_back(option(block.subspan(16), 2));
      if (u32(block, 0) == 6) {
        const std::uint32_t kept = u32(block, 20);
        out.push_back({interfaces_.at(u32(block, 8)),
                       option(block.subspan(28 + (kept + 3) / 4 * 4), 1), kept});
      }
      rest = rest.subspan(size);
    }
    read_ = stream_.size();
    return out;
  }
  std::vector<std::uint8_t> syn(std::uint16_t from, std::uint16_t to) const {
    const Host& scada = plant_hosts().at("scada");
    const Host& plc = plant_hosts().at("plc");
    return PacketBuilder({scada.mac, scada.v4, from}, {world_.segment_mac("office"), plc.v4, to})
        .tcp(kTcpSyn);
  }

  PipelineWorld world_;
  std::map<dataplane::PortSlot, std::string> names_;
  CaptureSession session_;
  CaptureSession::Part part_;
  std::vector<std::uint8_t> stream_;
  std::size_t read_ = 0;
  std::vector<std::string> interfaces_;
};

TEST_F(CaptureTest, EachPacketCarriesItsVerdict) {
  world_.receive("lan3", syn(40000, 502));
  world_.receive("lan3", syn(40000, 503));
  const auto shown = read();
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[0].interface, "lan3");
  EXPECT_EQ(shown[0].comment,
            "allow to lan1 by scada-plc; stages: parse bind flow classify forward");
  EXPECT_EQ(shown[1].comment, "drop default-deny; stages: parse bind classify drop");
  EXPECT_EQ(shown[0].size, 54U) << "as it came";
}

TEST_F(CaptureTest, PartsContinueEachOther) {
  for (int i = 0; i < 5; ++i) {
    world_.receive("lan3", syn(static_cast<std::uint16_t>(40000 + i), 502));
    EXPECT_EQ(read().size(), 1U) << i;
  }
  EXPECT_TRUE(read().empty());
  EXPECT_EQ(interfaces_, std::vector<std::string>{"lan3"}) << "described once";
}

TEST_F(CaptureTest, WhatTheGatewayMakesItselfIsShownAsItLeaves) {
  world_.wait(dataplane::Pipeline::kRestartGrace / 2);
  const Host& scada = plant_hosts().at("scada");
  const Host& plc = plant_hosts().at("plc");
  world_.receive("lan3", PacketBuilder({scada.mac, scada.v4, 40000},
                                       {world_.segment_mac("office"), plc.v4, 502})
                             .tcp(kTcpAck));
  const auto shown = read();
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_TRUE(shown[0].comment.starts_with("drop mid-stream;")) << shown[0].comment;
  EXPECT_TRUE(shown[1].comment.starts_with("sent to lan3 by builtin:restart-reset;"))
      << shown[1].comment;
}

TEST_F(CaptureTest, APacketThatWaitsIsUndecidedAndShownAgainWhenItLeaves) {
  const Host& meter = plant_hosts().at("meter");
  const Host& cloud = plant_hosts().at("cloud");
  world_.receive("lan2", PacketBuilder({meter.mac, meter.v4, 40000},
                                       {world_.segment_mac("field"), cloud.v4, 8883})
                             .tcp(kTcpSyn));
  auto shown = read();
  ASSERT_EQ(shown.size(), 2U) << "the packet, and the question for its next hop";
  EXPECT_EQ(shown[0].comment, "undecided (waits for its next hop)");
  world_.receive("wan", PacketBuilder({cloud.mac, cloud.v4, 0},
                                      {world_.segment_mac("uplink"), IpAddress::v4(0xc0000202), 0})
                            .neighbour_answer());
  shown = read();
  ASSERT_FALSE(shown.empty());
  EXPECT_TRUE(shown.back().comment.starts_with("sent to wan by meter-cloud;"))
      << shown.back().comment;
}

TEST_F(CaptureTest, AFrameThatItsPortDidNotTakeWasNotAllowedToLeave) {
  world_.block("lan1");
  world_.receive("lan3", syn(40000, 502));
  const auto shown = read();
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_TRUE(shown[0].comment.starts_with("drop tx-queue-full;")) << shown[0].comment;
}

TEST_F(CaptureTest, WhatComesTooFastIsCounted) {
  constexpr std::size_t kMore = 100;
  for (std::size_t i = 0; i < dataplane::Capture::kSlots + kMore; ++i)
    world_.receive("lan3", syn(40000, 503));
  EXPECT_EQ(read().size(), dataplane::Capture::kSlots);
  EXPECT_EQ(part_.missed, kMore);
  world_.receive("lan3", syn(40000, 503));
  EXPECT_EQ(read().size(), 1U);
  EXPECT_EQ(part_.missed, 0U);
}

TEST_F(CaptureTest, ItIsOverWhenNobodyReads) {
  EXPECT_FALSE(session_.abandoned(world_.now()));
  world_.wait(CaptureSession::kPatience);
  EXPECT_FALSE(session_.abandoned(world_.now()));
  world_.wait(std::chrono::seconds(1));
  EXPECT_TRUE(session_.abandoned(world_.now()));
  read();
  EXPECT_FALSE(session_.abandoned(world_.now()));
}

class CaptureOfThree : public CaptureTest {
 protected:
  CaptureOfThree() : CaptureTest(3) {}
};

TEST_F(CaptureOfThree, APacketThatCrossedIsShownOnceInItsOrderWithItsOwnersVerdict) {
  for (std::uint16_t i = 0; i < 6; ++i) {
    world_.read_by(i);
    world_.receive("lan3", syn(static_cast<std::uint16_t>(40000 + i), i % 2 == 0 ? 502 : 503));
    world_.wait(std::chrono::milliseconds(50));
  }
  const auto shown = read();
  ASSERT_EQ(shown.size(), 6U);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    EXPECT_EQ(shown[i].interface, "lan3");
    EXPECT_EQ(shown[i].comment.starts_with(i % 2 == 0 ? "allow to lan1" : "drop default-deny"),
              true)
        << shown[i].comment;
  }
}

}  // namespace
}  // namespace sallyport::testing
