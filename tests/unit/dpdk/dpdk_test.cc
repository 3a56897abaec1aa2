// What stands between DPDK and the rest: its command line, its ports by PCI address, its buffers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::dataplane {
namespace {

using sallyport::testing::test_datagram_pool;
using sallyport::testing::test_pool;
using ::testing::Contains;
using ::testing::Not;

TEST(PciAddress, IsTakenInBothFormsAndNothingElseIs) {
  EXPECT_EQ(pci_address("0000:01:00.0"), "0000:01:00.0");
  EXPECT_EQ(pci_address("01:00.0"), "0000:01:00.0");
  EXPECT_EQ(pci_address("00AF:3b:1F.7"), "00af:3b:1f.7");
  for (const char* other : {"", "net_af_packet0,iface=eth1", "net_null0", "eth1", "1:00.0", "01:00",
                            "01:00.8", "01-00.0", "0000:01:00.0,x=1", "0001:00.0", "gg:00.0",
                            "0000:01:00.00", "deadbeef", "1234567"})
    EXPECT_EQ(pci_address(other), std::nullopt) << other;
}

TEST(EalArguments, NameExactlyTheDevicesThatMayBeProbed) {
  EalOptions options;
  EXPECT_THAT(eal_arguments(options, false, 0), Contains("--no-pci"));
  options.pci_addresses = {"0000:01:00.0", "0000:02:00.1"};
  const auto arguments = eal_arguments(options, false, 3);
  EXPECT_THAT(arguments, Contains("-a0000:01:00.0"));
  EXPECT_THAT(arguments, Contains("-a0000:02:00.1"));
  EXPECT_THAT(arguments, Not(Contains("--no-pci")));
  EXPECT_THAT(arguments, Contains("--lcores=0@3"));
  EXPECT_EQ(std::ranges::count_if(arguments, [](const auto& a) { return a.starts_with("-a"); }), 2);
}

TEST(EalArguments, AreTheSameButForTheMemoryWithAndWithoutHugepages) {
  const EalOptions options;
  for (const bool hugepages : {false, true}) {
    const auto arguments = eal_arguments(options, hugepages, 0);
    for (const char* always : {"--no-telemetry", "--file-prefix=sallyport", "-m256"})
      EXPECT_THAT(arguments, Contains(always));
    EXPECT_EQ(std::ranges::count(arguments, "--no-huge"), hugepages ? 0 : 1);
    EXPECT_EQ(std::ranges::count(arguments, "--in-memory"), hugepages ? 1 : 0);
  }
}

TEST(Port, ADeviceThatIsNotThereIsNamed) {
  const auto absent = EthPort::open("0000:7e:1f.7", test_pool());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, "port-probe");
  EXPECT_NE(absent.error().context.find("0000:7e:1f.7"), std::string::npos)
      << absent.error().context;
  EXPECT_EQ(EthPort::open("", test_pool()).error().code, "port-device");
}

TEST(Port, AVdevIsOpenedByItsArgumentsAndCarriesNothing) {
  auto port = EthPort::open("net_null7,no-rx=1", test_pool());
  ASSERT_TRUE(port) << port.error().context;
  std::array<Packet, kBurst> burst;
  EXPECT_EQ((*port)->queue(0).receive(burst), 0U);
  burst[0] = test_pool().copy_of(std::array<std::uint8_t, 60>{});
  EXPECT_EQ((*port)->queue(0).transmit(std::span(burst).first(1)), 1U);
  // Its driver has no interrupts, whatever it says to being configured with them.
  EXPECT_EQ((*port)->queue(0).arrivals(), -1);
  EXPECT_EQ((*port)->health().woken_by, "polling");
}

