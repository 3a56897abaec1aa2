// ICMP errors: as good as the packet that they quote and whoever reports it, in both versions.
#include "dataplane/stages/rewrite.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class IcmpError : public Policy {
 protected:
  using Bytes = std::vector<std::uint8_t>;
  bool v4() const { return version() == IpVersion::k4; }
  // Fragmentation needed (RFC 1191), packet too big (RFC 4443 §3.2): next hop takes `mtu`.
  Bytes too_big(const Party& from, const Party& to, const Bytes& quoted, std::uint16_t mtu) const {
    Bytes body = {0, 0, static_cast<std::uint8_t>(mtu >> 8), static_cast<std::uint8_t>(mtu)};
    const std::size_t most = v4() ? 548 : 1232;
    body.insert(body.end(), quoted.begin() + 14,
                quoted.begin() + static_cast<std::ptrdiff_t>(std::min(quoted.size(), 14 + most)));
    const PacketBuilder error(from, to);
    return v4() ? error.icmp(3, 4, body) : error.icmp(2, 0, body);
  }
  static bool sums_are_right(const Frame& frame) {
    dataplane::Packet whole = test_pool().copy_of(frame.bytes);
    whole.meta().headers = parsed(frame.bytes);
    return dataplane::transport_sum_right(whole);
  }
  Party gateway_of_uplink(std::uint16_t port) const {
    return {world_.segment_mac("uplink"), own("uplink"), port};
  }
};
SALLYPORT_IN_BOTH_VERSIONS(IcmpError);

TEST_P(IcmpError, OnADeviceSegmentOnlyTheFlowsOwnDeviceReports) {
  // scada > camera leaves by lan2 (VLAN 7); meter stands on the same port, plc in another place.
  const auto to_plc = packet("scada", 40000, "plc", 502).tcp(kTcpSyn);
  expect_out(send("scada", to_plc), "lan1");
  expect_drop(send("meter", packet("meter", 0, "scada", 0).unreachable(to_plc)),
              Drop::kIcmpUnrelated);
  expect_drop(send("camera", packet("camera", 0, "scada", 0).vlan(7).unreachable(to_plc)),
              Drop::kIcmpUnrelated);
  expect_drop(world_.receive("wan", packet("cloud", 0, "scada", 0).unreachable(to_plc)),
              Drop::kIcmpUnrelated);
  const auto out = send("plc", packet("plc", 0, "scada", 0).unreachable(to_plc));
  expect_out(out, "lan3");
  EXPECT_EQ(parsed(out[0].bytes).ttl, 63);
}

TEST_P(IcmpError, BeyondAnUplinkWhoeverIsOnTheWayReports) {
  const auto syn = packet("meter", 40000, "cloud", 8883).tcp(kTcpSyn);
  expect_out(send("meter", syn), "wan");
  const auto answer =
      world_.receive("wan", PacketBuilder(at("cloud"), gateway_of_uplink(0)).neighbour_answer());
  expect_out(answer, "wan");
  const Party to_meter{world_.segment_mac("uplink"), host("meter").address(version()), 0};
  expect_out(world_.receive("wan", too_big(at("router"), to_meter, syn, 1400)), "lan2");
  // Not to somebody else than who sent the packet.
  const Party to_plc{world_.segment_mac("uplink"), host("plc").address(version()), 0};
  expect_drop(world_.receive("wan", too_big(at("router"), to_plc, syn, 1400)),
              Drop::kIcmpUnrelated);
}

TEST_P(IcmpError, AQuoteOfNoFlowOrOfHalfAPacketIsNothing) {
  const auto query = packet("meter", 5000, "plc", 5683).udp();
  expect_drop(send("plc", packet("plc", 0, "meter", 0).unreachable(query)), Drop::kIcmpUnrelated);
  expect_out(send("meter", query), "lan1");
  auto cut = query;
  cut.resize(14 + (v4() ? 20 : 40) + 7);
  expect_drop(send("plc", packet("plc", 0, "meter", 0).unreachable(cut)), Drop::kIcmpUnrelated);
  // The device's own packet, returned to itself, is no error about what it was sent.
  expect_drop(send("meter", packet("meter", 0, "plc", 0).unreachable(query)), Drop::kIcmpUnrelated);
  model::Gateway less = plant();
  std::erase_if(less.conduits, [](const auto& c) { return c.name == "meter-plc"; });
  world_.apply(less);
  expect_drop(send("plc", packet("plc", 0, "meter", 0).unreachable(query)), Drop::kIcmpUnrelated);
}

