#include "dataplane/telemetry/drop_records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

namespace sallyport::dataplane {
namespace {

constexpr auto at(std::int64_t ms) { return Instant::from_ns(ms * 1'000'000); }

auto from(std::uint32_t address, std::uint16_t port) {
  return [=] { return DropExample{.source = IpAddress::v4(address), .source_port = port}; };
}

std::uint64_t mac(std::uint8_t high, std::uint32_t low) {
  return mac_word(MacAddress(
      {2, high, static_cast<std::uint8_t>(low >> 24), static_cast<std::uint8_t>(low >> 16),
       static_cast<std::uint8_t>(low >> 8), static_cast<std::uint8_t>(low)}));
}

DropKey::Of parts(std::uint32_t device, std::uint32_t destination, std::uint16_t port) {
  DropKey::Of key;
  key.segment = 1;
  key.port = 2;
  key.device = device;
  key.mac = mac(0, device);
  key.destination = IpAddress::v4(destination).words();
  key.destination_port = port;
  key.protocol = 6;
  return key;
}
DropKey key_of(std::uint32_t device, std::uint32_t destination, std::uint16_t port) {
  return DropKey(parts(device, destination, port));
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
    DropKey::Of key = parts(kNoDevice, i, static_cast<std::uint16_t>(i));
    key.mac = mac(1, i);
    records.record(DropKey(key), from(i, 1), at(i / 10));
  }
  const auto kept = records.snapshot();
  EXPECT_TRUE(std::ranges::any_of(kept, [](const DropRecord& r) { return r.key.device() == 3; }));
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
  EXPECT_TRUE(std::ranges::any_of(kept, [](const DropRecord& r) { return r.key.device() == 3; }));
  std::uint64_t counted = 0;
  for (const DropRecord& r : kept) counted += r.key.device() == 4 ? r.packets : 0;
  EXPECT_EQ(counted, flood) << "what exceeds the share is counted, not lost";
}

DropKey flood(std::uint32_t device, std::uint32_t i, Drop reason, std::uint8_t protocol) {
  DropKey::Of key = parts(device, i * 2654435761U, static_cast<std::uint16_t>(i));
  key.reason = reason;
  key.protocol = protocol;
  // A stranger is another one each time.
  if (device == kNoDevice) key.mac = mac(1, i & 0xffff);
  return DropKey(key);
}

// Not whoever asks, but whoever floods, loses detail.
TEST(DropRecords, ARepeatOfARecordedOneIsCountedThereInTheMiddleOfItsSourcesFlood) {
  DropRecords records(1024);
  const DropKey wanted = key_of(3, 0x0a000001, 502);
  records.record(wanted, from(3, 1), at(0));
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    records.record(flood(3, i, Drop::kDefaultDeny, 6), from(3, 1), at(i / 20));
    if (i % 100 == 0) records.record(wanted, from(3, 1), at(i / 20));
  }
  const auto kept = records.snapshot();
  const auto found = std::ranges::find(kept, wanted, &DropRecord::key);
  ASSERT_NE(found, kept.end());
  EXPECT_EQ(found->packets, 101U);
}

