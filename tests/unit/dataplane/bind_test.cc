// Who is believed to be whom: every part of an identity made wrong alone, by a taken-over device, a
// stranger, a host of the uplink and the gateway's own stack.
#include <fmt/core.h>

#include "dataplane/stages/ethernet.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class Identity : public Policy {
 protected:
  bool v4() const { return version() == IpVersion::k4; }
  IpAddress address(const char* as_v4, const char* as_v6) const {
    return *IpAddress::parse(v4() ? as_v4 : as_v6);
  }
  Drop spoofed_neighbour() const { return v4() ? Drop::kArpSpoofed : Drop::kNdSpoofed; }
  // The meter's datagram to the PLC, which a conduit allows, with one part changed.
  PacketBuilder meter_with(const MacAddress& mac, const IpAddress& source) const {
    return {{mac, source, 5000}, via("meter", "plc", 5683)};
  }
  PacketBuilder cloud_with(const IpAddress& source) const {
    return {{host("cloud").mac, source, 5000}, {world_.segment_mac("uplink"), own("uplink"), 802}};
  }
};
SALLYPORT_IN_BOTH_VERSIONS(Identity);

TEST_P(Identity, TheUnchangedPacketPasses) {
  expect_out(send("meter", meter_with(host("meter").mac, host("meter").address(version())).udp()),
             "lan1");
}

TEST_P(Identity, EveryOtherPortOrVlanIsWrong) {
  const auto meter = meter_with(host("meter").mac, host("meter").address(version()));
  for (const char* port : {"lan1", "lan3"})
    expect_drop(world_.receive(port, meter.udp()), Drop::kStolenIdentity);
  auto tagged = meter;
  expect_drop(send("meter", tagged.vlan(7).udp()), Drop::kStolenIdentity);
  expect_drop(send("meter", tagged.vlan(8).udp()), Drop::kSegmentMismatch);
  // A tagged device without its tag stands in another segment.
  const PacketBuilder camera({host("camera").mac, host("camera").address(version()), 80},
                             via("scada", "plc", 502));
  expect_drop(world_.receive("lan2", camera.tcp(kTcpSyn)), Drop::kStolenIdentity);
  expect_drop(world_.receive("wan", tagged.vlan(7).udp()), Drop::kSegmentMismatch);
}

TEST_P(Identity, AnotherVlanOfTheSameSegmentIsWrongAsWell) {
  model::Gateway gateway = plant();
  gateway.segments[0].members.push_back({"lan2", 9});
  world_.apply(gateway);
  auto meter = meter_with(host("meter").mac, host("meter").address(version()));
  expect_drop(send("meter", meter.vlan(9).udp()), Drop::kStolenIdentity);
  expect_out(send("meter", meter.vlan(0).udp()), "lan1");
}

TEST_P(Identity, AnotherAddressOfTheSubnetIsSpoofed) {
  // In IPv6: what a privacy extension makes up (RFC 8981).
  const IpAddress made_up = address("10.20.0.200", "fd00:20::d9ee:1c0f:22ab:9001");
  expect_drop(send("meter", meter_with(host("meter").mac, made_up).udp()), Drop::kSpoofedSource);
  expect_drop(send("meter", meter_with(host("meter").mac, own("field")).udp()),
              Drop::kSpoofedSource);
  expect_drop(send("meter", meter_with(host("meter").mac, own("office")).udp()),
              Drop::kSpoofedSource);
  expect_drop(send("meter", meter_with(host("meter").mac, host("far").address(version())).udp()),
              Drop::kSpoofedSource);
}

TEST_P(Identity, ADeviceOfTheSamePortIsNotAnotherOne) {
  // Meter and camera share lan2; each has its own tag, MAC and addresses.
  expect_drop(send("meter", meter_with(host("camera").mac, host("meter").address(version())).udp()),
              Drop::kStolenIdentity);
  expect_drop(send("meter", meter_with(host("meter").mac, host("camera").address(version())).udp()),
              Drop::kStolenIdentity);
}

