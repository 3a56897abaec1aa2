// The flow table's index: room for every flow that there is a place for, and who stands where.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <vector>

#include "dataplane/flow/flow_table.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests

TEST(FlowTable, FillsToItsCapacityBeforeItRefuses) {
  constexpr std::uint32_t kCapacity = 20000;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  flow.stand_in_port = flow.at_server.port = 502;
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    flow.client = IpAddress::v4(0x0b000000 + i);
    ASSERT_NE(table.insert(opening), nullptr) << i;
  }
  flow.client = IpAddress::v4(0x0c000000);
  EXPECT_EQ(table.insert(opening), nullptr);
}

// A power of two fills the index most: then one insertion in eighty finds both buckets full, and
// one in seventeen when flows have come and gone for long.
TEST(FlowTable, FindsRoomInItsIndexForEveryFlowThatItHasAPlaceFor) {
  for (const std::uint32_t capacity : {1U, 2U, 3U, 7U, 8U, 16U, 64U, 65U, 1024U, 16384U}) {
    SCOPED_TRACE(capacity);
    FlowTable table(capacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
    std::mt19937 random(capacity);
    std::vector<Flow*> here;
    Opening opening;
    Flow& flow = opening.flow;
    flow.server = IpAddress::v4(0x0a000001);
    flow.client = IpAddress::v4(0x0b000000);
    const auto open = [&] {
      flow.client = IpAddress::v4(flow.client.v4_value() + 1);
      here.push_back(table.insert(opening));
      return here.back() != nullptr;
    };
    for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_TRUE(open()) << i;
    for (std::uint32_t i = 0; i < 20 * capacity; ++i) {
      std::swap(here[random() % here.size()], here.back());
      table.erase(*here.back());
      here.pop_back();
      ASSERT_TRUE(open()) << i;
    }
    for (Flow* f : here) {
      ASSERT_EQ(table.find(f->client_key()).flow, f);
      ASSERT_EQ(table.find(f->server_key({})).flow, f);
    }
    // And together, in whichever bucket they stand.
    std::vector<FlowTable::Looking> lookings(here.size());
    for (std::size_t i = 0; i < here.size(); ++i) table.prepare(here[i]->client_key(), lookings[i]);
    table.approach(std::span(lookings));
    for (std::size_t i = 0; i < here.size(); ++i)
      ASSERT_EQ(table.find(here[i]->client_key(), lookings[i]).flow, here[i]) << i;
    // Who stands in his second bucket makes others look there; so he is counted until he is gone.
    if (capacity == 16384U) {
      EXPECT_GT(table.away(), capacity / 4);
      EXPECT_LT(table.away(), capacity / 2);
    }
    for (Flow* f : here) table.erase(*f);
    EXPECT_EQ(table.away(), 0U);
  }
}

// Of a million flows in a table for as many, one key in sixteen.
TEST(FlowTable, FewKeysStandInTheirSecondBucket) {
  constexpr std::uint32_t kCapacity = 1U << 17;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  opening.flow.server = IpAddress::v4(0x0a000001);
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    if (i == kCapacity / 2) {
      EXPECT_LT(table.away(), kCapacity / 200);
    }
    opening.flow.client = IpAddress::v4(0x0b000000 + i);
    ASSERT_NE(table.insert(opening), nullptr);
  }
  EXPECT_GT(table.away(), 2 * kCapacity / 20);
  EXPECT_LT(table.away(), 2 * kCapacity / 14);
}

// Whoever moved over to his other bucket, or away from either, while a burst waited.
TEST(FlowTable, FlowsComeAndGoBetweenTheStepsOfALookup) {
  constexpr std::uint32_t kCapacity = 1024;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  const auto flow_of = [&](std::uint32_t i) {
    flow.client = IpAddress::v4(0x0b000000 + i);
    return opening;
  };
  for (std::uint32_t i = 0; i < kCapacity; ++i) ASSERT_NE(table.insert(flow_of(i)), nullptr);
  // The first half is asked for, as well as who comes in only then for the other half.
  std::vector<FlowTable::Looking> lookings(2 * kCapacity);
  for (std::uint32_t i = 0; i < 2 * kCapacity; ++i)
    table.prepare(flow_of(i).flow.client_key(), lookings[i]);
  table.approach(std::span(lookings));
  for (std::uint32_t i = kCapacity / 2; i < kCapacity; ++i) {
    table.erase(*table.find(flow_of(i).flow.client_key()).flow);
    ASSERT_NE(table.insert(flow_of(i + kCapacity)), nullptr);
  }
  for (std::uint32_t i = 0; i < 2 * kCapacity; ++i) {
    const bool here = i < kCapacity / 2 || i >= kCapacity + kCapacity / 2;
    const FlowMatch match = table.find(flow_of(i).flow.client_key(), lookings[i]);
    ASSERT_EQ(static_cast<bool>(match), here) << i;
    if (here) {
      ASSERT_EQ(match.flow->client, flow_of(i).flow.client);
    }
  }
}

}  // namespace
}  // namespace sallyport::testing
