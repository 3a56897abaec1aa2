// What stays with a name from one revision to the next.
#include "policy/compile/slots.h"

#include <gtest/gtest.h>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::compile {
namespace {

CompileInput after(const Compiled& before, std::uint64_t revision) {
  CompileInput out;
  out.revision = revision;
  out.previous = slots_of(testing::view_of(before));
  return out;
}

TEST(Slots, AreReadBackFromTheSnapshot) {
  const Compiled first = testing::compiled(testing::sample_gateway());
  EXPECT_EQ(slots_of(testing::view_of(first)), first.slots);
}

TEST(Slots, StayWithTheirNamesWhateverTheOrder) {
  const model::Gateway gateway = testing::sample_gateway();
  const Compiled first = testing::compiled(gateway);
  model::Gateway reversed = gateway;
  std::reverse(reversed.devices.begin(), reversed.devices.end());
  std::reverse(reversed.conduits.begin(), reversed.conduits.end());
  std::reverse(reversed.segments.begin(), reversed.segments.end());
  std::reverse(reversed.ports.begin(), reversed.ports.end());
  EXPECT_EQ(testing::compiled(reversed, after(first, 2)).slots, first.slots);
}

TEST(Slots, NeverChangeHandsInOneStep) {
  model::Gateway gateway = testing::sample_gateway();
  const Compiled first = testing::compiled(gateway);
  gateway.conduits[0].name = "renamed";
  gateway.conduits[1].to = testing::name("other.example");
  gateway.devices[1].name = "meter-two";
  for (model::Conduit& c : gateway.conduits)
    if (auto* d = std::get_if<model::DeviceEnd>(&c.from); d != nullptr && d->device == "meter")
      d->device = "meter-two";
  const Compiled second = testing::compiled(gateway, after(first, 2));
  const auto values = [](const auto& map) {
    std::set<std::uint64_t> out;
    for (const auto& [name, slot] : map) out.insert(slot);
    return out;
  };
  EXPECT_FALSE(values(first.slots.conduits).contains(second.slots.conduits.at("renamed")));
  EXPECT_FALSE(values(first.slots.devices).contains(second.slots.devices.at("meter-two")));
  EXPECT_FALSE(
      values(first.slots.listener_ports).contains(second.slots.listener_ports.at("renamed")));
  const auto before = first.slots.virtual_addresses.at({"field", "broker.example"});
  for (const IpAddress& a : second.slots.virtual_addresses.at({"field", "other.example"}))
    EXPECT_EQ(std::find(before.begin(), before.end(), a), before.end());
  // Two steps later the slot is free again.
  gateway.conduits[0].name = "third";
  const Compiled third = testing::compiled(gateway, after(second, 3));
  EXPECT_EQ(third.slots.conduits.at("third"), first.slots.conduits.at("scada-reads-press4"));
}

TEST(Slots, SameInputSameBytes) {
  const model::Gateway gateway = testing::sample_gateway();
  EXPECT_EQ(testing::compiled(gateway).snapshot, testing::compiled(gateway).snapshot);
}

TEST(Slots, VirtualAddressesAvoidNetworkAndBroadcastLookalikes) {
  model::Gateway gateway = testing::bare_gateway();
  for (int n = 0; n < 600; ++n)
    testing::add_conduit(gateway, "c" + std::to_string(n), testing::device("meter"),
                         testing::name("n" + std::to_string(n) + ".example"), testing::tcp(1883))
        .terminate = testing::outbound("broker.example", 8883);
  const Compiled out = testing::compiled(gateway);
  std::set<IpAddress> seen;
  for (const auto& [key, list] : out.slots.virtual_addresses) {
    EXPECT_EQ(list.size(), 2U);
    for (const IpAddress& a : list) {
      EXPECT_TRUE(seen.insert(a).second);
      EXPECT_NE(a.bytes()[15], 0);
      EXPECT_FALSE(a.is_v4() && a.bytes()[15] == 255);
    }
  }
  EXPECT_EQ(seen.size(), 1200U);
}

// What the previous revision says is used as far as it can be true.
TEST(Slots, OfAnImpossiblePastAreGivenAnew) {
  CompileInput input;
  input.previous.devices = {{"press4", wire::kMaxDevices}, {"meter", wire::kMaxDevices - 1}};
  input.previous.ports = {{"wan", wire::kMaxPorts}};
  input.previous.segments = {{"field", wire::kMaxSegments - 1}};
  input.previous.listener_ports = {{"scada-reads-press4", wire::kFirstListenerPort - 1},
                                   {"meter-to-cloud", wire::kLastListenerPort},
                                   {"meter-to-fixed", wire::kFirstListenerPort},
                                   {"scada-inspected", 65535}};
  const Slots slots = testing::compiled(testing::sample_gateway(), input).slots;
  EXPECT_EQ(slots.devices.at("meter"), wire::kMaxDevices - 1);
  EXPECT_EQ(slots.devices.at("press4"), 0U);
  EXPECT_EQ(slots.ports.at("wan"), 0U);
  EXPECT_EQ(slots.segments.at("field"), wire::kMaxSegments - 1);
  EXPECT_EQ(slots.listener_ports.at("meter-to-cloud"), wire::kLastListenerPort);
  EXPECT_EQ(slots.listener_ports.at("meter-to-fixed"), wire::kFirstListenerPort);
  EXPECT_EQ(slots.listener_ports.at("scada-reads-press4"), wire::kFirstListenerPort + 1);
  EXPECT_EQ(slots.listener_ports.at("scada-inspected"), wire::kFirstListenerPort + 2);
}

TEST(Slots, VirtualAddressesStayAsLongAsTheyMayBeUsed) {
  const std::pair key(std::string("field"), std::string("broker.example"));
  const auto given = [&](std::vector<IpAddress> before) {
    CompileInput input;
    input.previous.virtual_addresses[key] = std::move(before);
    return testing::compiled(testing::sample_gateway(), input).slots.virtual_addresses.at(key);
  };
  using testing::ip;
  using List = std::vector<IpAddress>;
  // In the order of the versions, whatever the order before.
  EXPECT_EQ(given({ip("fd53:414c:4c59::77"), ip("198.18.7.7")}),
            (List{ip("198.18.7.7"), ip("fd53:414c:4c59::77")}));
  EXPECT_EQ(given({ip("fd53:414c:4c59::ff")}), (List{ip("198.18.0.1"), ip("fd53:414c:4c59::ff")}));
  // Outside the ranges, or an address that looks like a network or a broadcast: another one.
  EXPECT_EQ(given({ip("198.20.0.1"), ip("fd53::1")}),
            (List{ip("198.18.0.1"), ip("fd53:414c:4c59::1")}));
  EXPECT_EQ(given({ip("198.18.7.255"), ip("fd53:414c:4c59::100")}),
            (List{ip("198.18.0.1"), ip("fd53:414c:4c59::1")}));
}

// A resolver answers a name in one way only.
TEST(Slots, TwoConduitsToOneNameShareItsAddresses) {
  model::Gateway gateway = testing::sample_gateway();
  testing::add_conduit(gateway, "also", testing::device("camera"), testing::name("broker.example"),
                       testing::tcp(1883))
      .terminate = testing::outbound("broker.example", 8883);
  const Compiled out = testing::compiled(gateway);
  EXPECT_EQ(out.slots.virtual_addresses.at({"field", "broker.example"}).size(), 2U);
  EXPECT_EQ(slots_of(testing::view_of(out)), out.slots);
}

TEST(Slots, HolesAreNobodys) {
  CompileInput input;
  input.previous.devices = {{"gone", 0}};
  input.previous.rules = {{"gone/direct", 0}};
  const Compiled out = testing::compiled(testing::sample_gateway(), input);
  EXPECT_EQ(slots_of(testing::view_of(out)), out.slots);
}

TEST(Slots, ListenerPortsRunOutByName) {
  Slots previous;
  SlotBook book(previous);
  for (unsigned n = 0; n <= wire::kLastListenerPort - wire::kFirstListenerPort; ++n)
    ASSERT_TRUE(book.listener_port("c" + std::to_string(n)));
  EXPECT_EQ(book.listener_port("c0"), wire::kFirstListenerPort);
  EXPECT_FALSE(book.listener_port("one-more"));
}

}  // namespace
}  // namespace sallyport::compile
