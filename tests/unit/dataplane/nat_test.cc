// NAPT44: who goes out through an uplink that has it leaves by the gateway's address there, and
// nobody comes in by it who was not spoken to.
#include <random>
#include <set>

#include "dataplane/stages/rewrite.h"
#include "tests/support/fragment_builder.h"
#include "tests/support/port_mappings_twin.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(PortMappings, AgreeWithTheirTwin) {
  std::mt19937 random(std::random_device{}());
  PortMappingsDuel duel;
  for (int i = 0; i < 20'000; ++i)
    duel.step(static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()),
              static_cast<std::uint8_t>(random()));
  EXPECT_TRUE(duel.refused_both_ways());
  duel.end_all();
}

model::Gateway mapped_plant(bool napt44 = true) {
  model::Gateway g = plant();
  for (model::Segment& s : g.segments) s.napt44 = napt44 && s.name == "uplink";
  const Host& cloud = host("cloud");
  const Host& far = host("far");
  const auto add = [&](const char* name, model::End from, model::End to,
                       model::ServiceSpec service) {
    model::Conduit c = g.conduits.front();
    c.name = name;
    c.from = std::move(from);
    c.to = std::move(to);
    c.service = std::move(service);
    g.conduits.push_back(std::move(c));
  };
  const model::End outside = model::AddressEnd{{cloud.v4, cloud.v6, far.v4, far.v6}};
  add("meter-coap", model::DeviceEnd{"meter"}, outside,
      {"udp/5683", IpProtocol::kUdp, {5683, 5683}, false});
  add("meter-ping", model::DeviceEnd{"meter"}, outside,
      {"icmp-echo", IpProtocol::kIcmp, {8, 8}, false});
  add("plc-coap", model::DeviceEnd{"plc"}, outside,
      {"udp/5683", IpProtocol::kUdp, {5683, 5683}, false});
  add("cloud-to-plc", model::SegmentEnd{"uplink", {*IpPrefix::parse("192.0.2.0/24")}},
      model::DeviceEnd{"plc"}, {"tcp/80", IpProtocol::kTcp, {80, 80}, false});
  return g;
}

class Nat : public ::testing::Test {
 protected:
  explicit Nat(std::uint32_t flows = 1024, dataplane::PortShare ports = {})
      : world_(mapped_plant(), flows, ports) {
    for (const char* name : {"cloud", "router"}) mapped(39999, name);
  }
  // What of it is IP, and what comes when the uplink's hosts that it asks for have answered.
  std::vector<Frame> packets(const std::vector<Frame>& frames) {
    std::vector<Frame> out;
    for (const Frame& frame : frames) {
      const Headers h = parsed(frame.bytes);
      if (h.is_ip()) out.push_back(frame);
      for (const char* name : {"cloud", "router"})
        if (!h.is_ip() && h.destination == host(name).v4) {
          const auto let_go =
              world_.receive("wan", PacketBuilder({host(name).mac, host(name).v4, 0},
                                                  {world_.segment_mac("uplink"), kOwn, 0})
                                        .neighbour_answer());
          out.insert(out.end(), let_go.begin(), let_go.end());
        }
    }
    return out;
  }
  void wait(Duration time) {
    for (Duration waited{}; waited < time; waited += seconds(1)) packets(world_.wait(seconds(1)));
  }
  PacketBuilder from(std::string_view device, std::string_view to, std::uint16_t port,
                     std::uint16_t server_port = 5683) const {
    return {{host(device).mac, host(device).v4, port},
            {world_.segment_mac(host(device).segment),
             to == "router" ? host("far").v4 : host(to).v4, server_port}};
  }
  PacketBuilder from_meter(std::string_view to, std::uint16_t port,
                           std::uint16_t server_port = 5683) const {
    return from("meter", to, port, server_port);
  }
  PacketBuilder from_outside(std::string_view sender, std::uint16_t port, std::uint16_t to) const {
    return {{host(sender).mac, host(sender).v4, port}, {world_.segment_mac("uplink"), kOwn, to}};
  }
  // What left by `port`, parsed; its sums must be right.
  Headers out(const std::vector<Frame>& frames, std::string_view port) const {
    EXPECT_EQ(frames.size(), 1U) << (world_.verdict().drop ? to_string(*world_.verdict().drop)
                                                           : "");
    if (frames.size() != 1) return {};
    EXPECT_EQ(frames[0].where, port);
    dataplane::Packet whole = test_pool().copy_of(frames[0].bytes);
    whole.meta().headers = parsed(frames[0].bytes);
    EXPECT_TRUE(dataplane::transport_sum_right(whole)) << as_scapy(frames[0].bytes);
    return whole.meta().headers;
  }
  // By which port the meter's packets leave that it sends from `port`.
  std::uint16_t mapped(std::uint16_t port, std::string_view to = "cloud") {
    const auto frames = packets(world_.receive("lan2", from_meter(to, port).udp()));
    const Headers h = out(frames, "wan");
    EXPECT_EQ(h.source, kOwn);
    EXPECT_TRUE(wire::is_nat_port(h.source_port));
    return h.source_port;
  }
  void expect_drop(const std::vector<Frame>& frames, Drop reason) {
    EXPECT_TRUE(frames.empty()) << frames[0].where << ' ' << as_scapy(frames[0].bytes);
    ASSERT_TRUE(world_.verdict().drop.has_value());
    EXPECT_EQ(to_string(*world_.verdict().drop), to_string(reason));
  }
  std::uint32_t mappings() { return world_.pipeline().mappings().size(); }

