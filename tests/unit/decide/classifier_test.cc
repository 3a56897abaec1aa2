#include "policy/decide/classifier.h"

#include <gtest/gtest.h>

#include "policy/decide/names.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::decide {
namespace {

using testing::ip;
using wire::RuleKind;

class ClassifierTest : public ::testing::Test {
 protected:
  std::uint16_t segment(std::string_view name) const { return view_.segment(name)->slot(); }
  std::uint32_t device(const char* name) const { return compiled_.slots.devices.at(name); }
  std::string rule_of(const Verdict& v) const {
    return v.decision.allowed() ? std::string(view_.rule_name(v.decision.rule()))
                                : std::string(to_string(v.reason));
  }
  Verdict from_device(const char* name, const char* source, const char* destination,
                      std::uint8_t protocol, std::uint16_t port) const {
    const std::uint32_t slot = device(name);
    return classifier_.classify({classifier_.device(slot)->segment(), Origin::kWire, slot},
                                {ip(source), ip(destination), protocol, 40000, port});
  }
  Verdict from_uplink(const char* source, const char* destination, std::uint8_t protocol,
                      std::uint16_t port) const {
    return classifier_.classify({segment("uplink"), Origin::kWire, wire::kNoDevice},
                                {ip(source), ip(destination), protocol, 40000, port});
  }
  Verdict from_host(const char* where, const char* source, const char* destination,
                    std::uint8_t protocol, std::uint16_t port,
                    std::span<const std::uint32_t> names = {}) const {
    return classifier_.classify({segment(where), Origin::kHostStack, wire::kNoDevice},
                                {ip(source), ip(destination), protocol, 40000, port}, names);
  }

