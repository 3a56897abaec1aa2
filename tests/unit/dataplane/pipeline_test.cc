#include "dataplane/pipeline.h"

#include "dataplane/stages/rewrite.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

SALLYPORT_IN_BOTH_VERSIONS(Policy);

TEST_P(Policy, ADirectConduitCarriesBothDirectionsAndNothingBeside) {
  open_tcp();
  expect_drop(send("scada", packet("scada", 40001, "plc", 503).tcp(kTcpSyn)), Drop::kDefaultDeny);
  expect_drop(send("plc", packet("plc", 502, "scada", 41000).tcp(kTcpSyn)), Drop::kDefaultDeny);
  expect_drop(send("meter", packet("meter", 40000, "plc", 502).tcp(kTcpSyn)), Drop::kDefaultDeny);
}

TEST_P(Policy, UdpBetweenDevicesOfOneSegmentGoesByTheGateway) {
  expect_out(send("meter", packet("meter", 5000, "plc", 5683).payload({1, 2, 3}).udp()), "lan1");
  expect_out(send("plc", packet("plc", 5683, "meter", 5000).payload({4}).udp()), "lan2");
}

TEST_P(Policy, AForwardedPacketHasOneHopLessAndRightSums) {
  const auto out = send("scada", packet("scada", 40000, "plc", 502).ttl(17).tcp(kTcpSyn));
  expect_out(out, "lan1");
  const Headers h = parsed(out[0].bytes);  // refuses a wrong IPv4 header sum
  EXPECT_EQ(h.ttl, 16);
  EXPECT_EQ(h.source_mac, world_.segment_mac("field"));
  EXPECT_EQ(h.destination_mac, host("plc").mac);
}

TEST_P(Policy, AVlanTagIsWrittenForTheDestinationsWire) {
  const auto out = send("scada", packet("scada", 40000, "camera", 80).tcp(kTcpSyn));
  expect_out(out, "lan2");
  EXPECT_EQ(parsed(out[0].bytes).vlan, 7);
  const auto back =
      send("camera", packet("camera", 80, "scada", 40000).vlan(7).tcp(kTcpSyn | kTcpAck));
  expect_out(back, "lan3");
  EXPECT_EQ(parsed(back[0].bytes).vlan, 0);
}

TEST_P(Policy, EchoGoesThereAndBackButNotBackwards) {
  expect_out(send("scada", packet("scada", 77, "plc", 0).echo(true)), "lan1");
  expect_out(send("plc", packet("plc", 0, "scada", 77).echo(false)), "lan3");
  expect_drop(send("plc", packet("plc", 78, "scada", 0).echo(true)), Drop::kDefaultDeny);
  expect_drop(send("plc", packet("plc", 0, "scada", 79).echo(false)), Drop::kDefaultDeny);
}

TEST_P(Policy, AnOpenEchoCarriesNoQuestionBackwards) {
  expect_out(send("scada", packet("scada", 77, "plc", 0).echo(true)), "lan1");
  // The same identifier the other way round: the tuple is the flow's, the message is not.
  const Party plc = at("plc", 77);
  expect_drop(send("plc", PacketBuilder(plc, via("plc", "scada", 0)).echo(true)),
              Drop::kDefaultDeny);
  expect_drop(send("scada", packet("scada", 0, "plc", 77).echo(false)), Drop::kDefaultDeny);
  expect_out(send("plc", packet("plc", 0, "scada", 77).echo(false)), "lan3");
}

TEST_P(Policy, AnIdentityOnAnotherPortIsStolenAndTheEventNamesBothPorts) {
  const auto frame = packet("plc", 502, "scada", 40000).tcp(kTcpSyn);
  expect_drop(world_.receive("lan2", frame), Drop::kStolenIdentity);
  dataplane::Event event;
  ASSERT_TRUE(world_.events().take(event));
  EXPECT_EQ(event.home_port, world_.port_slot("lan1"));
  EXPECT_EQ(event.seen_port, world_.port_slot("lan2"));
  // The address alone is enough.
  const PacketBuilder thief({host("rogue").mac, host("plc").address(version()), 502},
                            via("plc", "scada", 40000));
  expect_drop(world_.receive("lan2", thief.tcp(kTcpSyn)), Drop::kStolenIdentity);
  // The owner is not cut off.
  open_tcp();
}

