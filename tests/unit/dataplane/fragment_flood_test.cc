// Floods of first fragments: what they take, and what their neighbours have left.
#include <algorithm>
#include <random>

#include "dataplane/stages/fragments.h"
#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

class FragmentFlood : public Policy {
 protected:
  // meter > plc udp/5683, which a conduit allows.
  Bytes datagram(std::size_t payload) const {
    return packet("meter", 5000, "plc", 5683).payload(Bytes(payload)).udp();
  }
};
SALLYPORT_IN_BOTH_VERSIONS(FragmentFlood);

// Who floods has a quarter; its neighbour's datagram and an answer of the flooder's own peer go
// through all the while, whichever of the workers put them together.
TEST_P(FragmentFlood, AFloodTakesAQuarterOfItsSegmentsRoom) {
  for (const std::size_t workers : {1U, 2U, 3U}) {
    SCOPED_TRACE(workers);
    PipelineWorld world(workers, plant());
    const auto first_of = [&](std::uint32_t id) {
      return fragments_of(datagram(2000), 1024, id)[0];
    };
    // The flow that the neighbour answers in.
    world.receive("lan2", packet("meter", 5000, "plc", 5683).udp());
    const auto held = [&] {
      std::uint64_t out = 0;
      for (std::size_t w = 0; w < workers; ++w) out += world.pipeline_of(w).counters().held;
      return out;
    };
    const auto limited = [&] {
      std::uint64_t out = 0;
      for (std::size_t w = 0; w < workers; ++w)
        out += world.pipeline_of(w).counters().drop_count(Drop::kFragmentDeviceLimit);
      return out;
    };
    for (std::uint32_t id = 0; id < 1000; ++id) {
      world.receive("lan2", first_of(id));
      if (id % 10 != 0) continue;
      const auto answer =
          fragments_of(packet("plc", 5683, "meter", 5000).payload(Bytes(2000)).udp(), 1024, id);
      ASSERT_TRUE(world.receive("lan1", answer[0]).empty());
      ASSERT_EQ(world.receive("lan1", answer[1]).size(), 2U) << id;
    }
    EXPECT_EQ(held(), dataplane::Fragments::kDatagrams / 4);
    EXPECT_EQ(limited(), 1000 - dataplane::Fragments::kDatagrams / 4);
    world.wait(seconds(3));
    EXPECT_EQ(held(), 0U);
    // Its own, as soon as the flood is over.
    const auto own = fragments_of(datagram(2000), 1024, 7);
    EXPECT_TRUE(world.receive("lan2", own[0]).empty());
    EXPECT_EQ(world.receive("lan2", own[1]).size(), 2U);
  }
}

// Pieces of few datagrams in any order, overlapping, twice, never whole or by chance: whoever may
// have what of the room is known to the end, or the process would have.
TEST_P(FragmentFlood, NoMixtureOfPiecesUpsetsWhoHoldsWhat) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::uint64_t whole = 0;
  for (int i = 0; i < 20'000; ++i) {
    const bool from_meter = random() % 3 != 0;
    const Bytes frame = from_meter ? packet("meter", 5000, "plc", 5683).payload(Bytes(1008)).udp()
                                   : packet("plc", 5683, "meter", 5000).payload(Bytes(1008)).udp();
    const std::size_t offset = random() % 4 * 256,
                      end = std::min<std::size_t>(offset + 256 * (1 + random() % 3), 1016);
    world_.receive(from_meter ? "lan2" : "lan1",
                   fragment_of(frame, {offset, end - offset, end < 1016},
                               static_cast<std::uint32_t>(random() % 12)));
    whole += world_.verdict().rule.has_value() ? 1 : 0;
    const auto& counters = world_.pipeline().counters();
    ASSERT_LE(counters.held, dataplane::Fragments::kDatagrams / 4 * 8 * 2);
    if (random() % 200 == 0) world_.wait(milliseconds(random() % 4000));
  }
  EXPECT_GT(whole, 100U);
  EXPECT_GT(world_.pipeline().counters().drop_count(Drop::kFragmentOverlap), 100U);
  EXPECT_GT(world_.pipeline().counters().drop_count(Drop::kFragmentDeviceLimit), 10U);
  world_.wait(seconds(3));
  EXPECT_EQ(world_.pipeline().counters().held, 0U);
}

// Beyond an uplink a sender is an address, in IPv6 a /64; the gateway's own stack is another than
// its neighbours on the link.
TEST_P(FragmentFlood, SendersBeyondAnUplinkAreToldApartByAddress) {
  const auto from = [&](const char* v4, const char* v6, std::uint32_t id) {
    const auto source = *IpAddress::parse(version() == IpVersion::k4 ? v4 : v6);
    const Bytes whole =
        PacketBuilder({host("router").mac, source, 5000}, via("router", "plc", 5683))
            .payload(Bytes(1016))
            .udp();
    world_.receive("wan", fragment_of(whole, {0, 512, true}, id));
    return world_.verdict().drop;
  };
  constexpr std::uint32_t kShare = dataplane::Fragments::kDatagrams / 4;
  for (std::uint32_t id = 0; id < kShare; ++id)
    EXPECT_EQ(from("203.0.113.1", "2001:db9:0:1::1", id), std::nullopt);
  EXPECT_EQ(from("203.0.113.1", "2001:db9:0:1::1", 100), Drop::kFragmentDeviceLimit);
  const bool v6 = version() == IpVersion::k6;
  EXPECT_EQ(from("203.0.113.2", "2001:db9:0:1::2", 101),
            v6 ? std::optional(Drop::kFragmentDeviceLimit) : std::nullopt);
  EXPECT_EQ(from("203.0.113.3", "2001:db9:0:2::1", 102), std::nullopt);
}

}  // namespace
}  // namespace sallyport::testing
