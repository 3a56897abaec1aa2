// Fragments: judged whole, within the room of their segment, and cut again on their way out. On
// real packets, in both IP versions.
#include "dataplane/stages/fragments.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

class FragmentsTest : public Policy {
 protected:
  static Bytes numbered(std::size_t size) {
    Bytes out(size);
    std::iota(out.begin(), out.end(), std::uint8_t{0});
    return out;
  }
  // meter > plc udp/5683, which a conduit allows.
  Bytes datagram(std::size_t payload, std::uint16_t from = 5000) const {
    return packet("meter", from, "plc", 5683).payload(numbered(payload)).udp();
  }
  // Sends all of them; what the last one let out.
  std::vector<Frame> send_all(std::string_view from, const std::vector<Bytes>& frames) {
    std::vector<Frame> out;
    for (const Bytes& frame : frames) {
      EXPECT_TRUE(out.empty()) << "before it was whole";
      out = send(from, frame);
    }
    return out;
  }
  static std::vector<Bytes> bytes_of(const std::vector<Frame>& frames) {
    std::vector<Bytes> out;
    for (const Frame& frame : frames) out.push_back(frame.bytes);
    return out;
  }
  std::uint64_t drops(Drop reason) { return world_.pipeline().counters().drop_count(reason); }
  std::uint64_t held() { return world_.pipeline().counters().held; }
};
SALLYPORT_IN_BOTH_VERSIONS(FragmentsTest);

TEST_P(FragmentsTest, ADatagramGoesOutAsItCame) {
  const Bytes whole = datagram(4000);
  const auto pieces = fragments_of(whole, 1400, 77);
  const auto out = send_all("meter", pieces);
  ASSERT_EQ(out.size(), pieces.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].where, "lan1");
    EXPECT_EQ(out[i].bytes.size(), pieces[i].size()) << "cut as its sender cut it";
  }
  Bytes expected = whole;
  std::ranges::copy(host("plc").mac.bytes(), expected.begin());
  std::ranges::copy(world_.segment_mac("field").bytes(), expected.begin() + 6);
  if (version() == IpVersion::k4) {
    expected[14 + 5] = 77;
    expected[14 + 6] = 0;  // its sender did not forbid what it did
    --expected[14 + 8];
    reseal(expected);
  } else {
    --expected[14 + 7];
  }
  EXPECT_EQ(put_together(bytes_of(out)), expected);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(world_.pipeline().flows().size(), 1U);
}

TEST_P(FragmentsTest, InAnyOrder) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (std::uint32_t id = 1; id <= 50; ++id) {
    const Bytes whole = datagram(300 + random() % 1700, 6000);
    auto pieces = fragments_of(whole, 264, id);
    const std::size_t count = pieces.size();
    std::ranges::shuffle(pieces, random);
    const auto out = send_all("meter", pieces);
    ASSERT_EQ(out.size(), count) << id;
    EXPECT_EQ(put_together(bytes_of(out)).size(), whole.size());
  }
  EXPECT_EQ(held(), 0U);
}

TEST_P(FragmentsTest, TheWholeMeetsThePolicy) {
  const auto denied =
      fragments_of(packet("meter", 1, "plc", 5684).payload(numbered(2000)).udp(), 1024, 5);
  expect_drop(send_all("meter", denied), Drop::kDefaultDeny);
  // A flow opened by a datagram in pieces answers whole, and the other way round.
  ASSERT_EQ(send_all("meter", fragments_of(datagram(1600), 1024, 6)).size(), 2U);
  expect_out(send("plc", packet("plc", 5683, "meter", 5000).payload({1}).udp()), "lan2");
  EXPECT_EQ(drops(Drop::kDefaultDeny), 1U);
}

TEST_P(FragmentsTest, AWrongSumIsNotPassedOn) {
  auto pieces = fragments_of(datagram(2000), 1024, 9);
  pieces[1].back() ^= 1;
  expect_drop(send_all("meter", pieces), Drop::kBadTransportChecksum);
}