TEST_P(Policy, StrangersAndSpoofersAreNamed) {
  expect_drop(send("rogue", packet("rogue", 1, "plc", 502).tcp(kTcpSyn)), Drop::kUnknownDevice);
  const PacketBuilder spoofer({host("meter").mac, host("rogue").address(version()), 1},
                              via("meter", "plc", 5683));
  expect_drop(world_.receive("lan2", spoofer.udp()), Drop::kSpoofedSource);
  const PacketBuilder inside({host("cloud").mac, host("scada").address(version()), 1},
                             via("cloud", "plc", 502));
  expect_drop(world_.receive("wan", inside.tcp(kTcpSyn)), Drop::kReversePath);
}

TEST_P(Policy, ProxyAnswersForTheFarEndOfAConduitOnly) {
  const PacketBuilder asks(at("meter"), at("plc"));
  const auto out = world_.receive("lan2", asks.neighbour_question());
  expect_out(out, "lan2");
  EXPECT_EQ(parsed(out[0].bytes).link_layer, world_.segment_mac("field"));
  const PacketBuilder nobody(at("meter"), at("rogue"));
  expect_drop(world_.receive("lan2", nobody.neighbour_question()),
              version() == IpVersion::k4 ? Drop::kArpUnanswered : Drop::kNdUnanswered);
}

TEST_P(Policy, AnUplinkHostIsAskedForOnceAndOnlyItsAnswerCounts) {
  const auto unasked = PacketBuilder(at("cloud"), {world_.segment_mac("uplink"), own("uplink"), 0})
                           .neighbour_answer();
  const Drop unsolicited =
      version() == IpVersion::k4 ? Drop::kArpUnsolicited : Drop::kNdUnsolicited;
  expect_drop(world_.receive("wan", unasked), unsolicited);
  const auto syn = packet("meter", 40000, "cloud", 8883).tcp(kTcpSyn);
  const auto question = send("meter", syn);
  expect_out(question, "wan");
  EXPECT_TRUE(parsed(question[0].bytes).is_neighbour());
  expect_drop(send("meter", syn), Drop::kNeighbourPending);
  const auto released = world_.receive("wan", unasked);
  expect_out(released, "wan");
  EXPECT_EQ(parsed(released[0].bytes).destination_mac, host("cloud").mac);
  expect_drop(world_.receive("wan", unasked), unsolicited);
}

TEST_P(Policy, WhatIsFarAwayLeavesByTheNextHop) {
  const auto question = send("meter", packet("meter", 40000, "far", 8883).tcp(kTcpSyn));
  expect_out(question, "wan");
  const auto released = world_.receive(
      "wan", PacketBuilder(at("router"), {world_.segment_mac("uplink"), own("uplink"), 0})
                 .neighbour_answer());
  expect_out(released, "wan");
  EXPECT_EQ(parsed(released[0].bytes).destination_mac, host("router").mac);
  EXPECT_EQ(parsed(released[0].bytes).destination, host("far").address(version()));
}

TEST_P(Policy, ATerminatedConduitIsRewrittenIntoTheHostStackAndBack) {
  const Party gateway{world_.segment_mac("uplink"), own("uplink"), 802};
  const auto in = world_.receive("wan", PacketBuilder(at("cloud", 50000), gateway).tcp(kTcpSyn));
  expect_out(in, "host:uplink");
  const Headers h = parsed(in[0].bytes);
  EXPECT_EQ(h.destination, own("uplink"));
  ASSERT_GE(h.destination_port, 40000) << "a listener's port";
  const Party listener{world_.segment_mac("uplink"), own("uplink"), h.destination_port};
  const Party client{kAnyMac, host("cloud").address(version()), 50000};
  const auto asked =
      world_.receive_from_host("uplink", PacketBuilder(listener, client).tcp(kTcpSyn | kTcpAck));
  expect_out(asked, "wan");  // the question for the client's MAC
  const auto out = world_.receive("wan", PacketBuilder(at("cloud"), gateway).neighbour_answer());
  expect_out(out, "wan");
  const Headers back = parsed(out[0].bytes);
  EXPECT_EQ(back.source_port, 802);
  EXPECT_EQ(back.destination_port, 50000);
  dataplane::Packet whole = test_pool().copy_of(out[0].bytes);
  whole.meta().headers = back;
  EXPECT_TRUE(dataplane::transport_sum_right(whole)) << "RFC 1624 against full recomputation";
  // By its own number the listener is not there.
  const Party direct{gateway.mac, gateway.address, h.destination_port};
  expect_drop(world_.receive("wan", PacketBuilder(at("cloud", 50001), direct).tcp(kTcpSyn)),
              Drop::kListenerPort);
}