// As many records a second as the header says, and every packet in one of them, whatever reasons,
// protocols and sources come in whatever order.
TEST(DropRecords, CountsEachReasonOfEachSourceExactly) {
  DropRecords records(32'768);
  std::mt19937 random(1);
  constexpr Drop kReasons[] = {Drop::kDefaultDeny, Drop::kMidStream, Drop::kSpoofedSource,
                               Drop::kUnknownDevice, Drop::kStolenIdentity};
  constexpr std::uint8_t kProtocols[] = {1, 6, 17, 58};
  // 3 and 1027 share a budget.
  constexpr std::uint32_t kSources[] = {3, 1027, 7, kNoDevice};
  using Kind = std::tuple<std::uint32_t, Drop, std::uint8_t>;
  std::map<Kind, std::uint64_t> sent, counted;
  std::map<std::uint32_t, std::size_t> named, rest;
  constexpr std::uint32_t kPackets = 100'000, kSeconds = 4;
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    const Kind kind{kSources[random() % 4], kReasons[random() % 5], kProtocols[random() % 4]};
    ++sent[kind];
    records.record(flood(std::get<0>(kind), static_cast<std::uint32_t>(random() % 1000),
                         std::get<1>(kind), std::get<2>(kind)),
                   from(1, 1), at(i / (kPackets / kSeconds / 1000)));
  }
  for (const DropRecord& r : records.snapshot()) {
    counted[{r.key.device(), r.key.reason(), r.key.protocol()}] += r.packets;
    ++(r.key.overflow() ? rest : named)[r.key.device()];
    if (r.key.overflow()) {
      EXPECT_TRUE(r.key.destination().is_unspecified());
    }
    EXPECT_EQ(r.first.ns() / 1'000'000'000, r.last.ns() / 1'000'000'000);
  }
  EXPECT_EQ(counted, sent);
  EXPECT_EQ(named[7], kSeconds * DropRecords::kRecordsPerSource);
  EXPECT_EQ(named[kNoDevice], kSeconds * DropRecords::kRecordsPerSource);
  EXPECT_EQ(named[3] + named[1027], kSeconds * DropRecords::kRecordsPerSource);
  for (const std::uint32_t source : {3U, 1027U, 7U})
    EXPECT_EQ(rest[source], kSeconds * 20) << "one for each reason and protocol";
  EXPECT_EQ(rest[kNoDevice], kSeconds * 20) << "without their MACs";
}

TEST(DropKey, SaysWhatItIsOf) {
  DropKey::Of of = parts(7, 0x0a000001, 502);
  of.reason = Drop::kMidStream;
  of.protocol = 17;
  const DropKey key(of);
  EXPECT_EQ(key.segment(), 1U);
  EXPECT_EQ(key.port(), 2U);
  EXPECT_EQ(key.device(), 7U);
  EXPECT_EQ(key.mac(), MacAddress({2, 0, 0, 0, 0, 7}));
  EXPECT_EQ(key.reason(), Drop::kMidStream);
  EXPECT_EQ(key.protocol(), 17U);
  EXPECT_EQ(key.destination(), IpAddress::v4(0x0a000001));
  EXPECT_EQ(key.destination_port(), 502U);
  EXPECT_FALSE(key.overflow());
}

TEST(DropRecords, SnapshotIsEmptyAtFirst) { EXPECT_TRUE(DropRecords(64).snapshot().empty()); }

// In bursts of any size, with repeats in them and sources that exceed theirs.
TEST(DropRecords, KeepsOfABurstWhatItKeepsOfOneAfterTheOther) {
  DropRecords single(1024), together(1024);
  std::mt19937 generator(2);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
  std::vector<DropKey> burst;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    burst.resize(1 + random() % 32);
    for (DropKey& key : burst)
      key = flood(random() % 40 == 0 ? kNoDevice : random() % 50, random() % 100,
                  Drop::kDefaultDeny, random() % 2 == 0 ? 6 : 17);
    const Instant now = at(i);
    const auto example = [&](const DropKey& key) { return from(key.device(), key.port()); };
    for (const DropKey& key : burst) single.record(key, example(key), now);
    std::vector<std::uint64_t> hashes;
    for (const DropKey& key : burst) hashes.push_back(together.prepare(key));
    for (std::size_t k = 0; k < burst.size(); ++k) together.approach(burst[k], hashes[k]);
    for (std::size_t k = 0; k < burst.size(); ++k)
      together.record(burst[k], hashes[k], example(burst[k]), now);
  }
  const auto one = single.snapshot(), other = together.snapshot();
  ASSERT_EQ(one.size(), other.size());
  EXPECT_GT(one.size(), 500U);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].key, other[i].key);
    EXPECT_EQ(one[i].packets, other[i].packets);
    EXPECT_EQ(one[i].first, other[i].first);
    EXPECT_EQ(one[i].last, other[i].last);
    EXPECT_EQ(one[i].example.source, other[i].example.source);
  }
}

}  // namespace
}  // namespace sallyport::dataplane