  static inline const IpAddress kOwn = *IpAddress::parse("192.0.2.2");
  PipelineWorld world_;
};

TEST_F(Nat, ATcpConversationLeavesByTheGatewaysAddressAndComesBackToTheDevice) {
  const auto went =
      out(world_.receive("lan2", from_meter("cloud", 40000, 8883).tcp(kTcpSyn)), "wan");
  EXPECT_EQ(went.source, kOwn);
  EXPECT_EQ(went.destination, host("cloud").v4);
  EXPECT_EQ(went.ttl, 63);
  const auto back = out(
      world_.receive("wan", from_outside("cloud", 8883, went.source_port).tcp(kTcpSyn | kTcpAck)),
      "lan2");
  EXPECT_EQ(back.source, host("cloud").v4);
  EXPECT_EQ(back.destination, host("meter").v4);
  EXPECT_EQ(back.destination_port, 40000);
  const auto last =
      out(world_.receive("lan2", from_meter("cloud", 40000, 8883).payload({1, 2, 3}).tcp(kTcpAck)),
          "wan");
  EXPECT_EQ(last.source_port, went.source_port);
}

// RFC 4787 REQ-1 and REQ-3, RFC 5382 REQ-1.
TEST_F(Nat, OneInsidePortIsOneOutsidePortWhoeverIsSpokenTo) {
  const std::uint16_t first = mapped(40000, "cloud");
  EXPECT_EQ(mapped(40000, "router"), first);
  EXPECT_EQ(mapped(40000, "cloud"), first);
  EXPECT_NE(mapped(40001), first);
  const auto tcp =
      out(world_.receive("lan2", from_meter("cloud", 40000, 8883).tcp(kTcpSyn)), "wan");
  EXPECT_EQ(tcp.source, kOwn);
  // Another device with the same port is somebody else.
  const auto other = out(world_.receive("lan1", from("plc", "cloud", 40000).udp()), "wan");
  EXPECT_NE(other.source_port, first);
}

TEST_F(Nat, OnlyWhoWasSpokenToAnswers) {
  const std::uint16_t port = mapped(40000, "cloud");
  expect_drop(world_.receive("wan", from_outside("far", 5683, port).udp()), Drop::kDefaultDeny);
  expect_drop(world_.receive("wan", from_outside("cloud", 5684, port).udp()), Drop::kDefaultDeny);
  const auto back = out(world_.receive("wan", from_outside("cloud", 5683, port).udp()), "lan2");
  EXPECT_EQ(back.destination, host("meter").v4);
  // Nor does the device's own address, which outside knows nobody.
  const PacketBuilder direct({host("cloud").mac, host("cloud").v4, 5683},
                             {world_.segment_mac("uplink"), host("meter").v4, 40000});
  expect_drop(world_.receive("wan", direct.udp()), Drop::kDefaultDeny);
}