TEST_P(Policy, HandshakesInFlightNeverExceedTheirBoundAndComeBack) {
  const Party gateway{world_.segment_mac("uplink"), own("uplink"), 802};
  const auto dial = [&](std::uint16_t port) {
    return world_.receive("wan", PacketBuilder(at("cloud", port), gateway).tcp(kTcpSyn));
  };
  expect_out(dial(50000), "host:uplink");
  expect_out(dial(50001), "host:uplink");
  expect_drop(dial(50002), Drop::kAdmissionFull);
  world_.wait(seconds(18));  // reclaimed: nobody returned them
  expect_out(dial(50003), "host:uplink");
}

TEST_P(Policy, AHostStackReachesNothingOfItsOwn) {
  const Party host_stack{world_.segment_mac("field"), own("field"), 33333};
  const Party plc{kAnyMac, host("plc").address(version()), 22};
  expect_drop(world_.receive_from_host("field", PacketBuilder(host_stack, plc).tcp(kTcpSyn)),
              Drop::kHostStackDenied);
  const Party liar{world_.segment_mac("field"), host("plc").address(version()), 1};
  const Party scada{kAnyMac, host("scada").address(version()), 1};
  expect_drop(world_.receive_from_host("field", PacketBuilder(liar, scada).tcp(kTcpSyn)),
              Drop::kHostStackDenied);
}

TEST_P(Policy, TheHostStackIsGivenRightSumsOnly) {
  const Party gateway{world_.segment_mac("uplink"), own("uplink"), 802};
  auto frame = PacketBuilder(at("cloud", 50000), gateway).tcp(kTcpSyn);
  frame.back() ^= 1;  // the urgent pointer: only the sum tells
  for (int i = 0; i < 5; ++i)
    expect_drop(world_.receive("wan", frame), Drop::kBadTransportChecksum);
  EXPECT_EQ(world_.pipeline().flows().size(), 0U) << "a damaged SYN costs neither flow nor credit";
  frame.back() ^= 1;
  expect_out(world_.receive("wan", frame), "host:uplink");
  // The same for what comes later in the flow.
  auto later = PacketBuilder(at("cloud", 50000), gateway).tcp(kTcpSyn);
  later.back() ^= 1;
  expect_drop(world_.receive("wan", later), Drop::kBadTransportChecksum);
}

TEST_P(Policy, AFloodOfNewFlowsToAHostStackIsPolicedPerDevice) {
  model::Gateway gateway = plant();
  gateway.segments[0].services |= model::kDns;
  world_.apply(gateway);
  const Party resolver{world_.segment_mac("field"), own("field"), 53};
  std::size_t passed = 0;
  for (std::uint16_t port = 1000; port < 1400; ++port)
    passed += send("meter", PacketBuilder(at("meter", port), resolver).payload({1}).udp()).size();
  EXPECT_GT(passed, 100U);
  EXPECT_LT(passed, 250U);
  EXPECT_EQ(to_string(*world_.verdict().drop), to_string(Drop::kHostStackPoliced));
  expect_out(send("plc", PacketBuilder(at("plc", 1000), resolver).payload({1}).udp()),
             "host:field");
}

TEST_P(Policy, ResetsAfterARestartAreLimited) {
  std::size_t resets = 0;
  for (std::uint16_t port = 40000; port < 40100; ++port)
    resets += send("scada", packet("scada", port, "plc", 502).tcp(kTcpAck)).size();
  EXPECT_GT(resets, 5U);
  EXPECT_LT(resets, 20U);
}

TEST_P(Policy, NoResetTellsWhetherSomethingListensBehindADeniedPort) {
  // Mid-stream packets that no direct conduit would have allowed to begin.
  expect_drop(send("scada", packet("scada", 40000, "plc", 503).tcp(kTcpAck)), Drop::kDefaultDeny);
  const Party listens{world_.segment_mac("uplink"), own("uplink"), 802};
  expect_drop(world_.receive("wan", PacketBuilder(at("cloud", 50000), listens).tcp(kTcpAck)),
              Drop::kMidStream);
}

