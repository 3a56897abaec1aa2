// Modbus inspection byte by byte.
#include "tls-termination/inspect/modbus.h"

#include <gtest/gtest.h>

#include <random>

namespace sallyport::terminator {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes frame(std::uint16_t transaction, std::uint8_t unit, const Bytes& pdu) {
  const auto length = static_cast<std::uint16_t>(pdu.size() + 1);
  Bytes out = {
      static_cast<std::uint8_t>(transaction >> 8), static_cast<std::uint8_t>(transaction), 0,   0,
      static_cast<std::uint8_t>(length >> 8),      static_cast<std::uint8_t>(length),      unit};
  out.insert(out.end(), pdu.begin(), pdu.end());
  return out;
}
ModbusInspector reads_of_unit_1() { return ModbusInspector(ModbusRules::make(Bytes{3}, Bytes{1})); }

struct Seen {
  bool good = true;
  Bytes device;
  Bytes client;
  std::vector<RefusedRequest> refused;
};
Seen send(ModbusInspector& inspector, ConstBytes bytes) {
  Seen out;
  out.good = inspector.from_client(bytes, out.device, out.client, out.refused);
  return out;
}

TEST(Modbus, AllowedRequestPassesAsItIs) {
  ModbusInspector inspector = reads_of_unit_1();
  const Bytes request = frame(7, 1, {3, 0, 0, 0, 2});
  const Seen seen = send(inspector, request);
  EXPECT_TRUE(seen.good);
  EXPECT_EQ(request, seen.device);
  EXPECT_TRUE(seen.client.empty());
}

TEST(Modbus, ForbiddenFunctionGetsExceptionOneWithItsOwnTransaction) {
  ModbusInspector inspector = reads_of_unit_1();
  const Seen seen = send(inspector, frame(0x1234, 1, {16, 0, 0, 0, 1, 2, 0, 9}));
  EXPECT_TRUE(seen.good);
  EXPECT_TRUE(seen.device.empty());
  EXPECT_EQ(frame(0x1234, 1, {0x90, 1}), seen.client);
  EXPECT_EQ((std::vector<RefusedRequest>{{16, 1}}), seen.refused);
}

TEST(Modbus, ForbiddenUnitNeverReachesTheDevice) {
  ModbusInspector inspector = reads_of_unit_1();
  const Seen seen = send(inspector, frame(1, 2, {3, 0, 0, 0, 1}));
  EXPECT_TRUE(seen.device.empty());
  EXPECT_EQ(frame(1, 2, {0x83, 1}), seen.client);
}

TEST(Modbus, EmptyListAllowsEveryValue) {
  ModbusInspector inspector(ModbusRules::make({}, {}));
  EXPECT_FALSE(send(inspector, frame(1, 200, {43, 14, 1, 0})).device.empty());
}

TEST(Modbus, PiecesOfAnySizeGiveTheSameResult) {
  Bytes stream;
  for (std::uint8_t i = 0; i < 20; ++i) {
    const Bytes one = frame(i, i % 3, {static_cast<std::uint8_t>(i % 5 + 1), 0, 0, 0, 1});
    stream.insert(stream.end(), one.begin(), one.end());
  }
  ModbusInspector whole = reads_of_unit_1();
  const Seen expected = send(whole, stream);
  const unsigned seed = 20261123;
  std::mt19937 random(seed);
  for (int run = 0; run < 200; ++run) {
    ModbusInspector inspector = reads_of_unit_1();
    Seen seen;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 9, stream.size() - at);
      ASSERT_TRUE(inspector.from_client(ConstBytes(stream).subspan(at, size), seen.device,
                                        seen.client, seen.refused));
      at += size;
    }
    ASSERT_EQ(expected.device, seen.device) << "seed " << seed << " run " << run;
    ASSERT_EQ(expected.client, seen.client);
    ASSERT_EQ(expected.refused, seen.refused);
  }
}

struct MalformedCase {
  const char* name;
  Bytes bytes;
};
TEST(Modbus, WhatIsNoModbusEndsTheConversation) {
  const std::vector<MalformedCase> cases = {
      {"another protocol", {0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1}},
      {"length 0", {0, 1, 0, 0, 0, 0}},
      {"length 1", {0, 1, 0, 0, 0, 1, 1}},
      {"length 255", {0, 1, 0, 0, 0, 255}},
      {"function 0", frame(1, 1, {0, 0})},
      {"an exception as a request", frame(1, 1, {0x83, 1})},
      {"TLS", {0x16, 3, 1, 0, 0x80, 1}},
  };
  for (const MalformedCase& c : cases) {
    ModbusInspector inspector = reads_of_unit_1();
    const Seen seen = send(inspector, c.bytes);
    EXPECT_FALSE(seen.good) << c.name;
    EXPECT_TRUE(seen.device.empty()) << c.name;
    EXPECT_FALSE(inspector.fault().empty()) << c.name;
  }
}

TEST(Modbus, DeviceMayAnswerOnlyWhatCouldHaveBeenAsked) {
  ModbusInspector inspector = reads_of_unit_1();
  Bytes client;
  EXPECT_TRUE(inspector.from_device(frame(1, 1, {3, 2, 0, 9}), client));
  EXPECT_TRUE(inspector.from_device(frame(2, 1, {0x83, 2}), client));
  EXPECT_EQ(11U + 9U, client.size());
  EXPECT_FALSE(inspector.from_device(frame(3, 1, {6, 0, 1, 0, 2}), client));
  EXPECT_EQ(11U + 9U, client.size());
}

}  // namespace
}  // namespace sallyport::terminator