// RFC 5508 REQ-1 and REQ-3.
TEST_F(Nat, AnEchosIdentifierIsMappedAndComesBack) {
  const auto went =
      out(world_.receive("lan2", from_meter("cloud", 77).payload({9, 9, 9}).echo(true)), "wan");
  EXPECT_EQ(went.source, kOwn);
  EXPECT_NE(went.source_port, 77);
  expect_drop(world_.receive("wan", from_outside("cloud", 0, 77).echo(false)), Drop::kDefaultDeny);
  const auto back =
      out(world_.receive("wan", from_outside("cloud", 0, went.source_port).echo(false)), "lan2");
  EXPECT_EQ(back.destination, host("meter").v4);
  EXPECT_EQ(back.source_port, 77);
}

// RFC 5508 REQ-4 and REQ-5: both ways, and the quote as its sender knows it.
TEST_F(Nat, AnErrorReachesWhomItConcernsInTheirOwnNumbers) {
  const auto sent = world_.receive("lan2", from_meter("cloud", 40000).payload(Bytes(64, 7)).udp());
  const auto error = world_.receive("wan", PacketBuilder({host("router").mac, host("router").v4, 0},
                                                         {world_.segment_mac("uplink"), kOwn, 0})
                                               .unreachable(sent[0].bytes));
  const Headers in = out(error, "lan2");
  EXPECT_EQ(in.destination, host("meter").v4);
  const auto quote = dataplane::parse_quote(error[0].bytes, in);
  ASSERT_TRUE(quote);
  EXPECT_EQ(quote->source, host("meter").v4);
  EXPECT_EQ(quote->source_port, 40000);
  // The device refuses an answer.
  const std::uint16_t port = parsed(sent[0].bytes).source_port;
  const auto answer = world_.receive("wan", from_outside("cloud", 5683, port).udp());
  const auto refusal =
      world_.receive("lan2", PacketBuilder({host("meter").mac, host("meter").v4, 0},
                                           {world_.segment_mac("field"), host("cloud").v4, 0})
                                 .unreachable(answer[0].bytes));
  const Headers back = out(refusal, "wan");
  EXPECT_EQ(back.source, kOwn);
  const auto told = dataplane::parse_quote(refusal[0].bytes, back);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->destination, kOwn);
  EXPECT_EQ(told->destination_port, port);
  // A damaged one is not made right.
  auto damaged = PacketBuilder({host("router").mac, host("router").v4, 0},
                               {world_.segment_mac("uplink"), kOwn, 0})
                     .unreachable(sent[0].bytes);
  damaged.back() ^= 1;
  expect_drop(world_.receive("wan", damaged), Drop::kBadTransportChecksum);
}

// RFC 5508 REQ-4: as they sent it, whichever side they are on.
TEST_F(Nat, WhoSentTooMuchIsToldInTheirOwnNumbers) {
  const auto narrow = [&](std::string_view segment) {
    model::Gateway g = mapped_plant();
    for (model::Segment& s : g.segments)
      if (s.name == segment) s.mtu = 1400;
    world_.apply(g);
  };
  const std::uint16_t port = mapped(40000);
  const Bytes much(1472, 7);
  narrow("uplink");
  const Bytes out = from_meter("cloud", 40000).payload(much).udp();
  const auto inside = world_.receive("lan2", out);
  ASSERT_EQ(inside.size(), 1U);
  EXPECT_EQ(inside[0].where, "lan2");
  EXPECT_EQ(inside[0].bytes,
            PacketBuilder({world_.segment_mac("field"), *IpAddress::parse("10.20.0.1"), 0},
                          {host("meter").mac, host("meter").v4, 0})
                .too_big(out, 1400));
  narrow("field");
  const Bytes in = from_outside("cloud", 5683, port).payload(much).udp();
  const auto outside = world_.receive("wan", in);
  ASSERT_EQ(outside.size(), 1U);
  EXPECT_EQ(outside[0].where, "wan");
  EXPECT_EQ(outside[0].bytes, PacketBuilder({world_.segment_mac("uplink"), kOwn, 0},
                                            {host("cloud").mac, host("cloud").v4, 0})
                                  .too_big(in, 1400));
}