TEST_P(Identity, AnEnrolledMacAsAGroupIsNobodys) {
  auto bytes = host("meter").mac.bytes();
  bytes[0] |= 1;
  expect_drop(send("meter", meter_with(MacAddress(bytes), host("meter").address(version())).udp()),
              Drop::kBadSourceMac);
  expect_drop(send("meter", meter_with(MacAddress(), host("meter").address(version())).udp()),
              Drop::kBadSourceMac);
  for (const MacAddress& gateway : {world_.segment_mac("field"), dataplane::kFixedMac})
    expect_drop(send("meter", meter_with(gateway, host("meter").address(version())).udp()),
                Drop::kBadSourceMac);
}

TEST_P(Identity, WithoutAnAddressOnlyWhatAsksForOnePasses) {
  const IpAddress none = v4() ? IpAddress::v4(0) : IpAddress();
  const auto from_nowhere = meter_with(host("meter").mac, none);
  expect_drop(send("meter", from_nowhere.tcp(kTcpSyn)), Drop::kSpoofedSource);
  expect_drop(send("meter", from_nowhere.udp()), Drop::kSpoofedSource);
  expect_drop(send("meter", from_nowhere.echo(true)), Drop::kSpoofedSource);
  // "Is my address free?" is neither spoofed nor answered: nobody but its owner may have it.
  const PacketBuilder probe(at("meter"), at("meter"));
  expect_drop(send("meter", probe.address_probe()),
              v4() ? Drop::kArpUnanswered : Drop::kNdUnanswered);
  // Nor is a device told that another's address is taken.
  const PacketBuilder others(at("meter"), at("plc"));
  expect_drop(send("meter", others.address_probe()),
              v4() ? Drop::kArpUnanswered : Drop::kNdUnanswered);
  // The gateway's own address is the stack's to defend.
  const PacketBuilder gateways(at("meter"), {world_.segment_mac("field"), own("field"), 0});
  expect_out(send("meter", gateways.address_probe()), "host:field");
  expect_drop(world_.receive("lan1", probe.address_probe()), Drop::kStolenIdentity);
  expect_drop(
      world_.receive("wan", PacketBuilder({host("cloud").mac, none, 1},
                                          {world_.segment_mac("uplink"), own("uplink"), 802})
                                .tcp(kTcpSyn)),
      Drop::kSpoofedSource);
}

TEST_P(Identity, NeighbourMessagesSpeakForTheirSenderAlone) {
  const Party gateway{world_.segment_mac("field"), own("field"), 0};
  // Asked with another's address, an unknown one, or another's MAC in the message.
  expect_drop(
      send("meter", PacketBuilder({host("meter").mac, host("plc").address(version()), 0}, gateway)
                        .neighbour_question()),
      Drop::kStolenIdentity);
  expect_drop(
      send("meter", PacketBuilder({host("meter").mac, host("rogue").address(version()), 0}, gateway)
                        .neighbour_question()),
      spoofed_neighbour());
  auto question = PacketBuilder(at("meter"), gateway).neighbour_question();
  auto lie = PacketBuilder({host("plc").mac, host("meter").address(version()), 0}, gateway)
                 .neighbour_question();
  std::ranges::copy(host("meter").mac.bytes(), lie.begin() + 6);
  expect_drop(send("meter", lie), spoofed_neighbour());
  expect_drop(
      send("meter", PacketBuilder({host("plc").mac, host("meter").address(version()), 0}, gateway)
                        .neighbour_question()),
      Drop::kStolenIdentity);
  expect_out(send("meter", question), "host:field");
  // What nobody asked for teaches nobody, whoever says it.
  expect_drop(send("meter", PacketBuilder(at("meter"), gateway).neighbour_answer()),
              v4() ? Drop::kArpUnsolicited : Drop::kNdUnsolicited);
}