TEST(PacketPool, GivesAsManyAsAreAskedForOrNone) {
  PacketPool& pool = test_pool();
  std::vector<Packet> held;
  std::array<Packet, PacketPool::kMostAtOnce> some;
  const auto none = [&] { return std::ranges::none_of(some, &Packet::operator bool); };
  for (std::size_t count = some.size(); count > 0;) {
    const std::span burst(some.data(), count);
    if (!pool.alloc(burst)) {
      EXPECT_TRUE(none());
      --count;
      continue;
    }
    for (Packet& packet : burst) {
      ASSERT_TRUE(packet);
      EXPECT_EQ(packet.bytes().size(), 0U);
      EXPECT_EQ(packet.meta().port, kNoPort) << "not as another packet left it";
      EXPECT_EQ(packet.meta().stages, 0U);
      packet.meta().port = 7;
      packet.meta().stages = 1;
      ASSERT_TRUE(packet.resize(60));
      held.push_back(std::move(packet));
    }
  }
  EXPECT_GT(held.size(), some.size());
  EXPECT_FALSE(pool.alloc());
  held.pop_back();
  EXPECT_FALSE(pool.alloc(std::span(some.data(), 2)));
  EXPECT_TRUE(none());
  EXPECT_TRUE(pool.alloc(std::span(some.data(), 1))) << "the one that there is";
  some[0].reset();
  const std::size_t taken = held.size();
  held.clear();
  EXPECT_GE(pool.free_count(), taken);
}

TEST(Port, WhatADriverDoesNotHandUpWholeSaysSo) {
  const std::uint32_t before = test_pool().free_count();
  {
    rte_mbuf* whole = test_pool().copy_of(std::array<std::uint8_t, 60>{}).release();
    EXPECT_EQ(take_whole(*whole), RxFault::kNone);
    // A frame in two buffers: the first one is kept, the other goes back to its pool.
    rte_mbuf* tail = test_pool().copy_of(std::array<std::uint8_t, 60>{}).release();
    ASSERT_EQ(rte_pktmbuf_chain(whole, tail), 0);
    EXPECT_EQ(take_whole(*whole), RxFault::kChained);
    EXPECT_EQ(whole->nb_segs, 1);
    EXPECT_EQ(whole->pkt_len, 60U);
    EXPECT_EQ(take_whole(*whole), RxFault::kNone);
    for (const std::uint64_t stripped :
         {RTE_MBUF_F_RX_VLAN_STRIPPED, RTE_MBUF_F_RX_QINQ_STRIPPED}) {
      whole->ol_flags = stripped;
      EXPECT_EQ(take_whole(*whole), RxFault::kTagLost);
    }
    whole->ol_flags = RTE_MBUF_F_RX_VLAN;  // says that there is a tag, which it left in place
    EXPECT_EQ(take_whole(*whole), RxFault::kNone);
    rte_pktmbuf_free(whole);
  }
  EXPECT_EQ(test_pool().free_count(), before);
}

// Of what has ended only a burst is kept from its pool, and of an ended bin nothing.
TEST(PacketBin, GivesBuffersBackInBursts) {
  const std::uint32_t before = test_pool().free_count();
  {
    PacketBin bin;
    for (std::size_t i = 0; i < 3 * PacketBin::kRoom + 1; ++i) {
      bin.take(test_pool().alloc());
      EXPECT_GE(test_pool().free_count() + PacketBin::kRoom, before);
    }
    EXPECT_LT(test_pool().free_count(), before);
    bin.empty();
    EXPECT_EQ(test_pool().free_count(), before);
    bin.take(test_pool().alloc());
  }
  EXPECT_EQ(test_pool().free_count(), before);
}

// Whichever pools they are of, and whoever else still has one.
TEST(PacketBin, GivesEachBufferBackToItsOwnPool) {
  const std::uint32_t before = test_pool().free_count();
  const std::uint32_t datagrams = test_datagram_pool().free_count();
  rte_mbuf* const shared = test_pool().alloc().release();
  rte_mbuf_refcnt_update(shared, 1);
  {
    PacketBin bin;
    for (int i = 0; i < 8; ++i) {
      bin.take(test_pool().alloc());
      bin.take(test_datagram_pool().alloc());
      if (i == 3) bin.take(Packet(shared));
    }
  }
  EXPECT_EQ(test_pool().free_count(), before - 1);
  EXPECT_EQ(test_datagram_pool().free_count(), datagrams);
  rte_pktmbuf_free(shared);
  EXPECT_EQ(test_pool().free_count(), before);
}

}  // namespace
}  // namespace sallyport::dataplane