  const compile::Compiled compiled_ = testing::compiled(testing::sample_gateway());
  const wire::SnapshotView view_ = testing::view_of(compiled_);
  const Classifier classifier_{view_};
};

TEST(Classifier, WithoutSnapshotDeniesEverything) {
  const Classifier none;
  const Verdict v =
      none.classify({0, Origin::kWire, 0}, {ip("10.20.0.5"), ip("10.20.0.6"), 6, 1, 2});
  EXPECT_FALSE(v.decision.allowed());
  EXPECT_EQ(v.reason, Drop::kNoSnapshot);
  EXPECT_FALSE(none.decide(1, 1, 6, 80).allowed());
  EXPECT_TRUE(none.locate(ip("10.0.0.1")).nowhere());
  EXPECT_EQ(none.device_by_mac(MacAddress()), wire::kNoDevice);
  EXPECT_EQ(none.segment_of(0, 0), wire::kNowhere);
  EXPECT_FALSE(Decision().allowed());
}

TEST_F(ClassifierTest, LocatesDevicesGatewayUplinkAndNowhere) {
  EXPECT_EQ(classifier_.locate(ip("10.20.0.5")).device, device("press4"));
  EXPECT_EQ(classifier_.locate(ip("fd00:20::5")).device, device("press4"));
  EXPECT_TRUE(classifier_.locate(ip("10.20.0.1")).is_gateway());
  EXPECT_EQ(classifier_.locate(ip("10.20.0.9")).segment, segment("field"));
  EXPECT_EQ(classifier_.locate(ip("8.8.8.8")).segment, segment("uplink"));
  EXPECT_EQ(classifier_.locate(ip("2606:4700::1111")).segment, segment("uplink"));
  for (const char* text :
       {"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1", "10.20.0.0",
        "10.20.0.255", "198.18.77.77", "::1", "::", "ff02::1", "fe80::1", "fd53:414c:4c59::ffff"})
    EXPECT_TRUE(classifier_.locate(ip(text)).nowhere()) << text;
}

TEST_F(ClassifierTest, BindsByMacPortAndVlan) {
  EXPECT_EQ(classifier_.device_by_mac(testing::mac("02:00:00:00:20:06")), device("meter"));
  EXPECT_EQ(classifier_.device_by_mac(testing::mac("02:00:00:00:20:99")), wire::kNoDevice);
  const std::uint16_t lan3 = view_.port("lan3")->slot();
  EXPECT_EQ(classifier_.segment_of(lan3, 7), segment("office"));
  EXPECT_EQ(classifier_.segment_of(lan3, 0), wire::kNowhere);
  EXPECT_TRUE(classifier_.owns(device("meter"), ip("10.20.0.6")));
  EXPECT_TRUE(classifier_.owns(device("meter"), ip("fe80::ff:fe00:2006")));
  EXPECT_FALSE(classifier_.owns(device("meter"), ip("10.20.0.5")));
  EXPECT_FALSE(classifier_.owns(device("meter"), ip("fe80::1")));
}

TEST_F(ClassifierTest, OwnsItsListedAddressesAndItsLinkLocalInBothVersions) {
  EXPECT_TRUE(classifier_.owns(device("meter"), ip("fd00:20::6")));
  EXPECT_FALSE(classifier_.owns(device("meter"), ip("fd00:20::5")));
  EXPECT_FALSE(classifier_.owns(device("meter"), ip("169.254.32.6")));
  for (const std::uint32_t nobody : {4U, wire::kNoDevice, wire::kGatewayHost}) {
    EXPECT_FALSE(classifier_.owns(nobody, ip("fe80::ff:fe00:2006")));
    EXPECT_FALSE(classifier_.owns(nobody, ip("8.8.8.8")));
  }
}

// 2.4.7.4: port, VLAN, MAC and source address must be one device's.
TEST_F(ClassifierTest, BindsOneIdentityAndNamesTheOwnerOfAnyOther) {
  const std::uint16_t lan1 = view_.port("lan1")->slot();
  const std::uint16_t lan2 = view_.port("lan2")->slot();
  const std::uint16_t lan3 = view_.port("lan3")->slot();
  const std::uint16_t wan = view_.port("wan")->slot();
  const char* const press4 = "02:00:00:00:20:05";
  const char* const meter = "02:00:00:00:20:06";
  const char* const scada = "02:00:00:00:30:05";
  const char* const stranger = "02:00:00:00:99:99";
  struct Case {
    const char* name;
    std::uint16_t port;
    std::uint16_t vlan;
    const char* mac;
    const char* source;
    std::optional<Drop> refused;
    const char* device;  // bound, or whose identity it is; nullptr: nobody's
  };
  const Case cases[] = {
      {"as enrolled", lan2, 0, meter, "10.20.0.6", {}, "meter"},
      {"its IPv6 address", lan2, 0, meter, "fd00:20::6", {}, "meter"},
      {"its link-local", lan2, 0, meter, "fe80::ff:fe00:2006", {}, "meter"},
      {"on its VLAN", lan3, 7, scada, "10.30.0.5", {}, "scada"},
      {"a port and VLAN of nobody", lan3, 0, scada, "10.30.0.5", Drop::kSegmentMismatch, nullptr},
      {"a VLAN of nobody", lan2, 7, meter, "10.20.0.6", Drop::kSegmentMismatch, nullptr},
      {"a port of nobody", 77, 0, meter, "10.20.0.6", Drop::kSegmentMismatch, nullptr},
      {"an unknown MAC", lan2, 0, stranger, "10.20.0.99", Drop::kUnknownDevice, nullptr},
      {"an unknown MAC with a stolen address", lan2, 0, stranger, "10.20.0.6",
       Drop::kStolenIdentity, "meter"},
      {"a MAC on another port of its segment", lan1, 0, meter, "10.20.0.6", Drop::kStolenIdentity,
       "meter"},
      {"a MAC in another segment", lan2, 0, scada, "10.30.0.5", Drop::kStolenIdentity, "scada"},
      {"another device's address", lan2, 0, meter, "10.20.0.5", Drop::kStolenIdentity, "press4"},
      {"another device's link-local", lan2, 0, meter, "fe80::ff:fe00:2005", Drop::kSpoofedSource,
       nullptr},
      {"an address of nobody", lan2, 0, meter, "10.20.0.99", Drop::kSpoofedSource, nullptr},
      {"the gateway's address", lan2, 0, meter, "10.20.0.1", Drop::kSpoofedSource, nullptr},
      {"on the uplink whoever it is", wan, 0, press4, "10.20.0.5", {}, nullptr},
  };
  for (const Case& c : cases) {
    const Binding b = classifier_.bind(c.port, c.vlan, testing::mac(c.mac), ip(c.source));
    EXPECT_EQ(b.refused, c.refused) << c.name;
    const std::uint32_t who = c.device == nullptr ? wire::kNoDevice : device(c.device);
    EXPECT_EQ(c.refused ? b.owner : b.device, who) << c.name;
    EXPECT_EQ(b.segment, classifier_.segment_of(c.port, c.vlan)) << c.name;
  }
}

// One MAC may be enrolled on one VLAN of a port and speak on another of the same segment's.
TEST(Classifier, BindsToTheVlanOfAPortThatHasSeveral) {
  model::Gateway gateway = testing::bare_gateway();
  gateway.segments[0].members = {{"wan", 0}, {"wan", 4000}};
  gateway.segments[1].members = {{"lan1", 0}, {"lan1", 3}, {"lan1", 9}, {"lan2", 0}, {"lan2", 3}};
  gateway.segments[2].members = {{"lan3", 7}, {"lan1", 5}, {"lan2", 4094}};
  const auto compiled = testing::compiled(gateway);
  const wire::SnapshotView view = testing::view_of(compiled);
  const Classifier classifier(view);
  for (const model::Segment& s : gateway.segments)
    for (const model::Member& m : s.members)
      EXPECT_EQ(classifier.segment_of(view.port(m.port)->slot(), m.vlan),
                view.segment(s.name)->slot())
          << m.port << " " << m.vlan;
  for (const std::uint16_t vlan : std::initializer_list<std::uint16_t>{1, 2, 4, 6, 8, 10, 4095})
    EXPECT_EQ(classifier.segment_of(view.port("lan1")->slot(), vlan), wire::kNowhere) << vlan;
  EXPECT_EQ(classifier.segment_of(view.port("wan")->slot(), 3), wire::kNowhere);
  EXPECT_EQ(classifier.segment_of(view.port("lan3")->slot(), 0), wire::kNowhere);
  const auto mac = testing::mac("02:00:00:00:20:05");
  EXPECT_FALSE(classifier.bind(view.port("lan1")->slot(), 0, mac, ip("10.20.0.5")).refused);
  EXPECT_EQ(classifier.bind(view.port("lan1")->slot(), 3, mac, ip("10.20.0.5")).refused,
            Drop::kStolenIdentity);
}

TEST(Classifier, SlotsWithoutOwnerAreNobody) {
  compile::CompileInput input;
  input.previous.devices = {{"gone", 0}};
  input.previous.rules = {{"gone/direct", 0}};
  const auto compiled = testing::compiled(testing::sample_gateway(), input);
  const wire::SnapshotView view = testing::view_of(compiled);
  const Classifier classifier(view);
  EXPECT_EQ(classifier.device(0), nullptr);
  EXPECT_NE(classifier.device(1), nullptr);
  EXPECT_EQ(classifier.device(static_cast<std::uint32_t>(view.devices().size())), nullptr);
  EXPECT_EQ(classifier.rule(0), nullptr);
  EXPECT_NE(classifier.rule(1), nullptr);
  EXPECT_EQ(classifier.rule(static_cast<std::uint32_t>(view.rules().size())), nullptr);
  EXPECT_FALSE(classifier.still_means(0, 0));
  EXPECT_FALSE(classifier.still_means(wire::kNoRule, 0));
}

TEST(Classifier, PortsBetweenTwoRangesAreDenied) {
  model::Gateway gateway = testing::bare_gateway();
  testing::add_conduit(gateway, "low", testing::device("scada"), testing::device("camera"),
                       testing::tcp(80, 81));
  testing::add_conduit(gateway, "high", testing::device("scada"), testing::device("camera"),
                       testing::tcp(85, 86));
  const auto compiled = testing::compiled(gateway);
  const Classifier classifier(testing::view_of(compiled));
  const std::uint32_t from = classifier.locate(ip("10.30.0.5")).source_class;
  const std::uint32_t to = classifier.locate(ip("10.20.0.7")).destination_class;
  for (std::uint16_t port = 78; port < 90; ++port) {
    const bool named = port == 80 || port == 81 || port == 85 || port == 86;
    EXPECT_EQ(classifier.decide(from, to, 6, port).allowed(), named) << port;
  }
  EXPECT_FALSE(classifier.decide(0, to, 6, 80).allowed());
  EXPECT_FALSE(classifier.decide(from, 0, 6, 80).allowed());
}

TEST_F(ClassifierTest, DirectConduitInBothVersions) {
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.7", 6, 80)), "office-sees-camera");
  EXPECT_EQ(rule_of(from_device("scada", "fd00:30::5", "fd00:20::7", 6, 81)), "office-sees-camera");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.7", 6, 82)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.7", 17, 80)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.6", 6, 80)), "default-deny");
  EXPECT_EQ(rule_of(from_device("camera", "10.20.0.7", "10.30.0.5", 6, 80)), "default-deny");
}