TEST_P(Identity, TheUplinkBringsNoInsideSource) {
  for (const char* inside : {"plc", "meter", "camera", "scada"})
    expect_drop(world_.receive("wan", cloud_with(host(inside).address(version())).tcp(kTcpSyn)),
                Drop::kReversePath);
  for (const char* segment : {"uplink", "office", "field"}) {
    const PacketBuilder as_gateway({host("cloud").mac, own(segment), 5000},
                                   via("cloud", "plc", 502));
    expect_drop(world_.receive("wan", as_gateway.tcp(kTcpSyn)), Drop::kReversePath);
  }
  expect_drop(world_.receive("wan", cloud_with(address("10.20.0.99", "fd00:20::99")).tcp(kTcpSyn)),
              Drop::kReversePath);
  expect_drop(
      world_.receive("wan", cloud_with(address("198.18.0.1", "fd53:414c:4c59::1")).tcp(kTcpSyn)),
      Drop::kMartianSource);
  // Neighbours speak from the link.
  const Party gateway{world_.segment_mac("uplink"), own("uplink"), 0};
  for (const IpAddress& far : {host("far").address(version()), host("plc").address(version())})
    expect_drop(
        world_.receive("wan",
                       PacketBuilder({host("cloud").mac, far, 0}, gateway).neighbour_question()),
        spoofed_neighbour());
  expect_drop(
      world_.receive(
          "wan",
          PacketBuilder({host("cloud").mac, own("uplink"), 0}, at("router")).neighbour_question()),
      spoofed_neighbour());
}

// A flow between devices is not a way in for whoever knows its addresses and ports.
TEST_P(Identity, NobodyElseSpeaksInAFlowThatIsOpen) {
  open_tcp();
  const auto to_plc = [&](const Party& from, const MacAddress& gateway) {
    return PacketBuilder(from, {gateway, host("plc").address(version()), 502}).tcp(kTcpAck);
  };
  const auto to_scada = [&](const Party& from, const MacAddress& gateway) {
    return PacketBuilder(from, {gateway, host("scada").address(version()), 40000}).tcp(kTcpAck);
  };
  const IpAddress scada = host("scada").address(version());
  const IpAddress plc = host("plc").address(version());
  const MacAddress uplink = world_.segment_mac("uplink");
  const MacAddress field = world_.segment_mac("field");
  expect_drop(world_.receive("wan", to_plc({host("cloud").mac, scada, 40000}, uplink)),
              Drop::kReversePath);
  expect_drop(world_.receive("wan", to_scada({host("cloud").mac, plc, 502}, uplink)),
              Drop::kReversePath);
  expect_drop(send("meter", to_plc({host("meter").mac, scada, 40000}, field)),
              Drop::kStolenIdentity);
  expect_drop(send("meter", to_scada({host("meter").mac, plc, 502}, field)), Drop::kStolenIdentity);
  expect_drop(world_.receive_from_host("field", to_scada({field, plc, 502}, kAnyMac)),
              Drop::kHostStackDenied);
  expect_drop(world_.receive_from_host(
                  "office", to_plc({world_.segment_mac("office"), scada, 40000}, kAnyMac)),
              Drop::kHostStackDenied);
  // An error about it comes from nowhere else either.
  const auto sent = packet("scada", 40000, "plc", 502).tcp(kTcpAck);
  const Party to{uplink, scada, 0};
  expect_drop(
      world_.receive("wan", PacketBuilder({host("cloud").mac, plc, 0}, to).unreachable(sent)),
      Drop::kReversePath);
  const IpAddress nowhere = address("198.18.0.1", "fd53:414c:4c59::1");
  expect_drop(
      world_.receive("wan", PacketBuilder({host("cloud").mac, nowhere, 0}, to).unreachable(sent)),
      Drop::kMartianSource);
  expect_out(send("plc", packet("plc", 502, "scada", 40000).tcp(kTcpAck)), "lan3");
}

