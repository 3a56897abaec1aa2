#include "dataplane/telemetry/pcapng.h"

#include <gtest/gtest.h>

#include <array>

namespace sallyport::dataplane {
namespace {

std::uint32_t le32(ConstBytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) | static_cast<std::uint32_t>(bytes[at + 1]) << 8 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 3]) << 24;
}

TEST(Pcapng, BlocksChainByTheirLengthsFromBothEnds) {
  PcapngWriter writer(ByteCount::from_bytes(4096));
  EXPECT_EQ(writer.add_interface("lan1"), 0U);
  EXPECT_EQ(writer.add_interface("tap:field"), 1U);
  const std::array<std::uint8_t, 61> frame{1, 2, 3};
  EXPECT_TRUE(writer.packet(1, 1'700'000'000'123'456'789, frame, "deny default-deny"));
  const ConstBytes bytes = writer.bytes();
  std::vector<std::uint32_t> types;
  std::size_t at = 0;
  while (at < bytes.size()) {
    types.push_back(le32(bytes, at));
    const std::uint32_t size = le32(bytes, at + 4);
    ASSERT_EQ(size % 4, 0U);
    ASSERT_LE(at + size, bytes.size());
    EXPECT_EQ(le32(bytes, at + size - 4), size);
    at += size;
  }
  EXPECT_EQ(types, (std::vector<std::uint32_t>{0x0a0d0d0a, 1, 1, 6}));
}

TEST(Pcapng, APacketBeyondTheBoundIsCountedAndNotHalfWritten) {
  PcapngWriter writer(ByteCount::from_bytes(256));
  writer.add_interface("lan1");
  const std::size_t before = writer.bytes().size();
  const std::array<std::uint8_t, 1500> frame{};
  EXPECT_FALSE(writer.packet(0, 0, frame, ""));
  EXPECT_FALSE(writer.packet(7, 0, ConstBytes(frame).first(10), "")) << "no such interface";
  EXPECT_EQ(writer.bytes().size(), before);
  EXPECT_EQ(writer.left_out(), 2U);
}

}  // namespace
}  // namespace sallyport::dataplane
