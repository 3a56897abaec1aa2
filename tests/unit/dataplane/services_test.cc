// What passes between devices and the gateway's own services: DHCP, and the DNS answers that open
// names.
#include "dataplane/stages/ethernet.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

// --- DHCP ---------------------------------------------------------------------------------------

class AddressService : public Policy {
 protected:
  bool v4() const { return version() == IpVersion::k4; }
  Bytes question_of(const MacAddress& mac, std::uint8_t operation = 1) const {
    if (!v4()) return {operation, 1, 2, 3};
    Bytes out = {operation, 1, 6, 0};
    out.resize(28);
    out.insert(out.end(), mac.bytes().begin(), mac.bytes().end());
    out.resize(240);
    return out;
  }
  // A client without an address, to everybody.
  PacketBuilder client(std::string_view name) const {
    const IpAddress everybody = v4() ? IpAddress::v4(0xffffffff) : *IpAddress::parse("ff02::1:2");
    const IpAddress none = v4() ? IpAddress::v4(0) : host(name).mac.link_local();
    const MacAddress group = v4() ? MacAddress::broadcast() : MacAddress({0x33, 0x33, 0, 1, 0, 2});
    return {{host(name).mac, none, static_cast<std::uint16_t>(v4() ? 68 : 546)},
            {group, everybody, static_cast<std::uint16_t>(v4() ? 67 : 547)}};
  }
  PacketBuilder server(const IpAddress& to) const {
    const IpAddress as = v4() ? own("field") : world_.segment_mac("field").link_local();
    return {{world_.segment_mac("field"), as, static_cast<std::uint16_t>(v4() ? 67 : 547)},
            {kAnyMac, to, static_cast<std::uint16_t>(v4() ? 68 : 546)}};
  }
};
SALLYPORT_IN_BOTH_VERSIONS(AddressService);

TEST_P(AddressService, ADevicesQuestionReachesItsSegmentsStackAndTheAnswerTheDevice) {
  expect_out(send("meter", client("meter").payload(question_of(host("meter").mac)).udp()),
             "host:field");
  const IpAddress to = v4() ? IpAddress::v4(0xffffffff) : host("meter").mac.link_local();
  const auto out = world_.receive_from_host(
      "field", server(to).payload(question_of(host("meter").mac, 2)).udp());
  expect_out(out, "lan2");
  EXPECT_EQ(parsed(out[0].bytes).destination_mac, host("meter").mac);
  EXPECT_EQ(parsed(out[0].bytes).source_mac, world_.segment_mac("field"));
}

TEST_P(AddressService, SpeaksForItsSenderOrIsDropped) {
  if (v4()) {
    expect_drop(send("meter", client("meter").payload(question_of(host("plc").mac)).udp()),
                Drop::kDhcpSpoofed);
    expect_drop(send("meter", client("meter").payload(question_of(host("meter").mac, 2)).udp()),
                Drop::kDhcpSpoofed);
    expect_drop(send("meter", client("meter").payload(Bytes(20, 1)).udp()), Drop::kDhcpSpoofed);
    auto token_ring = question_of(host("meter").mac);
    token_ring[1] = 6;
    expect_drop(send("meter", client("meter").payload(token_ring).udp()), Drop::kDhcpSpoofed);
  } else {
    for (const std::uint8_t type : std::to_array<std::uint8_t>({2, 7, 10, 12, 13, 0, 255}))
      expect_drop(send("meter", client("meter").payload({type, 1, 2, 3}).udp()),
                  Drop::kDhcpSpoofed);
    expect_drop(send("meter", client("meter").udp()), Drop::kDhcpSpoofed);
  }
}

TEST_P(AddressService, NoDeviceAnswersAndNobodyElsesServerIsAsked) {
  const Party as_server{host("meter").mac, host("meter").address(version()),
                        static_cast<std::uint16_t>(v4() ? 67 : 547)};
  PacketBuilder rogue(as_server, via("meter", "plc", v4() ? 68 : 546));
  expect_drop(send("meter", rogue.payload(question_of(host("plc").mac, 2)).udp()),
              Drop::kDefaultDeny);
  // To another device's server: a datagram like any other, for which there is no conduit.
  PacketBuilder elsewhere({host("meter").mac, host("meter").address(version()),
                           static_cast<std::uint16_t>(v4() ? 68 : 546)},
                          via("meter", "plc", v4() ? 67 : 547));
  expect_drop(send("meter", elsewhere.payload(question_of(host("meter").mac)).udp()),
              Drop::kDefaultDeny);
  if (v4()) {
    const PacketBuilder nowhere({host("meter").mac, IpAddress::v4(0), 68}, via("meter", "plc", 67));
    expect_drop(send("meter", nowhere.udp()), Drop::kMartianSource);
  }
  // The office has no such service, the uplink never.
  expect_drop(send("scada", client("scada").payload(question_of(host("scada").mac)).udp()),
              Drop::kDefaultDeny);
  expect_drop(world_.receive("wan", client("cloud").payload(question_of(host("cloud").mac)).udp()),
              v4() ? Drop::kSpoofedSource : Drop::kLinkLocalForward);
  // An answer for a device of another segment, or for nobody, stays in the stack.
  for (const char* other : {"scada", "rogue"}) {
    const IpAddress to = v4() ? IpAddress::v4(0xffffffff) : host(other).mac.link_local();
    expect_drop(world_.receive_from_host("field",
                                         server(to).payload(question_of(host(other).mac, 2)).udp()),
                Drop::kHostStackDenied);
  }
}