// Every part of an identity made wrong alone, while a flow is open.
TEST_P(Identity, AnOpenFlowAsksEachPacketForItsSender) {
  const IpAddress meter = host("meter").address(version());
  const auto right = meter_with(host("meter").mac, meter);
  expect_out(send("meter", right.udp()), "lan1");
  for (const MacAddress& mac : {host("camera").mac, host("rogue").mac, host("plc").mac})
    expect_drop(send("meter", meter_with(mac, meter).udp()), Drop::kStolenIdentity);
  expect_drop(send("meter", meter_with(world_.segment_mac("field"), meter).udp()),
              Drop::kBadSourceMac);
  for (const char* port : {"lan1", "lan3"})
    expect_drop(world_.receive(port, right.udp()), Drop::kStolenIdentity);
  auto tagged = right;
  expect_drop(send("meter", tagged.vlan(7).udp()), Drop::kStolenIdentity);
  const auto to = [&](const MacAddress& mac) {
    return PacketBuilder({host("meter").mac, meter, 5000},
                         {mac, host("plc").address(version()), 5683});
  };
  expect_drop(send("meter", to(host("plc").mac).udp()), Drop::kNotEnforceable);
  expect_drop(send("meter", to(world_.segment_mac("office")).udp()), Drop::kNotEnforceable);
  expect_drop(send("meter", to(MacAddress::broadcast()).udp()), Drop::kNoBroadcast);
  expect_out(send("meter", right.udp()), "lan1");
}

// The same beyond an uplink, where nobody is enrolled: the wire and the gateway's MAC.
TEST_P(Identity, AnOpenFlowOfTheUplinkStaysThere) {
  const auto answer = [&](const MacAddress& from, const MacAddress& to) {
    return PacketBuilder({from, host("cloud").address(version()), 8883},
                         {to, host("meter").address(version()), 5000});
  };
  world_.receive("wan", PacketBuilder(at("cloud"), {world_.segment_mac("uplink"), own("uplink"), 0})
                            .neighbour_question());
  expect_out(send("meter", packet("meter", 5000, "cloud", 8883).tcp(kTcpSyn)), "wan");
  const MacAddress gateway = world_.segment_mac("uplink");
  const auto right = answer(host("cloud").mac, gateway);
  expect_out(world_.receive("wan", right.tcp(kTcpSyn | kTcpAck)), "lan2");
  // Whatever MAC a router has.
  expect_out(world_.receive("wan", answer(host("router").mac, gateway).tcp(kTcpAck)), "lan2");
  for (const MacAddress& own : {gateway, dataplane::kFixedMac})
    expect_drop(world_.receive("wan", answer(own, gateway).tcp(kTcpAck)), Drop::kBadSourceMac);
  expect_drop(world_.receive("wan", answer(host("cloud").mac, host("router").mac).tcp(kTcpAck)),
              Drop::kNotEnforceable);
  for (const char* port : {"lan1", "lan2", "lan3"})
    EXPECT_TRUE(world_.receive(port, right.tcp(kTcpAck)).empty()) << port;
  auto tagged = right;
  expect_drop(world_.receive("wan", tagged.vlan(7).tcp(kTcpAck)), Drop::kSegmentMismatch);
}

// What a flow's packets need not show again holds until the next revision only. The rule permits
// the whole segment, before and after; the address is another device's now.
TEST_P(Identity, AnEndThatLostItsAddressSpeaksNoMoreInAnOpenFlow) {
  model::Gateway gateway = plant();
  gateway.conduits[0].from = model::SegmentEnd{"office", {}};
  world_.apply(gateway);
  open_tcp();
  const auto scada = std::ranges::find(gateway.devices, "scada", &model::Device::name);
  ASSERT_NE(scada, gateway.devices.end());
  model::Device panel = *scada;
  panel.name = "panel";
  panel.mac = MacAddress({2, 0, 0, 0, 0x30, 0x77});
  scada->addresses = {*IpAddress::parse("10.30.0.77"), *IpAddress::parse("fd00:30::77")};
  gateway.devices.push_back(panel);
  world_.apply(gateway);
  const auto of_panel =
      PacketBuilder({panel.mac, host("scada").address(version()), 40000}, via("scada", "plc", 502));
  expect_drop(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)),
              Drop::kStolenIdentity);
  expect_drop(world_.receive("lan3", of_panel.tcp(kTcpAck)), Drop::kRevoked);
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
  expect_out(world_.receive("lan3", of_panel.tcp(kTcpSyn)), "lan1");
}