TEST_F(ClassifierTest, EchoIsOfItsOwnVersion) {
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.5", 1, 8)), "scada-pings");
  EXPECT_EQ(rule_of(from_device("scada", "fd00:30::5", "fd00:20::5", 58, 128)), "scada-pings");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.5", 58, 128)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "fd00:30::5", "fd00:20::5", 1, 8)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.5", 1, 13)), "default-deny");
  // A segment is its hosts; the gateway's own address is reached by name only.
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.20.0.1", 1, 8)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.30.0.1", 1, 8)), "builtin:ping:office");
}

TEST_F(ClassifierTest, InboundTerminationHasTwoLegs) {
  const Verdict a = from_uplink("192.0.2.77", "192.0.2.2", 6, 802);
  ASSERT_TRUE(a.decision.allowed());
  EXPECT_EQ(a.decision.kind(), RuleKind::Terminate);
  EXPECT_EQ(a.decision.listener_port(), compiled_.slots.listener_ports.at("scada-reads-press4"));
  EXPECT_EQ(rule_of(from_uplink("2001:db8::77", "2001:db8::2", 6, 802)), "scada-reads-press4");
  EXPECT_EQ(rule_of(from_uplink("203.0.113.1", "192.0.2.2", 6, 802)), "default-deny");
  EXPECT_EQ(rule_of(from_uplink("192.0.2.77", "192.0.2.2", 6, a.decision.listener_port())),
            "listener-port");
  EXPECT_EQ(rule_of(from_uplink("192.0.2.77", "10.20.0.5", 6, 502)), "default-deny");

  const Verdict b = from_host("field", "10.20.0.1", "10.20.0.5", 6, 502);
  ASSERT_TRUE(b.decision.allowed());
  EXPECT_EQ(b.decision.kind(), RuleKind::LegB);
  EXPECT_EQ(rule_of(from_host("field", "fd00:20::1", "fd00:20::5", 6, 502)), "scada-reads-press4");
  EXPECT_EQ(rule_of(from_host("field", "10.20.0.1", "10.20.0.5", 6, 503)), "host-stack-denied");
  EXPECT_EQ(rule_of(from_host("field", "10.20.0.1", "10.20.0.6", 6, 502)), "host-stack-denied");
  EXPECT_EQ(rule_of(from_host("uplink", "192.0.2.2", "10.20.0.5", 6, 502)), "host-stack-denied");
  EXPECT_EQ(rule_of(from_host("uplink", "10.20.0.1", "10.20.0.5", 6, 502)), "host-stack-denied");
}

