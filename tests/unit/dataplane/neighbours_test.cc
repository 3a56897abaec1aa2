// What the gateway says of itself and others on a link, and what it believes: ARP and neighbour
// discovery as design §4 has them, in both versions.
#include "dataplane/stages/ethernet.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class Neighbours : public Policy {
 protected:
  bool v4() const { return version() == IpVersion::k4; }
  Drop unanswered() const { return v4() ? Drop::kArpUnanswered : Drop::kNdUnanswered; }
  Drop unsolicited() const { return v4() ? Drop::kArpUnsolicited : Drop::kNdUnsolicited; }
  std::vector<Frame> asks(std::string_view who, const IpAddress& whom) {
    return send(who, PacketBuilder(at(who), {MacAddress(), whom, 0}).neighbour_question());
  }
  // Who is said to have `address`, in ARP as in neighbour discovery.
  static MacAddress owner(const Frame& answer) { return parsed(answer.bytes).link_layer; }
  PacketBuilder answer(std::string_view who) const {
    return {at(who), {world_.segment_mac("uplink"), own("uplink"), 0}};
  }
  std::vector<std::uint8_t> far_syn(std::uint16_t port) {
    return packet("meter", port, "far", 8883).tcp(kTcpSyn);
  }
};
SALLYPORT_IN_BOTH_VERSIONS(Neighbours);

TEST_P(Neighbours, ProxyAnswersWithTheSegmentsMacForBothEndsOfAConduitAndNobodyElse) {
  // meter > plc, in both directions: whoever is dialled must be able to answer.
  for (const auto& [who, whom, port] : {std::tuple{"meter", "plc", "lan2"},
                                        {"plc", "meter", "lan1"},
                                        {"scada", "plc", "lan3"},
                                        {"plc", "scada", "lan1"},
                                        {"meter", "cloud", "lan2"},
                                        {"meter", "far", "lan2"}}) {
    SCOPED_TRACE(std::string(who) + " asks for " + whom);
    const auto out = asks(who, host(whom).address(version()));
    expect_out(out, port);
    EXPECT_EQ(owner(out[0]), world_.segment_mac(host(who).segment));
    EXPECT_EQ(parsed(out[0].bytes).destination_mac, host(who).mac);
  }
  for (const auto& [who, whom] : {std::pair{"plc", "cloud"},
                                  {"scada", "meter"},
                                  {"scada", "cloud"},
                                  {"meter", "rogue"},
                                  {"plc", "far"}}) {
    SCOPED_TRACE(std::string(who) + " asks for " + whom);
    expect_drop(asks(who, host(whom).address(version())), unanswered());
  }
  expect_drop(asks("meter", host("meter").address(version())), unanswered());
  expect_drop(asks("meter", own("office")), unanswered());
}

TEST_P(Neighbours, ATaggedDeviceIsAnsweredWithItsTag) {
  const auto out =
      world_.receive("lan2", PacketBuilder(at("camera"), at("scada")).vlan(7).neighbour_question());
  expect_out(out, "lan2");
  EXPECT_EQ(parsed(out[0].bytes).vlan, 7);
  EXPECT_EQ(owner(out[0]), world_.segment_mac("yard"));
}

TEST_P(Neighbours, OnTheUplinkOnlyWhatTheGatewayListensForIsAnswered) {
  // Hosts of the uplink answer for themselves; inside addresses are nobody's business there.
  for (const char* whom : {"router", "plc", "scada"})
    expect_drop(world_.receive("wan", PacketBuilder(at("cloud"), at(whom)).neighbour_question()),
                unanswered());
  // The meter may dial the cloud, so the cloud must be able to answer it; the router must not.
  expect_out(world_.receive("wan", PacketBuilder(at("cloud"), at("meter")).neighbour_question()),
             "wan");
  expect_drop(world_.receive("wan", PacketBuilder(at("router"), at("meter")).neighbour_question()),
              unanswered());
  expect_out(
      world_.receive(
          "wan", PacketBuilder(at("cloud"), {MacAddress(), own("uplink"), 0}).neighbour_question()),
      "host:uplink");
}

// plc and pump share lan1, with or without a switch that keeps them apart; plc > pump is reviewed.
TEST_P(Neighbours, BehindOnePortTheGatewayAnswersOnlyForWhomItStandsBetween) {
  const auto with_pump = [&](std::uint16_t vlan, bool isolated) {
    model::Gateway gateway = plant();
    if (vlan != 0) gateway.segments[0].members.push_back({"lan1", vlan});
    gateway.segments[0].isolated = isolated;
    gateway.devices.push_back({"pump",
                               "field",
                               {"lan1", vlan},
                               MacAddress({2, 0, 0, 0, 0x20, 9}),
                               {*IpAddress::parse("10.20.0.9"), *IpAddress::parse("fd00:20::9")},
                               false,
                               {}});
    model::Conduit to_pump = gateway.conduits[0];
    to_pump.name = "plc-pump";
    to_pump.from = model::DeviceEnd{"plc"};
    to_pump.to = model::DeviceEnd{"pump"};
    gateway.conduits.push_back(to_pump);
    world_.apply(gateway);
  };
  const IpAddress pump = *IpAddress::parse(v4() ? "10.20.0.9" : "fd00:20::9");
  with_pump(0, false);
  expect_drop(asks("plc", pump), unanswered());
  with_pump(0, true);
  expect_out(asks("plc", pump), "lan1");
  with_pump(5, false);
  expect_out(asks("plc", pump), "lan1");
}