TEST_P(Identity, AHostStackSpeaksForItsOwnSegmentOnly) {
  const Party plc{kAnyMac, host("plc").address(version()), 502};
  const auto from_stack = [&](const MacAddress& mac, const IpAddress& source) {
    return world_.receive_from_host("field", PacketBuilder({mac, source, 50000}, plc).tcp(kTcpSyn));
  };
  expect_out(from_stack(world_.segment_mac("field"), own("field")), "lan1");
  expect_drop(from_stack(host("meter").mac, own("field")), Drop::kHostStackDenied);
  expect_drop(from_stack(world_.segment_mac("field"), own("office")), Drop::kHostStackDenied);
  expect_drop(from_stack(world_.segment_mac("field"), host("scada").address(version())),
              Drop::kHostStackDenied);
  expect_drop(from_stack(world_.segment_mac("field"), v4() ? IpAddress::v4(0) : IpAddress()),
              Drop::kHostStackDenied);
}

TEST_P(Identity, AManagementSegmentBindsLikeAnyOther) {
  model::Gateway gateway = plant();
  gateway.segments[2].role = model::Role::kManagement;
  world_.apply(gateway);
  ASSERT_EQ(gateway.segments[2].name, "office");
  open_tcp();
  const Party as_scada{host("rogue").mac, host("scada").address(version()), 40001};
  expect_drop(send("scada", PacketBuilder(as_scada, via("scada", "plc", 502)).tcp(kTcpSyn)),
              Drop::kStolenIdentity);
  const Party unknown{host("rogue").mac, address("10.30.0.77", "fd00:30::77"), 40001};
  expect_drop(send("scada", PacketBuilder(unknown, via("scada", "plc", 502)).tcp(kTcpSyn)),
              Drop::kUnknownDevice);
}

TEST_P(Identity, AFrameForAGroupOrForAnotherIsNotForwarded) {
  const Party plc{MacAddress::broadcast(), host("plc").address(version()), 5683};
  expect_drop(send("meter", PacketBuilder(at("meter", 5000), plc).udp()), Drop::kNoBroadcast);
  expect_drop(send("meter", PacketBuilder(at("meter", 5000), at("plc", 5683)).udp()),
              Drop::kNotEnforceable);
  const Party group{world_.segment_mac("field"), address("224.0.0.251", "ff02::fb"), 5353};
  expect_drop(send("meter", PacketBuilder(at("meter", 5353), group).udp()), Drop::kNoBroadcast);
}

// --- what only one version has ------------------------------------------------------------------

class Identity4 : public Identity {};
INSTANTIATE_TEST_SUITE_P(Ipv4, Identity4, ::testing::Values(IpVersion::k4), version_name);

TEST_P(Identity4, AnArpAnswerHasASenderAndItsOwnMac) {
  const Party field{world_.segment_mac("field"), own("field"), 0};
  expect_drop(
      send("meter",
           PacketBuilder({host("meter").mac, IpAddress::v4(0), 0}, field).neighbour_answer()),
      Drop::kArpSpoofed);
  const Party uplink{world_.segment_mac("uplink"), own("uplink"), 0};
  auto lie = PacketBuilder({host("cloud").mac, host("router").v4, 0}, uplink).neighbour_answer();
  std::ranges::copy(host("router").mac.bytes(), lie.begin() + 6);
  expect_drop(world_.receive("wan", lie), Drop::kArpSpoofed);
}

class Identity6 : public Identity {};
INSTANTIATE_TEST_SUITE_P(Ipv6, Identity6, ::testing::Values(IpVersion::k6), version_name);