TEST_P(Policy, MidStreamIsResetAfterARestartAndIgnoredLater) {
  const auto ack = packet("scada", 40000, "plc", 502).sequence(5, 4711).tcp(kTcpAck);
  const auto out = send("scada", ack);
  expect_out(out, "lan3");
  EXPECT_EQ(parsed(out[0].bytes).tcp_flags, kTcpRst);
  EXPECT_EQ(to_string(*world_.verdict().drop), to_string(Drop::kMidStream));
  expect_drop(send("meter", packet("meter", 40000, "plc", 502).tcp(kTcpAck)), Drop::kDefaultDeny);
  world_.wait(seconds(121));
  expect_drop(send("scada", ack), Drop::kMidStream);
}

TEST_P(Policy, ARemovedConduitCutsItsFlowsAndOnlyThose) {
  open_tcp();
  expect_out(send("meter", packet("meter", 5000, "plc", 5683).udp()), "lan1");
  model::Gateway less = plant();
  std::erase_if(less.conduits, [](const auto& c) { return c.name == "scada-plc"; });
  world_.apply(less);
  expect_drop(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)), Drop::kRevoked);
  expect_out(send("plc", packet("plc", 5683, "meter", 5000).udp()), "lan2");
}

TEST_P(Policy, AnIdleFlowOfARemovedConduitIsGoneWithinASecond) {
  open_tcp();
  model::Gateway less = plant();
  std::erase_if(less.conduits, [](const auto& c) { return c.name == "scada-plc"; });
  world_.apply(less);
  world_.wait(seconds(1));
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
}

TEST_P(Policy, AnIdleFlowGoesWithinASecondThoughRevisionsComeFaster) {
  for (std::uint16_t port = 5000; port < 5900; ++port)
    expect_out(send("meter", packet("meter", port, "plc", 5683).udp()), "lan1");
  model::Gateway less = plant();
  std::erase_if(less.conduits, [](const auto& c) { return c.service.text == "udp/5683"; });
  for (int i = 0; i < 20; ++i) {
    world_.apply(less);
    world_.wait(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
}

TEST_P(Policy, AnAddedConduitDisturbsNoFlow) {
  open_tcp();
  model::Gateway more = plant();
  model::Conduit extra = more.conduits[0];
  extra.name = "scada-plc-2";
  extra.service.text = "tcp/503";
  extra.service.ports = {503, 503};
  more.conduits.push_back(extra);
  world_.apply(more);
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)), "lan1");
  expect_out(send("scada", packet("scada", 40005, "plc", 503).tcp(kTcpSyn)), "lan1");
}

TEST_P(Policy, AnErrorThatQuotesAnAllowedFlowReachesItsSender) {
  const auto query = packet("meter", 5000, "plc", 5683).udp();
  expect_out(send("meter", query), "lan1");
  const auto error = packet("plc", 0, "meter", 0).unreachable(query);
  expect_out(send("plc", error), "lan2");
  const auto other = packet("meter", 5001, "plc", 5683).udp();
  expect_drop(send("plc", packet("plc", 0, "meter", 0).unreachable(other)), Drop::kIcmpUnrelated);
}

// A table with four places.
class FullTable : public Policy {
 protected:
  std::vector<Frame> syn(std::uint16_t port) {
    return small_.receive("lan3", packet("scada", port, "plc", 502).tcp(kTcpSyn));
  }
  std::vector<Frame> answer(std::uint16_t port) {
    return small_.receive("lan1", packet("plc", 502, "scada", port).tcp(kTcpSyn | kTcpAck));
  }
  std::vector<Frame> ack(std::uint16_t port) {
    return small_.receive("lan3", packet("scada", port, "plc", 502).tcp(kTcpAck));
  }
  void open(std::uint16_t port) {
    ASSERT_EQ(syn(port).size(), 1U);
    ASSERT_EQ(answer(port).size(), 1U);
    ASSERT_EQ(ack(port).size(), 1U);
  }
  PipelineWorld small_{plant(), 4};
};
SALLYPORT_IN_BOTH_VERSIONS(FullTable);