// RFC 1191 behind NAPT44: a router on the way speaks of the outside's packet.
TEST_F(Nat, APathsMtuReachesTheDeviceInItsOwnNumbers) {
  Bytes sent = from_meter("cloud", 40000).payload(Bytes(300, 7)).udp();
  const auto went = packets(world_.receive("lan2", sent));
  ASSERT_EQ(went.size(), 1U);
  const auto error = world_.receive("wan", PacketBuilder({host("router").mac, host("router").v4, 0},
                                                         {world_.segment_mac("uplink"), kOwn, 0})
                                               .too_big(went[0].bytes, 1300));
  const Headers h = out(error, "lan2");
  EXPECT_EQ(h.source, host("router").v4);
  EXPECT_EQ(h.destination, host("meter").v4);
  EXPECT_EQ(error[0].bytes[h.l4 + 6U] << 8 | error[0].bytes[h.l4 + 7U], 1300);
  --sent[14 + 8];  // one hop on
  reseal(sent);
  EXPECT_TRUE(std::ranges::equal(ConstBytes(error[0].bytes).subspan(h.payload),
                                 ConstBytes(sent).subspan(14)));
}

// What is cut on its way out is one datagram's still.
TEST_F(Nat, PiecesLeaveByTheGatewaysAddress) {
  model::Gateway g = mapped_plant();
  for (model::Segment& s : g.segments) s.mtu = s.name == "uplink" ? 1400 : s.mtu;
  world_.apply(g);
  const auto frames = world_.receive(
      "lan2", from_meter("cloud", 40000).may_be_cut(12).payload(Bytes(1472, 7)).udp());
  ASSERT_EQ(frames.size(), 2U);
  for (const Frame& frame : frames) EXPECT_EQ(parsed(frame.bytes).source, kOwn);
  const Bytes whole = put_together({frames[0].bytes, frames[1].bytes});
  out({{"wan", whole}}, "wan");
}

// That would be a bridge between devices by way of the uplink's address.
TEST_F(Nat, ADeviceCannotReachAnotherThroughTheOutside) {
  const std::uint16_t port = mapped(40000);
  const PacketBuilder back({host("plc").mac, host("plc").v4, 5683},
                           {world_.segment_mac("field"), kOwn, port});
  expect_drop(world_.receive("lan1", back.udp()), Drop::kDefaultDeny);
  expect_drop(world_.receive("lan1", back.tcp(kTcpSyn)), Drop::kDefaultDeny);
}

TEST_F(Nat, Ipv6AndWhoComesInAreRoutedAsTheyAre) {
  const PacketBuilder v6({host("meter").mac, host("meter").v6, 40000},
                         {world_.segment_mac("field"), host("cloud").v6, 5683});
  world_.receive("lan2", v6.udp());
  const auto frames = world_.receive(
      "wan", PacketBuilder({host("cloud").mac, host("cloud").v6, 0},
                           {world_.segment_mac("uplink"), *IpAddress::parse("2001:db8::2"), 0})
                 .neighbour_answer());
  EXPECT_EQ(out(frames, "wan").source, host("meter").v6);
  const PacketBuilder inbound({host("cloud").mac, host("cloud").v4, 50000},
                              {world_.segment_mac("uplink"), host("plc").v4, 80});
  EXPECT_EQ(out(world_.receive("wan", inbound.tcp(kTcpSyn)), "lan1").source, host("cloud").v4);
}

TEST_F(Nat, AMappingLivesAsLongAsItsFlows) {
  const std::uint32_t before = mappings();
  const std::uint16_t port = mapped(40000, "cloud");
  mapped(40000, "router");
  EXPECT_EQ(mappings(), before + 1);
  for (int i = 0; i < 8; ++i) {
    wait(minutes(1));
    EXPECT_EQ(mapped(40000, "router"), port);
  }
  wait(minutes(6));
  EXPECT_EQ(mappings(), 0U);
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
}