TEST_P(Neighbours, TheHostStacksAnswerGoesToTheDevicesOwnPortAndMac) {
  const Party gateway{world_.segment_mac("field"), own("field"), 0};
  const auto out = world_.receive_from_host(
      "field",
      PacketBuilder(gateway, {kAnyMac, host("plc").address(version()), 0}).neighbour_answer());
  expect_out(out, "lan1");
  EXPECT_EQ(parsed(out[0].bytes).destination_mac, host("plc").mac);
  EXPECT_EQ(parsed(out[0].bytes).source_mac, world_.segment_mac("field"));
  // Not for another's address, not about another's MAC, not to somebody unknown.
  for (const Party& liar :
       {Party{gateway.mac, own("office"), 0}, Party{host("meter").mac, own("field"), 0}}) {
    auto frame =
        PacketBuilder(liar, {kAnyMac, host("plc").address(version()), 0}).neighbour_answer();
    std::ranges::copy(gateway.mac.bytes(), frame.begin() + 6);
    expect_drop(world_.receive_from_host("field", frame), Drop::kHostStackDenied);
  }
  expect_drop(world_.receive_from_host(
                  "field", PacketBuilder(gateway, {kAnyMac, host("rogue").address(version()), 0})
                               .neighbour_answer()),
              Drop::kHostStackDenied);
  if (!v4()) {  // from its own address about another's
    std::vector<std::uint8_t> body = {0x60, 0, 0, 0};
    const auto& other = host("meter").v6.bytes();
    body.insert(body.end(), other.begin(), other.end());
    body.insert(body.end(), {2, 1});
    body.insert(body.end(), gateway.mac.bytes().begin(), gateway.mac.bytes().end());
    const PacketBuilder claim = PacketBuilder(gateway, {kAnyMac, host("plc").v6, 0}).ttl(255);
    expect_drop(world_.receive_from_host("field", claim.icmp(136, 0, body)),
                Drop::kHostStackDenied);
  }
}

TEST_P(Neighbours, TheWireBehindAHostStackIsTheDataplane) {
  const Party gateway{world_.segment_mac("field"), own("field"), 0};
  const auto out =
      world_.receive_from_host("field", PacketBuilder(gateway, at("rogue")).neighbour_question());
  expect_out(out, "host:field");
  EXPECT_EQ(owner(out[0]), dataplane::kFixedMac);
  // An answer to duplicate address detection would take the address from the gateway.
  for (const Party& wanted : {gateway, at("plc")})
    expect_drop(world_.receive_from_host("field", PacketBuilder(gateway, wanted).address_probe()),
                unanswered());
}

TEST_P(Neighbours, OnlyAnAnswerToTheGatewaysOwnQuestionIsLearned) {
  expect_drop(world_.receive("wan", answer("router").neighbour_answer()), unsolicited());
  expect_out(send("meter", far_syn(40000)), "wan");
  // Addressed to somebody else; or an advertisement that does not say that it answers.
  const Party somebody{world_.segment_mac("uplink"), host("cloud").address(version()), 0};
  expect_drop(world_.receive("wan", PacketBuilder(at("router"), somebody).neighbour_answer()),
              unsolicited());
  if (!v4()) {
    expect_drop(world_.receive("wan", answer("router").neighbour_answer(false)), unsolicited());
  }
  // About another address than the one asked for.
  expect_drop(world_.receive("wan", answer("cloud").neighbour_answer()), unsolicited());
  EXPECT_EQ(world_.pipeline().counters().held, 1U);
  expect_out(world_.receive("wan", answer("router").neighbour_answer()), "wan");
  EXPECT_EQ(world_.pipeline().counters().held, 0U);
  expect_drop(world_.receive("wan", answer("router").neighbour_answer()), unsolicited());
}

TEST_P(Neighbours, AHopThatNobodyAnswersForIsGivenUpAndItsPacketNamed) {
  expect_out(send("meter", far_syn(40000)), "wan");
  const auto before = world_.pipeline().counters().drop_count(Drop::kNeighbourPending);
  const auto repeated = world_.wait(seconds(5));
  EXPECT_EQ(repeated.size(), 2U) << "asked three times in all";
  EXPECT_EQ(world_.pipeline().counters().held, 0U);
  EXPECT_EQ(world_.pipeline().counters().drop_count(Drop::kNeighbourPending), before + 1);
}

TEST_P(Neighbours, AKnownHopIsAskedAgainBeforeItIsForgotten) {
  expect_out(send("meter", far_syn(40000)), "wan");
  expect_out(world_.receive("wan", answer("router").neighbour_answer()), "wan");
  world_.wait(seconds(46));
  const auto out = send("meter", far_syn(40001));
  ASSERT_EQ(out.size(), 2U) << "sent at once, and the question beside it";
  EXPECT_TRUE(parsed(out[0].bytes).is_neighbour());
  world_.wait(seconds(80));
  const auto question = send("meter", far_syn(40002));
  expect_out(question, "wan");
  EXPECT_TRUE(parsed(question[0].bytes).is_neighbour());
}

TEST_P(Neighbours, AFloodOfQuestionsForTheGatewayIsPolicedPerDevice) {
  std::size_t passed = 0;
  for (int i = 0; i < 200; ++i) passed += asks("meter", own("field")).size();
  EXPECT_LT(passed, 60U);
  EXPECT_EQ(to_string(*world_.verdict().drop), to_string(Drop::kHostStackPoliced));
  expect_out(asks("plc", own("field")), "host:field");
}

}  // namespace
}  // namespace sallyport::testing