// cloud > gateway:802 is terminated. The listener's answer was too big for somebody on the way.
TEST_P(IcmpError, ATerminatedFlowsListenerHearsOfItsPathsMtu) {
  const auto in =
      world_.receive("wan", PacketBuilder(at("cloud", 50000), gateway_of_uplink(802)).tcp(kTcpSyn));
  expect_out(in, "host:uplink");
  const std::uint16_t listener = parsed(in[0].bytes).destination_port;
  const Party stack{world_.segment_mac("uplink"), own("uplink"), listener};
  const Party client{kAnyMac, host("cloud").address(version()), 50000};
  // What the client is sent, as it is on the wire and as the stack sent it.
  const Bytes content(600, 0x5a);
  const auto on_the_wire =
      PacketBuilder(gateway_of_uplink(802), at("cloud", 50000)).payload(content).tcp(kTcpAck);
  const auto from_stack = PacketBuilder(stack, client).payload(content).tcp(kTcpAck);

  const auto out =
      world_.receive("wan", too_big(at("router"), gateway_of_uplink(0), on_the_wire, 1300));
  expect_out(out, "host:uplink");
  const Headers h = parsed(out[0].bytes);
  EXPECT_EQ(h.destination, own("uplink"));
  EXPECT_TRUE(sums_are_right(out[0]));
  // The quote is byte for byte the stack's own packet, sums included.
  const ConstBytes quoted = ConstBytes(out[0].bytes).subspan(h.payload);
  ASSERT_LE(quoted.size(), from_stack.size() - 14);
  EXPECT_TRUE(std::ranges::equal(quoted, ConstBytes(from_stack).subspan(14, quoted.size())));
  EXPECT_EQ(out[0].bytes[h.l4 + 6] << 8 | out[0].bytes[h.l4 + 7], 1300);

  // A damaged one, one about what the client sent, and one from elsewhere are not for the stack.
  auto damaged = too_big(at("router"), gateway_of_uplink(0), on_the_wire, 1300);
  damaged.back() ^= 1;
  expect_drop(world_.receive("wan", damaged), Drop::kBadTransportChecksum);
  const auto from_client = PacketBuilder(at("cloud", 50000), gateway_of_uplink(802)).tcp(kTcpSyn);
  expect_drop(world_.receive("wan", too_big(at("router"), at("cloud"), from_client, 1300)),
              Drop::kNotEnforceable);
  expect_drop(send("scada", too_big(at("scada"), {world_.segment_mac("office"), own("uplink"), 0},
                                    on_the_wire, 1300)),
              Drop::kIcmpUnrelated);
  const auto other = PacketBuilder(gateway_of_uplink(802), at("cloud", 50001)).tcp(kTcpAck);
  expect_drop(world_.receive("wan", too_big(at("router"), gateway_of_uplink(0), other, 1300)),
              Drop::kIcmpUnrelated);
}

TEST_P(IcmpError, AHostStackReportsOnlyWhatItWasSentItself) {
  const auto syn = packet("meter", 40000, "cloud", 8883).tcp(kTcpSyn);
  expect_out(send("meter", syn), "wan");
  const Party stack{world_.segment_mac("uplink"), own("uplink"), 0};
  const Party meter{kAnyMac, host("meter").address(version()), 0};
  expect_drop(world_.receive_from_host("uplink", PacketBuilder(stack, meter).unreachable(syn)),
              Drop::kIcmpUnrelated);
  // Nor does a terminated flow's client learn what its packets met.
  const auto dialled = PacketBuilder(at("cloud", 50000), gateway_of_uplink(802)).tcp(kTcpSyn);
  const auto in = world_.receive("wan", dialled);
  expect_out(in, "host:uplink");
  const Party cloud{kAnyMac, host("cloud").address(version()), 0};
  for (const Bytes& quoted : {dialled, in[0].bytes})
    expect_drop(world_.receive_from_host("uplink", PacketBuilder(stack, cloud).unreachable(quoted)),
                Drop::kIcmpUnrelated);
  // And nobody on its wire tells the stack that it did, by the listener's own number.
  const Party to_cloud{world_.segment_mac("uplink"), host("cloud").address(version()), 0};
  expect_drop(world_.receive("wan", PacketBuilder(at("router"), to_cloud).unreachable(in[0].bytes)),
              Drop::kIcmpUnrelated);
}

TEST_P(IcmpError, TheShortestQuoteOfATerminatedFlowIsTranslatedToo) {
  expect_out(
      world_.receive("wan", PacketBuilder(at("cloud", 50000), gateway_of_uplink(802)).tcp(kTcpSyn)),
      "host:uplink");
  auto sent = PacketBuilder(gateway_of_uplink(802), at("cloud", 50000)).tcp(kTcpAck);
  sent.resize(14 + (v4() ? 20 : 40) + 8);  // RFC 792: the first 64 bits
  const auto out = world_.receive("wan", too_big(at("router"), gateway_of_uplink(0), sent, 1300));
  expect_out(out, "host:uplink");
  EXPECT_TRUE(sums_are_right(out[0]));
}

TEST_P(IcmpError, AFloodOfErrorsToAHostStackIsPoliced) {
  expect_out(
      world_.receive("wan", PacketBuilder(at("cloud", 50000), gateway_of_uplink(802)).tcp(kTcpSyn)),
      "host:uplink");
  const auto sent = PacketBuilder(gateway_of_uplink(802), at("cloud", 50000)).tcp(kTcpAck);
  std::size_t passed = 0;
  for (int i = 0; i < 100; ++i)
    passed += world_.receive("wan", too_big(at("router"), gateway_of_uplink(0), sent, 1300)).size();
  EXPECT_LT(passed, 30U);
  EXPECT_EQ(to_string(*world_.verdict().drop), to_string(Drop::kHostStackPoliced));
}

}  // namespace
}  // namespace sallyport::testing
