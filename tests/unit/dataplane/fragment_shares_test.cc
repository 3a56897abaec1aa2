// Who may hold how much of a segment's room for reassembly.
#include "dataplane/stages/fragment_shares.h"

#include <gtest/gtest.h>

#include "dataplane/dpdk/fragment_table.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kPlenty = FragmentShares::kDatagrams * kMostFragments;
constexpr std::uint32_t kShare = FragmentShares::kDatagrams / FragmentShares::kParts;

PacketMeta fragment(const char* source, std::uint32_t id, DeviceSlot device = kNoDevice) {
  PacketMeta out;
  out.headers.source = *IpAddress::parse(source);
  out.headers.destination = *IpAddress::parse(out.headers.source.is_v4() ? "10.0.0.1" : "fd00::1");
  out.headers.fragment_id = id;
  out.device = device;
  return out;
}
// Takes as many datagrams of this sender as it gets.
std::uint32_t fill(FragmentShares& shares, const char* source, DeviceSlot device = kNoDevice) {
  std::uint32_t id = 1000;
  while (!shares.take(fragment(source, id, device), kPlenty)) ++id;
  return id - 1000;
}

TEST(FragmentShares, ADeviceHasAQuarterWhateverItsAddresses) {
  FragmentShares shares;
  EXPECT_EQ(fill(shares, "10.0.0.5", 3), kShare);
  EXPECT_EQ(fill(shares, "10.0.0.6", 3), 0U);
  EXPECT_EQ(fill(shares, "fd00::5", 3), 0U);
  EXPECT_EQ(fill(shares, "10.0.0.7", 4), kShare);
}

TEST(FragmentShares, WhatHasBegunMayEnd) {
  FragmentShares shares;
  EXPECT_EQ(fill(shares, "10.0.0.5", 3), kShare);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1000, 3), kPlenty), std::nullopt);
}

TEST(FragmentShares, OfStrangersAnAddressIsASenderInIpv6ASlash64) {
  FragmentShares shares;
  EXPECT_EQ(fill(shares, "192.0.2.1"), kShare);
  EXPECT_EQ(fill(shares, "192.0.2.2"), kShare);
  EXPECT_EQ(fill(shares, "2001:db8:1::1"), kShare);
  EXPECT_EQ(fill(shares, "2001:db8:1::2"), 0U);
  PacketMeta host = fragment("2001:db8:1::2", 5000);
  host.origin = Origin::kHostStack;
  EXPECT_EQ(shares.take(host, kPlenty), std::nullopt) << "the gateway's own stack is none of them";
}

TEST(FragmentShares, TheRoomIsBoundedWhoeverComes) {
  FragmentShares shares;
  for (const char* sender : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"})
    EXPECT_EQ(fill(shares, sender), kShare);
  EXPECT_EQ(shares.take(fragment("192.0.2.5", 1), kPlenty), Drop::kFragmentTableFull);
  EXPECT_EQ(shares.take(fragment("192.0.2.1", 1), kPlenty), Drop::kFragmentDeviceLimit);
}

// With a hundred segments 40 fragments may wait in each, of which a quarter is one sender's.
TEST(FragmentShares, BuffersAreDividedAsDatagramsAre) {
  FragmentShares shares;
  std::uint32_t taken = 0;
  while (!shares.take(fragment("10.0.0.5", 1 + taken / 7, 3), 40)) ++taken;
  EXPECT_EQ(taken, 10U);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1, 3), 40), Drop::kFragmentDeviceLimit);
  for (DeviceSlot device = 4; device < 7; ++device)
    for (int n = 0; n < 10; ++n)
      EXPECT_EQ(shares.take(fragment("10.0.0.6", device, device), 40), std::nullopt);
  EXPECT_EQ(shares.take(fragment("10.0.0.8", 1, 8), 40), Drop::kFragmentTableFull);
}

TEST(FragmentShares, OneDatagramIsEverybodysEvenInTheSmallestRoom) {
  FragmentShares shares;
  for (std::uint32_t n = 0; n < kMostFragments; ++n)
    EXPECT_EQ(shares.take(fragment("10.0.0.5", 1, 3), kMostFragments), std::nullopt);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1, 3), kMostFragments), Drop::kFragmentDeviceLimit);
}

TEST(FragmentShares, WhatWasGivenBackIsFree) {
  FragmentShares shares;
  EXPECT_EQ(fill(shares, "10.0.0.5", 3), kShare);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1000, 3), kPlenty), std::nullopt);
  shares.give_back(fragment("10.0.0.5", 1000, 3).headers, 1);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1, 3), kPlenty), Drop::kFragmentDeviceLimit);
  shares.give_back(fragment("10.0.0.5", 1000, 3).headers, 1);
  EXPECT_EQ(shares.take(fragment("10.0.0.5", 1, 3), kPlenty), std::nullopt);
}

TEST(FragmentSharesDeathTest, WhatNobodyHoldsCannotBeGivenBack) {
  FragmentShares shares;
  EXPECT_DEATH(shares.give_back(fragment("10.0.0.5", 1, 3).headers, 1), "");
}

}  // namespace
}  // namespace sallyport::dataplane
