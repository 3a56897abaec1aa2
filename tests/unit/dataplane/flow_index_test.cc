// The flow table's index: room for every flow that there is a place for, and who stands where.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/flow/flow_table.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests

// All have one server.
Opening flow_of(std::uint32_t client) {
  Opening out;
  out.flow.client = IpAddress::v4(0x0b000000 + client);
  out.flow.server = IpAddress::v4(0x0a000001);
  out.flow.stand_in_port = out.flow.at_server.port = 502;
  return out;
}
// Somebody else answers, so it has two keys that the index holds.
Opening rewritten(std::uint32_t client) {
  Opening out = flow_of(client);
  out.stand_in = IpAddress::v4(0x0a000002);
  return out;
}

// Whatever two ends have in common, a key and its reverse are told apart.
TEST(FlowTable, TellsTheDirectionOfEachKey) {
  const auto v6 = [](std::uint8_t subnet, std::uint8_t host) {
    return IpAddress::v6({0xfd, 0, 0, 0, 0, 0, 0, subnet, 0, 0, 0, 0, 0, 0, 0, host});
  };
  const std::array addresses = {IpAddress::v4(0x0a000001),
                                IpAddress::v4(0x0a000002),
                                IpAddress::v4(0x0b000001),
                                v6(1, 1),
                                v6(2, 1),
                                v6(1, 2),
                                v6(2, 2)};
  for (const auto& client : addresses) {
    for (const auto& server : addresses) {
      for (const auto& [port, server_port] : {std::pair(502, 502), {502, 503}, {503, 502}}) {
        FlowTable table(64, {0xfeed, 0xbeef}, Instant::from_ns(0));
        const auto make = [](const IpAddress& from, int from_port, const IpAddress& to,
                             int to_port) {
          Opening out;
          out.flow.client = from;
          out.flow.server = to;
          out.flow.at_client.port = static_cast<std::uint16_t>(from_port);
          out.flow.stand_in_port = out.flow.at_server.port = static_cast<std::uint16_t>(to_port);
          return out;
        };
        const Opening opening = make(client, port, server, server_port);
        Flow* const flow = table.insert(opening);
        if (client == server && port == server_port) {
          EXPECT_EQ(flow, nullptr) << "its two keys are one";
          continue;
        }
        ASSERT_NE(flow, nullptr);
        EXPECT_EQ(table.insert(make(server, server_port, client, port)), nullptr) << "the same two";
        // With the ports changed over it is another, of the same hash.
        if (client != server && port != server_port) {
          ASSERT_NE(table.insert(make(client, server_port, server, port)), nullptr);
        }
        std::array<FlowTable::Asked, 2> both{
            {{opening.flow.client_key(), {}}, {opening.server_key(), {}}}};
        table.approach(std::span(both));
        for (const auto& [key, looking] : both) {
          const Direction direction =
              &key == &both[0].key ? Direction::kFromClient : Direction::kFromServer;
          for (const FlowMatch& match : {table.find(key), table.find(key, looking)}) {
            ASSERT_EQ(match.flow, flow);
            EXPECT_EQ(match.direction, direction);
          }
        }
        table.erase(*flow);
        EXPECT_FALSE(table.find(both[0].key) || table.find(both[1].key));
      }
    }
  }
}

TEST(FlowTable, FillsToItsCapacityBeforeItRefuses) {
  constexpr std::uint32_t kCapacity = 20000;
  for (const auto& make : {flow_of, rewritten}) {
    FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
    for (std::uint32_t i = 0; i < kCapacity; ++i) ASSERT_NE(table.insert(make(i)), nullptr) << i;
    EXPECT_EQ(table.insert(make(kCapacity)), nullptr);
  }
}

// A power of two fills the index most: then one key in eighty finds both buckets full, and one in
// seventeen when flows have come and gone for long.
TEST(FlowTable, FindsRoomInItsIndexForEveryFlowThatItHasAPlaceFor) {
  for (const std::uint32_t capacity : {1U, 2U, 3U, 7U, 8U, 16U, 64U, 65U, 1024U, 16384U}) {
    SCOPED_TRACE(capacity);
    FlowTable table(capacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
    std::mt19937 random(capacity);
    std::vector<Flow*> here;
    std::uint32_t client = 0;
    const auto open = [&] {
      here.push_back(table.insert(rewritten(client++)));
      return here.back() != nullptr;
    };
    for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_TRUE(open()) << i;
    for (std::uint32_t i = 0; i < 20 * capacity; ++i) {
      std::swap(here[random() % here.size()], here.back());
      table.erase(*here.back());
      here.pop_back();
      ASSERT_TRUE(open()) << i;
    }
    // One by one and together, in whichever bucket they stand.
    std::vector<FlowTable::Asked> burst(2 * here.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
      burst[2 * i].key = here[i]->client_key();
      burst[2 * i + 1].key = here[i]->server_key(table.stand_in(*here[i]));
    }
    table.approach(std::span(burst));
    for (std::size_t i = 0; i < burst.size(); ++i) {
      ASSERT_EQ(table.find(burst[i].key).flow, here[i / 2]) << i;
      ASSERT_EQ(table.find(burst[i].key, burst[i].looking).flow, here[i / 2]) << i;
    }
    // Who stands in his second bucket makes others look there; so he is counted until he is gone.
    if (capacity == 16384U) {
      EXPECT_GT(table.away(), capacity / 4);
      EXPECT_LT(table.away(), capacity / 2);
    }
    for (Flow* f : here) table.erase(*f);
    EXPECT_EQ(table.away(), 0U);
  }
}

// As full as can be, one key in sixteen; of flows that nobody rewrites one in a thousand, because
// each stands there once.
TEST(FlowTable, FewKeysStandInTheirSecondBucket) {
  constexpr std::uint32_t kCapacity = 1U << 17;
  for (const bool twice : {false, true}) {
    FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
    for (std::uint32_t i = 0; i < kCapacity; ++i)
      ASSERT_NE(table.insert(twice ? rewritten(i) : flow_of(i)), nullptr);
    EXPECT_GT(table.away(), twice ? 2 * kCapacity / 20 : 0);
    EXPECT_LT(table.away(), twice ? 2 * kCapacity / 14 : kCapacity / 500);
  }
}

// Whoever moved over to his other bucket, or away from either, while a burst waited.
TEST(FlowTable, FlowsComeAndGoBetweenTheStepsOfALookup) {
  constexpr std::uint32_t kCapacity = 1024;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  for (std::uint32_t i = 0; i < kCapacity; ++i) ASSERT_NE(table.insert(rewritten(i)), nullptr);
  // The first half is asked for, as well as who comes in only then for the other half.
  std::vector<FlowTable::Asked> burst(2 * kCapacity);
  for (std::uint32_t i = 0; i < 2 * kCapacity; ++i) burst[i].key = rewritten(i).flow.client_key();
  table.approach(std::span(burst));
  for (std::uint32_t i = kCapacity / 2; i < kCapacity; ++i) {
    table.erase(*table.find(burst[i].key).flow);
    ASSERT_NE(table.insert(rewritten(i + kCapacity)), nullptr);
  }
  for (std::uint32_t i = 0; i < 2 * kCapacity; ++i) {
    const bool here = i < kCapacity / 2 || i >= kCapacity + kCapacity / 2;
    const FlowMatch match = table.find(burst[i].key, burst[i].looking);
    ASSERT_EQ(static_cast<bool>(match), here) << i;
    if (here) {
      ASSERT_EQ(match.flow->client, rewritten(i).flow.client);
    }
  }
}

}  // namespace
}  // namespace sallyport::testing