TEST_F(ClassifierTest, OutboundTerminationByVirtualAddressAndLiteral) {
  const auto& answers = compiled_.slots.virtual_addresses.at({"field", "broker.example"});
  ASSERT_EQ(answers.size(), 2U);
  for (const IpAddress& answer : answers) {
    const char* source = answer.is_v4() ? "10.20.0.6" : "fd00:20::6";
    EXPECT_TRUE(classifier_.locate(answer).is_virtual());
    const Verdict v = from_device("meter", source, answer.to_string().c_str(), 6, 1883);
    ASSERT_TRUE(v.decision.allowed()) << answer.to_string();
    EXPECT_EQ(v.decision.kind(), RuleKind::Terminate);
    EXPECT_EQ(rule_of(from_device("meter", source, answer.to_string().c_str(), 6, 8883)),
              "default-deny");
  }
  EXPECT_EQ(rule_of(from_device("meter", "10.20.0.6", "203.0.113.9", 6, 1883)), "meter-to-fixed");
  EXPECT_EQ(rule_of(from_device("press4", "10.20.0.5", "203.0.113.9", 6, 1883)), "default-deny");
}

TEST_F(ClassifierTest, LearnedNamesOpenOnlyHostsBeyondTheUplink) {
  const std::array broker = {*Names(view_).destination_class("broker.example")};
  const std::array clock = {*Names(view_).destination_class("time.example")};
  EXPECT_EQ(rule_of(from_host("uplink", "192.0.2.2", "203.0.113.40", 6, 8883)),
            "host-stack-denied");
  const Verdict b = from_host("uplink", "192.0.2.2", "203.0.113.40", 6, 8883, broker);
  EXPECT_EQ(rule_of(b), "meter-to-cloud");
  EXPECT_EQ(b.decision.kind(), RuleKind::LegB);
  EXPECT_EQ(rule_of(from_host("uplink", "192.0.2.2", "203.0.113.40", 6, 8884, broker)),
            "host-stack-denied");
  const std::uint32_t camera = device("camera");
  const Ingress in{segment("field"), Origin::kWire, camera};
  const auto ask = [&](const char* destination) {
    return rule_of(
        classifier_.classify(in, {ip("10.20.0.7"), ip(destination), 17, 123, 123}, clock));
  };
  EXPECT_EQ(ask("203.0.113.40"), "camera-time");
  // What an address may do by itself is not taken away by its name.
  EXPECT_EQ(
      rule_of(classifier_.classify({segment("field"), Origin::kWire, device("meter")},
                                   {ip("10.20.0.6"), ip("203.0.113.9"), 6, 123, 1883}, clock)),
      "meter-to-fixed");
  // An answer that names an inside address opens nothing.
  EXPECT_EQ(ask("10.30.0.5"), "default-deny");
  EXPECT_EQ(ask("10.30.0.1"), "default-deny");
  EXPECT_EQ(ask("127.0.0.1"), "martian-destination");
}