TEST_P(FragmentsTest, OverlapsNeverBecomeADatagram) {
  const Bytes whole = datagram(1016);  // 1024 with its header
  const std::vector<std::vector<Cut>> sets = {
      // The second lies over the first's end; the sizes add up all the same, for there is a hole.
      {{0, 512, true}, {256, 256, true}, {768, 256, false}},
      // Twice the same, instead of what lies between.
      {{0, 256, true}, {256, 256, true}, {256, 256, true}, {768, 256, false}},
      // A last one inside what is there already (teardrop).
      {{0, 512, true}, {8, 16, false}},
      // Two first ones, two last ones.
      {{0, 512, true}, {0, 256, true}},
      {{512, 512, false}, {768, 256, false}},
  };
  std::uint32_t id = 100;
  for (const auto& set : sets) {
    ++id;
    SCOPED_TRACE(id);
    const std::uint64_t before = drops(Drop::kFragmentOverlap);
    for (const Cut& cut : set) EXPECT_TRUE(send("meter", fragment_of(whole, cut, id)).empty());
    EXPECT_EQ(drops(Drop::kFragmentOverlap) - before, set.size());
    EXPECT_EQ(held(), 0U);
  }
}

// Whatever pieces come in whatever order: what leaves is the datagram, and only if its pieces were
// a partition of it.
TEST_P(FragmentsTest, OnlyAPartitionBecomesADatagram) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const Bytes whole = datagram(248);  // 32 times 8 with its header
  int made = 0;
  int refused = 0;
  for (std::uint32_t id = 1; id <= 2000; ++id) {
    // A partition, and in every other round a piece that does not belong.
    std::vector<Cut> cuts;
    for (std::size_t at = 0; at < 256;) {
      const std::size_t size = std::min<std::size_t>(8 * (5 + random() % 12), 256 - at);
      cuts.push_back({at, size, at + size < 256});
      at += size;
    }
    const bool spoilt = random() % 2 == 0;
    if (spoilt) {
      const std::size_t at = 8 * (random() % 31);
      const std::size_t size =
          at == 0 ? 64 : std::min<std::size_t>(8 + 8 * (random() % 4), 248 - at);
      if (size == 0) continue;
      cuts.push_back({at, size, true});
    }
    if (cuts.size() < 2) continue;
    std::ranges::shuffle(cuts, random);
    std::vector<Frame> out;
    std::size_t used = 0;
    for (const Cut& cut : cuts) {
      ++used;
      if (out = send("meter", fragment_of(whole, cut, id)); !out.empty()) break;
    }
    if (out.empty()) {
      ASSERT_TRUE(spoilt) << id;
      ++refused;
    } else {
      // With a piece too many the others may have been all there before it came.
      ASSERT_TRUE(!spoilt || used < cuts.size()) << id;
      const Bytes got = put_together(bytes_of(out));
      ASSERT_EQ(got.size(), whole.size());
      EXPECT_TRUE(std::equal(got.end() - 256, got.end(), whole.end() - 256));
      ++made;
    }
    if (id % 16 == 0) world_.wait(seconds(3));
  }
  EXPECT_GT(made, 500);
  EXPECT_GT(refused, 300);
}

TEST_P(FragmentsTest, NotMoreThanEight) {
  const auto pieces = fragments_of(datagram(9 * 256 - 8), 256, 3);
  ASSERT_EQ(pieces.size(), 9U);
  for (const Bytes& piece : pieces) EXPECT_TRUE(send("meter", piece).empty());
  EXPECT_EQ(drops(Drop::kFragmentOverlap), 8U);
  EXPECT_EQ(held(), 1U) << "the last one, which came after its datagram was given up";
  ASSERT_EQ(send_all("meter", fragments_of(datagram(8 * 256 - 8), 256, 4)).size(), 8U);
}

