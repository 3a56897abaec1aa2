// An address is found at the same place whether it is searched, looked for by an index, by the
// index of some other snapshot, or under a hint that may be anything.
#include "policy/decide/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "policy/base/units.h"
#include "tests/support/policy/partition_twin.h"

namespace sallyport::decide {
namespace {

using testing::first_of;
using testing::twin_place;
using Random = std::mt19937_64;

constexpr Uint128 kV6Base = static_cast<Uint128>(0xfd00002000000000U) << 64;

wire::Interval4 interval4(std::uint32_t first) { return {first, 0, 0, 0, 0, 0}; }
wire::Interval6 interval6(Uint128 first) {
  return {
      static_cast<std::uint64_t>(first >> 64), static_cast<std::uint64_t>(first), 0, 0, 0, 0, 0};
}

struct Lists {
  std::vector<wire::Interval4> v4;
  std::vector<wire::Interval6> v6;
  Partition partition(const LikelyPlaces* likely) const { return {v4, v6, likely}; }
  LikelyPlaces index() const { return {v4, v6}; }
};

Lists of_starts(const std::set<std::uint32_t>& v4, const std::set<Uint128>& v6) {
  Lists out;
  for (const std::uint32_t first : v4) out.v4.push_back(interval4(first));
  for (const Uint128 first : v6) out.v6.push_back(interval6(first));
  return out;
}

// Hosts side by side, hosts alone, prefixes, and both ends of each space; now and then one
// interval.
Lists random_lists(Random& random) {
  std::set<std::uint32_t> v4 = {0};
  std::set<Uint128> v6 = {0};
  const std::size_t wanted = random() % 4 == 0 ? 0 : random() % 300;
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto host = static_cast<std::uint32_t>(0x0a140000U + random() % 512);
    const Uint128 host6 = kV6Base | random() % 512;
    switch (random() % 4) {
      case 0:
        v4.insert(static_cast<std::uint32_t>(random()));
        v6.insert(static_cast<Uint128>(random()) << 64 | random());
        break;
      case 1:
        v4.insert(0xffffffffU - static_cast<std::uint32_t>(random() % 3));
        v6.insert(~static_cast<Uint128>(random() % 3));
        break;
      case 2:  // over the border between two halves
        v6.insert(kV6Base - 2 + random() % 4);
        [[fallthrough]];
      default:
        v4.insert({host, host + 1});
        v6.insert({host6, host6 + 1});
    }
  }
  return of_starts(v4, v6);
}

// At and beside everything that starts somewhere, and anywhere.
std::vector<IpAddress> addresses_of(const Lists& lists, Random& random) {
  std::vector<IpAddress> out;
  for (const wire::Interval4& i : lists.v4)
    for (const std::uint32_t beside : {0U, 1U, ~0U})
      out.push_back(IpAddress::v4(i.first() + beside));
  for (const wire::Interval6& i : lists.v6) {
    const Uint128 first = static_cast<Uint128>(i.first_high()) << 64 | i.first_low();
    for (const Uint128 value : {first, first + 1, first - 1})
      out.push_back(first_of(interval6(value)));
  }
  for (int i = 0; i < 50; ++i) {
    out.push_back(IpAddress::v4(static_cast<std::uint32_t>(random())));
    out.push_back(first_of(interval6(static_cast<Uint128>(random()) << 64 | random())));
  }
  return out;
}

std::size_t expected(const Lists& lists, const IpAddress& address) {
  return address.is_v4() ? twin_place(std::span<const wire::Interval4>(lists.v4), address)
                         : twin_place(std::span<const wire::Interval6>(lists.v6), address);
}

bool is_start(const Lists& lists, Place place, const IpAddress& address) {
  return address.is_v4() ? first_of(lists.v4.at(place)) == address
                         : first_of(lists.v6.at(place)) == address;
}

TEST(Partition, IsTheListWhateverHelpsToFindAnAddress) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Random random(seed);
  Lists before = random_lists(random);
  for (int round = 0; round < 150; ++round) {
    const Lists lists = random_lists(random);
    const LikelyPlaces own = lists.index(), others = before.index(), none;
    for (const IpAddress& address : addresses_of(lists, random)) {
      const std::size_t place = expected(lists, address);
      for (const LikelyPlaces* likely :
           {&own, &others, &none, static_cast<const LikelyPlaces*>(nullptr)}) {
        const Partition partition = lists.partition(likely);
        ASSERT_EQ(partition.find(address), place) << address.to_string();
        for (const Place hint :
             {static_cast<Place>(place), static_cast<Place>(place + 1),
              static_cast<Place>(place - 1), static_cast<Place>(random()), kNoPlace})
          ASSERT_EQ(partition.find(address, hint), place) << address.to_string() << " at " << hint;
        const Place glance = partition.glance(address);
        if (glance != kNoPlace) {
          ASSERT_EQ(glance, place) << address.to_string();
          ASSERT_TRUE(is_start(lists, glance, address)) << address.to_string();
        }
      }
    }
    before = lists;
  }
}

// As many hosts as a snapshot may have, and some: all side by side, so that the last of the space
// is one's, too.
TEST(Partition, KnowsNearlyAllOfTheMostHostsAtAGlance) {
  constexpr std::size_t kMost = wire::kMaxIntervals;
  Lists lists;
  for (std::size_t i = 0; i < kMost + 2; ++i) {
    lists.v4.push_back(interval4(i == 0 ? 0 : static_cast<std::uint32_t>(0U - (kMost + 2 - i))));
    lists.v6.push_back(interval6(i == 0 ? 0 : static_cast<Uint128>(0) - (kMost + 2 - i)));
  }
  const LikelyPlaces index = lists.index();
  EXPECT_LE(index.bytes(), std::size_t{32} << 20);
  const Partition partition = lists.partition(&index);
  std::size_t at_once = 0, asked = 0;
  for (std::size_t i = 1; i < kMost; i += 7) {
    for (const IpAddress& address : {first_of(lists.v4[i]), first_of(lists.v6[i])}) {
      ASSERT_EQ(partition.find(address), i) << address.to_string();
      at_once += partition.glance(address) != kNoPlace ? 1 : 0;
      ++asked;
    }
  }
  EXPECT_GT(at_once, asked - asked / 100);
  for (std::size_t i : {std::size_t{0}, kMost - 1, kMost, kMost + 1}) {
    EXPECT_EQ(partition.find(first_of(lists.v4[i])), i);
    EXPECT_EQ(partition.find(first_of(lists.v6[i])), i);
  }
  EXPECT_EQ(partition.find(IpAddress::v4(1)), 0U);
}

TEST(LikelyPlaces, OfNothingKnowNoAddress) {
  const LikelyPlaces none;
  const Partition partition({}, {}, &none);
  EXPECT_TRUE(partition.empty());
  Random random(1);
  for (int i = 0; i < 20'000; ++i)
    EXPECT_EQ(partition.glance(IpAddress::v4(static_cast<std::uint32_t>(random()))), kNoPlace);
}

}  // namespace
}  // namespace sallyport::decide