model::Gateway with_established(std::uint32_t seconds) {
  model::Gateway g = plant();
  g.conduits[0].timeouts.seconds[static_cast<std::size_t>(TimeoutClass::kEstablished)] = seconds;
  return g;
}

// Its deadline is still by the shorter time, then by the longer: neither makes it look silent.
TEST_P(FullTable, InUseIsInUseAlsoUnderARevisionThatLetsItBeSilentForLonger) {
  for (std::uint16_t port = 1; port <= 4; ++port) open(port);
  small_.apply(with_established(64'800));
  EXPECT_TRUE(syn(5).empty());
  EXPECT_EQ(small_.verdict().drop, Drop::kFlowTableFull);
  small_.wait(seconds(2));  // the sweep has been by
  EXPECT_TRUE(syn(5).empty());
  EXPECT_EQ(small_.verdict().drop, Drop::kFlowTableFull);
  small_.wait(minutes(3));
  EXPECT_EQ(syn(5).size(), 1U) << "silent for long by any time";
}

TEST_P(FullTable, SilentFlowsEndByTheShorterTimeOfALaterRevision) {
  for (std::uint16_t port = 1; port <= 4; ++port) open(port);
  small_.apply(with_established(30));
  small_.wait(seconds(29));
  EXPECT_EQ(small_.pipeline().flows().size(), 4U);
  small_.wait(seconds(3));
  EXPECT_EQ(small_.pipeline().flows().size(), 0U);
}

TEST_P(FullTable, OfFlowsInUseRefusesANewOne) {
  for (std::uint16_t port = 1; port <= 4; ++port) open(port);
  EXPECT_TRUE(syn(5).empty());
  EXPECT_EQ(small_.verdict().drop, Drop::kFlowTableFull);
  for (std::uint16_t port = 1; port <= 4; ++port) EXPECT_EQ(ack(port).size(), 1U) << port;
  EXPECT_EQ(small_.pipeline().counters().flows_displaced, 0U);
}

TEST_P(FullTable, OfHalfOpenFlowsLetsTheOldestGiveWay) {
  open(1);
  for (std::uint16_t port = 2; port <= 4; ++port) syn(port);
  for (std::uint16_t port = 5; port <= 6; ++port) EXPECT_EQ(syn(port).size(), 1U) << port;
  EXPECT_EQ(small_.pipeline().counters().flows_displaced, 2U);
  for (const auto gone : std::to_array<std::uint16_t>({2, 3}))
    EXPECT_TRUE(answer(gone).empty()) << gone;
  for (const auto here : std::to_array<std::uint16_t>({4, 5, 6}))
    EXPECT_EQ(answer(here).size(), 1U) << here;
  EXPECT_EQ(ack(1).size(), 1U) << "what works goes on";
}

TEST_P(FullTable, LetsAnIdleFlowGiveWayOnlyWhenNobodyElseCan) {
  for (std::uint16_t port = 1; port <= 4; ++port) open(port);
  small_.wait(seconds(119));
  ack(1);
  EXPECT_TRUE(syn(5).empty()) << "silent for less than two minutes";
  small_.wait(seconds(2));
  EXPECT_EQ(syn(5).size(), 1U);
  EXPECT_EQ(syn(6).size(), 1U) << "5, still half-open, gave way";
  for (const auto here : std::to_array<std::uint16_t>({1, 3, 4}))
    EXPECT_EQ(ack(here).size(), 1U) << here;
  for (const auto gone : std::to_array<std::uint16_t>({2, 5}))
    EXPECT_TRUE(ack(gone).empty()) << gone;
}

TEST_P(FullTable, LetsWhatWasClosedGiveWayFirst) {
  open(1);
  syn(2);
  open(3);
  open(4);
  EXPECT_EQ(small_.receive("lan3", packet("scada", 3, "plc", 502).tcp(kTcpRst)).size(), 1U);
  EXPECT_EQ(syn(5).size(), 1U);
  EXPECT_EQ(answer(2).size(), 1U) << "half-open, and older";
  EXPECT_TRUE(small_.receive("lan1", packet("plc", 502, "scada", 3).tcp(kTcpRst)).empty());
}

}  // namespace
}  // namespace sallyport::testing