TEST_P(AddressService, AnUplinkHasNoneWhateverItsConfigurationSays) {
  model::Gateway gateway = plant();
  gateway.segments[3].services |= model::kDhcp;
  world_.apply(gateway);
  const Party server{world_.segment_mac("uplink"), own("uplink"),
                     static_cast<std::uint16_t>(v4() ? 67 : 547)};
  PacketBuilder asks({host("cloud").mac, host("cloud").address(version()),
                      static_cast<std::uint16_t>(v4() ? 68 : 546)},
                     server);
  expect_drop(world_.receive("wan", asks.payload(question_of(host("cloud").mac)).udp()),
              Drop::kDefaultDeny);
}

TEST_P(AddressService, DamagedOrTooManyQuestionsStayOutside) {
  auto frame = client("meter").payload(question_of(host("meter").mac)).udp();
  frame.back() ^= 1;
  expect_drop(send("meter", frame), Drop::kBadTransportChecksum);
  frame.back() ^= 1;
  std::size_t passed = 0;
  for (int i = 0; i < 50; ++i) passed += send("meter", frame).size();
  EXPECT_LT(passed, 15U);
  EXPECT_EQ(to_string(*world_.verdict().drop), to_string(Drop::kHostStackPoliced));
  expect_out(send("plc", client("plc").payload(question_of(host("plc").mac)).udp()), "host:field");
}

// --- names --------------------------------------------------------------------------------------

// A DNS message about historian.example: a question, and with addresses an answer.
Bytes dns(std::uint16_t id, const std::vector<IpAddress>& addresses, IpVersion version,
          bool response) {
  const auto type = static_cast<std::uint8_t>(version == IpVersion::k4 ? 1 : 28);
  Bytes out = {static_cast<std::uint8_t>(id >> 8),
               static_cast<std::uint8_t>(id),
               static_cast<std::uint8_t>(response ? 0x81 : 0x01),
               static_cast<std::uint8_t>(response ? 0x80 : 0x00),
               0,
               1,
               0,
               static_cast<std::uint8_t>(addresses.size()),
               0,
               0,
               0,
               0};
  const auto text = [&](std::string_view label) {
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
  };
  text("historian");
  text("example");
  const Bytes question_end = {0, 0, type, 0, 1};
  out.insert(out.end(), question_end.begin(), question_end.end());
  for (const IpAddress& address : addresses) {
    const std::size_t size = address.is_v4() ? 4 : 16;
    const Bytes head = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, static_cast<std::uint8_t>(size)};
    out.insert(out.end(), head.begin(), head.end());
    const auto& bytes = address.bytes();
    out.insert(out.end(), bytes.end() - static_cast<std::ptrdiff_t>(size), bytes.end());
  }
  return out;
}

// meter > historian.example tcp/4840, direct; the gateway itself may ask the cloud's name server.
class Names : public Policy {
 protected:
  void SetUp() override {
    model::Gateway gateway = plant();
    model::Conduit by_name = gateway.conduits[0];
    by_name.name = "meter-historian";
    by_name.from = model::DeviceEnd{"meter"};
    by_name.to = model::NameEnd{"historian.example"};
    by_name.service = {"tcp/4840", IpProtocol::kTcp, {4840, 4840}, false};
    model::Conduit asks = by_name;
    asks.name = "gateway-dns";
    asks.from = model::DeviceEnd{std::string(model::kGatewayName)};
    asks.to = model::AddressEnd{{host("cloud").v4, host("cloud").v6}};
    asks.service = {"dns", IpProtocol::kUdp, {53, 53}, false};
    gateway.conduits.push_back(by_name);
    gateway.conduits.push_back(asks);
    gateway.segments[0].services |= model::kDns;
    world_.apply(gateway);
  }
  IpAddress elsewhere(unsigned n) const {
    const std::string last = std::to_string(n);
    return *IpAddress::parse((version() == IpVersion::k4 ? "203.0.113." : "2001:db8:9::") + last);
  }
  bool open_for(const IpAddress& server) {
    const PacketBuilder syn({host("meter").mac, host("meter").address(version()), ++port_},
                            {world_.segment_mac("field"), server, 4840});
    send("meter", syn.tcp(kTcpSyn));
    const auto& drop = world_.verdict().drop;
    return !drop || *drop == Drop::kNeighbourPending;
  }
  // The gateway's own resolver asks from its uplink address.
  void ask(std::uint16_t id, std::uint16_t port) {
    const Party stack{world_.segment_mac("uplink"), own("uplink"), port};
    const Party server{kAnyMac, host("cloud").address(version()), 53};
    world_.receive_from_host(
        "uplink", PacketBuilder(stack, server).payload(dns(id, {}, version(), false)).udp());
    world_.receive("wan",
                   PacketBuilder(at("cloud"), {world_.segment_mac("uplink"), own("uplink"), 0})
                       .neighbour_answer());
  }
  std::vector<Frame> answer(std::uint16_t id, std::uint16_t port, const IpAddress& address) {
    const Party stack{world_.segment_mac("uplink"), own("uplink"), port};
    return world_.receive(
        "wan",
        PacketBuilder(at("cloud", 53), stack).payload(dns(id, {address}, version(), true)).udp());
  }
  std::uint16_t port_ = 42000;
};
SALLYPORT_IN_BOTH_VERSIONS(Names);

