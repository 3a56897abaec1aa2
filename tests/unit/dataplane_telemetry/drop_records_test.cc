#include "dataplane/telemetry/drop_records.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sallyport::dataplane {
namespace {

constexpr auto at(std::int64_t ms) { return Instant::from_ns(ms * 1'000'000); }

DropExample from(std::uint32_t address, std::uint16_t port) {
  return {.source = IpAddress::v4(address), .source_port = port};
}

DropKey key_of(std::uint32_t device, std::uint32_t destination, std::uint16_t port) {
  DropKey key;
  key.segment = 1;
  key.port = 2;
  key.device = device;
  key.mac = MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(device)});
  key.destination = IpAddress::v4(destination);
  key.destination_port = port;
  key.protocol = 6;
  return key;
}

TEST(DropRecords, RepeatsWithinASecondAreCountedInOneRecord) {
  DropRecords records(1024);
  for (int i = 0; i < 10; ++i)
    records.record(key_of(3, 0x0a000001, 502), from(1, 40000), at(100 + i));
  records.record(key_of(3, 0x0a000001, 502), from(1, 40000), at(1100));
  const auto kept = records.snapshot();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].packets, 1U) << "newest first, a record of its own for each second";
  EXPECT_EQ(kept[1].packets, 10U);
  EXPECT_EQ(kept[1].last, at(109));
}

TEST(DropRecords, AFloodOfUnknownSendersLeavesEnrolledDevicesTheirRecords) {
  DropRecords records(1024);
  records.record(key_of(3, 0x0a000001, 502), from(1, 40000), at(0));
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    DropKey key = key_of(kNoDevice, i, static_cast<std::uint16_t>(i));
    key.mac =
        MacAddress({2, 1, static_cast<std::uint8_t>(i >> 24), static_cast<std::uint8_t>(i >> 16),
                    static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
    records.record(key, from(i, 1), at(i / 10));
  }
  const auto kept = records.snapshot();
  EXPECT_TRUE(std::ranges::any_of(kept, [](const DropRecord& r) { return r.key.device == 3; }));
}

TEST(DropRecords, AnEnrolledDevicesTenSecondFloodLeavesAnOlderDropOfAnother) {
  DropRecords records(4096);
  records.record(key_of(3, 0x0a000001, 502), from(1, 40000), at(0));
  std::uint64_t flood = 0;
  for (std::uint32_t i = 0; i < 1'000'000; ++i, ++flood) {
    records.record(key_of(4, i * 2654435761U, static_cast<std::uint16_t>(i)), from(4, 1),
                   at(1000 + i / 100));
  }
  const auto kept = records.snapshot();
  EXPECT_TRUE(std::ranges::any_of(kept, [](const DropRecord& r) { return r.key.device == 3; }));
  std::uint64_t counted = 0;
  for (const DropRecord& r : kept) counted += r.key.device == 4 ? r.packets : 0;
  EXPECT_EQ(counted, flood) << "what exceeds the share is counted, not lost";
}

TEST(DropRecords, SnapshotIsEmptyAtFirst) { EXPECT_TRUE(DropRecords(64).snapshot().empty()); }

}  // namespace
}  // namespace sallyport::dataplane