TEST_P(FragmentsTest, WhatCannotBelongToADatagramTakesNoRoom) {
  const Bytes udp = datagram(1016);
  const Bytes tcp = packet("scada", 40000, "plc", 502).payload(numbered(600)).tcp(kTcpAck);
  const struct {
    const char* what;
    const char* from;
    const Bytes& whole;
    Cut cut;
  } cases[] = {
      {"not in eights", "meter", udp, {0, 100, true}},
      {"empty", "meter", udp, {8, 0, true}},
      {"a first one without its header", "scada", tcp, {0, 16, true}},
      {"behind it, where flags would be", "scada", tcp, {8, 64, true}},
      {"past what a datagram may be", "meter", udp, {12'000, 8, false}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    Bytes padded = c.whole;
    padded.resize(13'000);
    expect_drop(send(c.from, fragment_of(padded, c.cut, 12)), Drop::kFragmentMalformed);
    EXPECT_EQ(held(), 0U);
  }
}

TEST_P(FragmentsTest, SenderIsBoundBeforeItTakesRoom) {
  const auto pieces = fragments_of(datagram(2000), 1024, 9);
  Bytes stolen = pieces[0];
  std::ranges::copy(host("rogue").mac.bytes(), stolen.begin() + 6);
  expect_drop(send("rogue", stolen), Drop::kStolenIdentity);
  const Bytes spoofed = fragments_of(
      PacketBuilder({host("meter").mac, own("office"), 5000}, via("meter", "plc", 5683))
          .payload(numbered(2000))
          .udp(),
      1024, 9)[0];
  expect_drop(send("meter", spoofed), Drop::kSpoofedSource);
  EXPECT_EQ(held(), 0U);
}

TEST_P(FragmentsTest, WhatStaysIncompleteIsDroppedInTime) {
  const auto pieces = fragments_of(datagram(3000), 1024, 9);
  EXPECT_TRUE(send("meter", pieces[0]).empty());
  EXPECT_TRUE(send("meter", pieces[1]).empty());
  EXPECT_EQ(held(), 2U);
  world_.wait(dataplane::Fragments::kTimeout - milliseconds(200));
  EXPECT_EQ(held(), 2U);
  world_.wait(milliseconds(400));
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(drops(Drop::kFragmentTimeout), 2U);
  // Too late, and alone.
  EXPECT_TRUE(send("meter", pieces[2]).empty());
  world_.wait(seconds(3));
  EXPECT_EQ(drops(Drop::kFragmentTimeout), 3U);
}

TEST_P(FragmentsTest, AFloodTakesNoOtherSegmentsRoom) {
  const std::uint32_t free_before = test_pool().free_count();
  // scada's datagram is on its way when meter floods its own segment with first fragments.
  const auto ping =
      fragments_of(packet("scada", 7, "plc", 0).payload(numbered(2000)).echo(true), 1024, 1);
  ASSERT_EQ(ping.size(), 2U);
  EXPECT_TRUE(send("scada", ping[0]).empty());
  for (std::uint32_t id = 0; id < 20'000; ++id)
    send("meter", fragments_of(datagram(2000), 1024, id)[0]);
  EXPECT_EQ(held(), 1U + dataplane::Fragments::kDatagrams / 4);
  EXPECT_GT(drops(Drop::kFragmentDeviceLimit), 19'000U);
  EXPECT_EQ(send("scada", ping[1]).size(), 2U);
  // And many pieces of few datagrams: what they hold is bounded as well.
  for (std::uint32_t id = 0; id < 2'000; ++id)
    for (const Bytes& piece : fragments_of(datagram(1000, 5001), 128, id))
      if (piece != fragments_of(datagram(1000, 5001), 128, id).back()) send("meter", piece);
  EXPECT_GE(test_pool().free_count() + 8 * dataplane::Fragments::kDatagrams, free_before);
  world_.wait(seconds(3));
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(test_pool().free_count(), free_before);
  // Afterwards its own go through again.
  EXPECT_EQ(send_all("meter", fragments_of(datagram(2000), 1024, 1)).size(), 2U);
}

TEST_P(FragmentsTest, TheGatewaysOwnStackGetsItWhole) {
  // The field segment answers pings of its devices.
  const Party gateway{world_.segment_mac("field"), own("field"), 0};
  const Bytes ping = PacketBuilder(at("meter", 9), gateway).payload(numbered(3000)).echo(true);
  const auto out = send_all("meter", fragments_of(ping, 1400, 2));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].where, "host:field");
  EXPECT_EQ(out[0].bytes.size(), ping.size());
  // And answers in pieces, which go to the device in pieces.
  const Bytes pong = PacketBuilder({world_.segment_mac("field"), own("field"), 9},
                                   {kAnyMac, at("meter").address, 9})
                         .payload(numbered(3000))
                         .echo(false);
  std::vector<Frame> back;
  for (const Bytes& piece : fragments_of(pong, 1400, 3))
    back = world_.receive_from_host("field", piece);
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back[0].where, "lan2");
}

TEST_P(FragmentsTest, WithoutABufferItIsDroppedByName) {
  const auto pieces = fragments_of(datagram(2000), 1024, 9);
  EXPECT_TRUE(send("meter", pieces[0]).empty());
  {
    std::vector<dataplane::Packet> hoard;
    while (auto packet = test_datagram_pool().alloc()) hoard.push_back(std::move(packet));
    EXPECT_TRUE(send("meter", pieces[1]).empty());
  }
  EXPECT_EQ(drops(Drop::kNoBuffer), 2U);
  EXPECT_EQ(held(), 0U);
  ASSERT_EQ(send_all("meter", pieces).size(), 2U);
}

// --- one version alone -------------------------------------------------------------------------

class FragmentsOfOne : public Policy {};
INSTANTIATE_TEST_SUITE_P(Ipv4, FragmentsOfOne, ::testing::Values(IpVersion::k4), version_name);

TEST_P(FragmentsOfOne, Ipv4ProtocolsDoNotMix) {
  const Bytes udp = packet("meter", 5000, "plc", 5683).payload(Bytes(1016)).udp();
  const Bytes first = fragment_of(udp, {0, 512, true}, 9);
  Bytes second = fragment_of(udp, {512, 512, false}, 9);
  second[14 + 9] = 6;
  reseal(second);
  EXPECT_TRUE(send("meter", first).empty());
  EXPECT_TRUE(send("meter", second).empty());
  world_.wait(seconds(3));
  const auto& counters = world_.pipeline().counters();
  EXPECT_EQ(
      counters.drop_count(Drop::kFragmentOverlap) + counters.drop_count(Drop::kFragmentTimeout),
      2U);
  EXPECT_EQ(counters.forwarded, 0U);
}

TEST_P(FragmentsOfOne, Ipv4DoNotFragmentStaysWithItsPieces) {
  auto pieces =
      fragments_of(packet("meter", 5000, "plc", 5683).payload(Bytes(2000)).udp(), 1024, 9);
  for (Bytes& piece : pieces) {
    piece[14 + 6] |= 0x40;
    reseal(piece);
  }
  EXPECT_TRUE(send("meter", pieces[0]).empty());
  const auto out = send("meter", pieces[1]);
  ASSERT_EQ(out.size(), 2U);
  for (const Frame& frame : out) EXPECT_NE(frame.bytes[14 + 6] & 0x40, 0);
}

class AtomicFragment : public Policy {};
INSTANTIATE_TEST_SUITE_P(Ipv6, AtomicFragment, ::testing::Values(IpVersion::k6), version_name);

TEST_P(AtomicFragment, IsAPacketOfItsOwn) {
  // RFC 6946 §4: whatever fragments of the same identifier wait.
  const Bytes whole = packet("meter", 5000, "plc", 5683).payload(Bytes(100, 7)).udp();
  const Bytes waiting = packet("meter", 5000, "plc", 5683).payload(Bytes(2000)).udp();
  EXPECT_TRUE(send("meter", fragment_of(waiting, {0, 1024, true}, 5)).empty());
  const auto out = send("meter", fragment_of(whole, {0, whole.size() - 54, false}, 5));
  expect_out(out, "lan1");
  EXPECT_EQ(out[0].bytes.size(), whole.size());
  EXPECT_EQ(parsed(out[0].bytes).destination_port, 5683);
  EXPECT_EQ(
      send("meter", fragment_of(waiting, {1024, waiting.size() - 54 - 1024, false}, 5)).size(), 2U);
}

TEST_P(AtomicFragment, NeighbourDiscoveryIsNeverInFragments) {
  // RFC 6980 §5.
  const Party gateway{world_.segment_mac("field"), own("field"), 0};
  const Bytes answer = PacketBuilder(at("meter"), gateway).neighbour_answer();
  expect_drop(send("meter", fragment_of(answer, {0, answer.size() - 54, false}, 5)),
              Drop::kFragment);
}

}  // namespace
}  // namespace sallyport::testing