TEST_F(Nat, ARevisionThatMapsOtherwiseEndsTheFlow) {
  const std::uint16_t port = mapped(40000);
  world_.apply(mapped_plant());
  EXPECT_EQ(mapped(40000), port) << "the same policy again";
  world_.apply(mapped_plant(false));
  expect_drop(world_.receive("lan2", from_meter("cloud", 40000).udp()), Drop::kRevoked);
  EXPECT_EQ(out(world_.receive("lan2", from_meter("cloud", 40000).udp()), "wan").source,
            host("meter").v4);
  world_.apply(mapped_plant());
  expect_drop(world_.receive("lan2", from_meter("cloud", 40000).udp()), Drop::kRevoked);
  mapped(40000);
  model::Gateway moved = mapped_plant();
  moved.segments.back().addresses.front().address = *IpAddress::parse("192.0.2.77");
  world_.apply(moved);
  expect_drop(world_.receive("lan2", from_meter("cloud", 40000).udp()), Drop::kRevoked);
}

class FullNat : public Nat {
 protected:
  FullNat() : Nat(8192) {}
};

// RFC 6888 REQ-4: one device's flood leaves the others' ports alone.
TEST_F(FullNat, ADeviceThatOpensManyFlowsUsesUpItsOwnShareOnly) {
  std::set<std::uint16_t> ports;
  const std::uint32_t before = mappings();
  std::uint16_t next = 1000;
  while (mappings() < dataplane::PortMappings::kMostPortsOfDevice) ports.insert(mapped(next++));
  EXPECT_EQ(ports.size(), mappings() - before) << "each its own";
  expect_drop(world_.receive("lan2", from_meter("cloud", next).udp()), Drop::kNatDeviceLimit);
  EXPECT_TRUE(ports.contains(mapped(1000))) << "what it has goes on";
  dataplane::Event event;
  ASSERT_TRUE(world_.events().take(event));
  EXPECT_EQ(event.kind, dataplane::EventKind::kNatDeviceLimit);
  EXPECT_EQ(event.address, host("meter").v4);
  out(world_.receive("lan1", from("plc", "cloud", 40000).udp()), "wan");
  wait(minutes(6));
  EXPECT_EQ(mappings(), 0U);
  mapped(next);
}

class FewPorts : public Nat {
 protected:
  FewPorts() : Nat(1024, {20000, 20003}) {}
};

TEST_F(FewPorts, WithoutAFreePortNothingLeavesAndNothingIsLost) {
  for (std::uint16_t port = 1; port <= 3; ++port) mapped(port);  // and that of the beginning
  const std::uint32_t flows = world_.pipeline().flows().size();
  expect_drop(world_.receive("lan2", from_meter("cloud", 4).udp()), Drop::kNatPortsExhausted);
  expect_drop(world_.receive("lan1", from("plc", "cloud", 4).udp()), Drop::kNatPortsExhausted);
  dataplane::Event event;
  for (const char* device : {"meter", "plc"}) {
    ASSERT_TRUE(world_.events().take(event));
    EXPECT_EQ(event.kind, dataplane::EventKind::kNatPortsExhausted);
    EXPECT_EQ(event.address, host(device).v4);
  }
  EXPECT_EQ(world_.pipeline().flows().size(), flows);
  mapped(3);
  // Each protocol has its own.
  out(world_.receive("lan2", from_meter("cloud", 4).echo(true)), "wan");
  wait(minutes(6));
  mapped(4);
}

// Every sum is updated, not computed: equal to a computed one whatever the packet says.
TEST_F(Nat, SumsStayRightWhateverThePayload) {
  std::mt19937 random(std::random_device{}());
  for (int i = 0; i < 500; ++i) {
    Bytes payload(random() % 64);
    for (std::uint8_t& byte : payload)
      byte = static_cast<std::uint8_t>(random() % 3 == 0 ? 0xff : random());
    const auto port = static_cast<std::uint16_t>(1 + random() % 200);
    const auto frames = world_.receive("lan2", from_meter("cloud", port).payload(payload).udp());
    const Headers went = out(frames, "wan");
    out(world_.receive("wan", from_outside("cloud", 5683, went.source_port).payload(payload).udp()),
        "lan2");
  }
  // RFC 768: no sum stays no sum.
  Bytes none = from_meter("cloud", 300).payload({1, 2, 3}).udp();
  none[14 + 20 + 6] = none[14 + 20 + 7] = 0;
  const auto frames = world_.receive("lan2", none);
  out(frames, "wan");
  EXPECT_EQ(frames[0].bytes[14 + 20 + 6] | frames[0].bytes[14 + 20 + 7], 0);
}

}  // namespace
}  // namespace sallyport::testing