TEST_F(ClassifierTest, ServicesAndTheGatewaysOwnConduits) {
  EXPECT_EQ(rule_of(from_device("meter", "10.20.0.6", "10.20.0.1", 17, 53)), "builtin:dns:field");
  EXPECT_EQ(rule_of(from_device("meter", "fd00:20::6", "fd00:20::1", 6, 53)), "builtin:dns:field");
  EXPECT_EQ(rule_of(from_device("meter", "10.20.0.6", "10.20.0.1", 17, 123)), "builtin:ntp:field");
  EXPECT_EQ(rule_of(from_device("meter", "10.20.0.6", "10.30.0.1", 17, 53)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.30.0.1", 17, 53)), "default-deny");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.30.0.1", 6, 22)), "scada-to-gateway");
  EXPECT_EQ(rule_of(from_host("uplink", "192.0.2.2", "203.0.113.53", 17, 53)), "gateway-dns");
  EXPECT_EQ(rule_of(from_host("uplink", "192.0.2.2", "203.0.113.54", 17, 53)), "host-stack-denied");
  EXPECT_EQ(rule_of(from_host("field", "10.20.0.1", "203.0.113.53", 17, 53)), "host-stack-denied");
}

TEST_F(ClassifierTest, SourcesAreHeldAgainstHowTheyCameIn) {
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.6", "10.20.0.7", 6, 80)), "spoofed-source");
  EXPECT_EQ(rule_of(from_device("meter", "10.30.0.5", "10.20.0.7", 6, 80)), "spoofed-source");
  EXPECT_EQ(rule_of(from_device("scada", "127.0.0.1", "10.20.0.7", 6, 80)), "martian-source");
  EXPECT_EQ(rule_of(from_uplink("10.30.0.5", "10.20.0.7", 6, 80)), "reverse-path");
  EXPECT_EQ(rule_of(from_uplink("192.0.2.2", "10.20.0.7", 6, 80)), "reverse-path");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "fd00:20::7", 6, 80)), "ip-version");
  EXPECT_EQ(rule_of(from_device("scada", "10.30.0.5", "10.30.0.5", 6, 80)), "hairpin");
  // Two that are nobody's are not one another.
  EXPECT_EQ(rule_of(from_uplink("192.0.2.77", "10.20.0.99", 6, 80)), "default-deny");
  // Not even a device's own address comes out of a host stack.
  EXPECT_EQ(rule_of(from_host("office", "10.30.0.5", "10.20.0.7", 6, 80)), "host-stack-denied");
}