TEST_P(Names, WhatTheGatewaysResolverTellsADeviceIsOpenBeforeItGetsThere) {
  EXPECT_FALSE(open_for(elsewhere(1)));
  const Party resolver{world_.segment_mac("field"), own("field"), 53};
  expect_out(
      send("meter",
           PacketBuilder(at("meter", 3000), resolver).payload(dns(7, {}, version(), false)).udp()),
      "host:field");
  expect_out(world_.receive_from_host(
                 "field", PacketBuilder(resolver, {kAnyMac, host("meter").address(version()), 3000})
                              .payload(dns(7, {elsewhere(1)}, version(), true))
                              .udp()),
             "lan2");
  EXPECT_TRUE(open_for(elsewhere(1)));
  EXPECT_FALSE(open_for(elsewhere(2)));
  world_.wait(seconds(95));
  EXPECT_FALSE(open_for(elsewhere(1))) << "its time is over";
}

TEST_P(Names, OnlyTheAnswerToTheGatewaysOwnQuestionOpensAnything) {
  ask(4711, 33000);
  // Whoever forges the server's address and has guessed the port still lacks the id, and a name or
  // type that was not asked for does not help.
  expect_out(answer(4712, 33000, elsewhere(66)), "host:uplink");
  EXPECT_FALSE(open_for(elsewhere(66))) << "poisoned";
  expect_out(answer(4711, 33000, elsewhere(1)), "host:uplink");
  EXPECT_TRUE(open_for(elsewhere(1)));
  expect_out(answer(4711, 33000, elsewhere(67)), "host:uplink");
  EXPECT_FALSE(open_for(elsewhere(67))) << "answered twice";
}

TEST_P(Names, AnAnswerThatComesTooLateOrUnaskedOpensNothing) {
  expect_drop(answer(4711, 33000, elsewhere(66)), Drop::kDefaultDeny);
  ask(4711, 33000);
  world_.wait(seconds(16));
  answer(4711, 33000, elsewhere(1));
  EXPECT_FALSE(open_for(elsewhere(1)));
}

TEST_P(Names, ADevicesQuestionsDoNotPushTheGatewaysOwnOut) {
  ask(4711, 33000);
  const Party resolver{world_.segment_mac("field"), own("field"), 53};
  for (std::uint16_t id = 0; id < 8000; ++id) {
    send("meter",
         PacketBuilder(at("meter", 3000), resolver).payload(dns(id, {}, version(), false)).udp());
  }
  answer(4711, 33000, elsewhere(1));
  EXPECT_TRUE(open_for(elsewhere(1)));
}

TEST_P(Names, AnAnswerThatNamesAnInsideAddressOpensNothingInside) {
  ask(4711, 33000);
  expect_out(answer(4711, 33000, host("plc").address(version())), "host:uplink");
  EXPECT_FALSE(open_for(host("plc").address(version())));
  expect_drop(send("meter", packet("meter", 43000, "plc", 4840).tcp(kTcpSyn)), Drop::kDefaultDeny);
}

TEST_P(Names, ADevicesOwnTrafficToSomePort53TeachesNothing) {
  model::Gateway gateway = plant();
  // udp/53 between two devices: neither end is the gateway.
  for (auto& c : gateway.conduits) {
    if (c.name == "meter-plc") c.service = {"udp/53", IpProtocol::kUdp, {53, 53}, false};
  }
  model::Conduit by_name = gateway.conduits[0];
  by_name.name = "meter-historian";
  by_name.from = model::DeviceEnd{"meter"};
  by_name.to = model::NameEnd{"historian.example"};
  by_name.service = {"tcp/4840", IpProtocol::kTcp, {4840, 4840}, false};
  gateway.conduits.push_back(by_name);
  world_.apply(gateway);
  expect_out(
      send("meter", packet("meter", 3000, "plc", 53).payload(dns(7, {}, version(), false)).udp()),
      "lan1");
  expect_out(
      send(
          "plc",
          packet("plc", 53, "meter", 3000).payload(dns(7, {elsewhere(66)}, version(), true)).udp()),
      "lan2");
  EXPECT_FALSE(open_for(elsewhere(66)));
}

}  // namespace
}  // namespace sallyport::testing