TEST_P(Identity6, TheLinkLocalAddressIsTheDevicesOwnMacs) {
  const IpAddress own_link = host("meter").mac.link_local();
  const IpAddress others_link = host("plc").mac.link_local();
  const Party gateway{world_.segment_mac("field"), world_.segment_mac("field").link_local(), 0};
  const auto ask = [&](const IpAddress& as) {
    return send("meter", PacketBuilder({host("meter").mac, as, 0}, gateway).neighbour_question());
  };
  expect_out(ask(own_link), "host:field");
  expect_drop(ask(others_link), Drop::kNdSpoofed);
  expect_drop(ask(*IpAddress::parse("fe80::1")), Drop::kNdSpoofed);
  // Its own is good for neighbour messages and nothing that would be forwarded.
  expect_drop(send("meter", meter_with(host("meter").mac, own_link).udp()),
              Drop::kLinkLocalForward);
  expect_drop(send("meter", meter_with(host("meter").mac, others_link).udp()),
              Drop::kSpoofedSource);
}

TEST_P(Identity6, WhatAHostSaysToItsRouterReachesTheSegmentsStack) {
  const IpAddress link = host("meter").mac.link_local();
  for (const IpAddress& as : {IpAddress(), link}) {
    const PacketBuilder sender({host("meter").mac, as, 0}, {});
    const auto question = send("meter", sender.router_solicitation());
    expect_out(question, "host:field");
    EXPECT_EQ(parsed(question[0].bytes).destination_mac, MacAddress({0x33, 0x33, 0, 0, 0, 2}));
    for (const std::uint8_t type : std::to_array<std::uint8_t>({131, 132, 143}))
      expect_out(send("meter", sender.multicast_report(type)), "host:field");
    expect_out(send("meter", sender.multicast_report(143, {58, 0, 1, 0, 5, 2, 0, 0})),
               "host:field");
  }
  const PacketBuilder other({host("meter").mac, host("plc").mac.link_local(), 0}, {});
  expect_drop(send("meter", other.router_solicitation()), Drop::kSpoofedSource);
  expect_drop(send("meter", other.multicast_report()), Drop::kSpoofedSource);
  expect_drop(world_.receive(
                  "wan", PacketBuilder({host("cloud").mac, host("cloud").mac.link_local(), 0}, {})
                             .router_solicitation()),
              Drop::kIcmpType);
  expect_drop(
      world_.receive_from_host("field", PacketBuilder({world_.segment_mac("field"),
                                                       world_.segment_mac("field").link_local(), 0},
                                                      {})
                                            .multicast_report()),
      Drop::kHostStackDenied);
}

TEST_P(Identity6, OfHopByHopOptionsOnlyAReportsRouterAlertIsCarried) {
  const PacketBuilder sender({host("meter").mac, host("meter").mac.link_local(), 0}, {});
  for (const auto& options : {std::vector<std::uint8_t>{58, 0, 5, 2, 0, 1, 1, 0},  // RSVP's alert
                              std::vector<std::uint8_t>{58, 0, 1, 4, 0, 0, 0, 0},  // padding only
                              std::vector<std::uint8_t>{58, 0, 0xc2, 4, 0, 1, 0, 0},  // jumbo
                              std::vector<std::uint8_t>{17, 0, 5, 2, 0, 0, 1, 0},
                              std::vector<std::uint8_t>{0, 0, 5, 2, 0, 0, 1, 0}})
    expect_drop(send("meter", sender.multicast_report(143, options)), Drop::kExtensionHeader);
  expect_drop(send("meter", sender.multicast_report(128)), Drop::kExtensionHeader);
  expect_drop(send("meter", sender.multicast_report(130)), Drop::kRogueRouter);
  auto far = sender.multicast_report();
  far[14 + 7] = 2;  // hop limit
  expect_drop(send("meter", far), Drop::kExtensionHeader);
  auto damaged = sender.multicast_report();
  damaged.back() ^= 1;
  expect_drop(send("meter", damaged), Drop::kExtensionHeader);
  const PacketBuilder routed({host("meter").mac, host("meter").v6, 0}, {});
  expect_drop(send("meter", routed.multicast_report()), Drop::kExtensionHeader);
}

}  // namespace
}  // namespace sallyport::testing