// The tables are the snapshot's own bytes, wherever these lie: nothing is copied out, nothing in
// them points anywhere.
TEST_F(ClassifierTest, TablesAreUsedInPlaceWhereverTheyLie) {
  const std::size_t size = compiled_.snapshot.size();
  for (const std::size_t offset : {std::size_t{0}, std::size_t{8}, std::size_t{4096 - 16}}) {
    std::vector<std::uint64_t> memory((offset + size) / 8 + 2);
    auto* place = reinterpret_cast<std::uint8_t*>(memory.data()) + offset;
    std::copy(compiled_.snapshot.begin(), compiled_.snapshot.end(), place);
    const auto moved = wire::SnapshotView::verify({place, size});
    ASSERT_TRUE(moved) << offset;
    const auto inside = [&](const void* at) {
      const auto* byte = static_cast<const std::uint8_t*>(at);
      return byte >= place && byte < place + size;
    };
    EXPECT_TRUE(inside(moved->intervals4().data()) && inside(moved->intervals6().data()) &&
                inside(moved->pairs().data()) && inside(moved->ranges().data()) &&
                inside(moved->rules().data()) && inside(moved->bind_table().data()) &&
                inside(moved->devices().data()) && inside(moved->members().data()));
    const Classifier there(*moved);
    for (const auto& from : view_.intervals4()) {
      const Location here = classifier_.locate(IpAddress::v4(from.first()));
      ASSERT_EQ(there.locate(IpAddress::v4(from.first())), here);
      for (const auto& to : view_.intervals4())
        for (const std::uint16_t port : std::initializer_list<std::uint16_t>{53, 80, 502, 802})
          EXPECT_EQ(there.decide(here.source_class, to.destination_class(), 6, port),
                    classifier_.decide(here.source_class, to.destination_class(), 6, port));
    }
    // What is in the bytes is what decides: emptied pairs deny.
    for (const wire::PairSlot& pair : moved->pairs())
      const_cast<wire::PairSlot&>(pair) = wire::PairSlot();
    const Location scada = there.locate(ip("10.30.0.5"));
    const Location camera = there.locate(ip("10.20.0.7"));
    EXPECT_FALSE(there.decide(scada.source_class, camera.destination_class, 6, 80).allowed());
  }
}

TEST_F(ClassifierTest, MeaningsOutliveUnchangedRules) {
  const Verdict v = from_device("scada", "10.30.0.5", "10.20.0.7", 6, 80);
  model::Gateway changed = testing::sample_gateway();
  changed.conduits.erase(changed.conduits.begin());
  const auto after = testing::compiled(changed, {.revision = 2,
                                                 .today = {},
                                                 .unit_id = 0,
                                                 .config_name = "x",
                                                 .config_sha256 = {},
                                                 .previous = compile::slots_of(view_)});
  const Classifier later(testing::view_of(after));
  const std::uint32_t slot = v.decision.rule();
  const std::uint64_t meaning = view_.rules()[slot].meaning();
  EXPECT_TRUE(later.still_means(slot, meaning));
  changed.conduits[2].service = testing::tcp(80, 82);
  const auto widened = testing::compiled(changed, {.revision = 3,
                                                   .today = {},
                                                   .unit_id = 0,
                                                   .config_name = "x",
                                                   .config_sha256 = {},
                                                   .previous = after.slots});
  EXPECT_FALSE(Classifier(testing::view_of(widened)).still_means(slot, meaning));
}

}  // namespace
}  // namespace sallyport::decide
