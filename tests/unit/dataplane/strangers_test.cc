// Senders whom nobody enrolled are told before the flow table is asked; that must show in nothing.
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class AmongStrangers : public Policy {};
SALLYPORT_IN_BOTH_VERSIONS(AmongStrangers);

// Who comes behind a flood of strangers is judged as if there were none.
TEST_P(AmongStrangers, NobodysVerdictChanges) {
  const auto meter = packet("meter", 5000, "plc", 5683);
  const auto strangers = [&] {
    for (int i = 0; i < 3; ++i)
      expect_drop(send("rogue", packet("rogue", 5000, "plc", 5683).udp()), Drop::kUnknownDevice);
  };
  strangers();
  expect_out(send("meter", meter.udp()), "lan1");
  strangers();
  expect_out(send("meter", meter.udp()), "lan1");
  strangers();
  const PacketBuilder thief({host("rogue").mac, host("meter").address(version()), 5000},
                            via("meter", "plc", 5683));
  expect_drop(send("rogue", thief.udp()), Drop::kStolenIdentity);
  strangers();
  auto tagged = thief;
  expect_drop(send("rogue", tagged.vlan(8).udp()), Drop::kSegmentMismatch);
  strangers();
  expect_drop(send("rogue", packet("rogue", 0, "plc", 5683).udp()), Drop::kPortZero);
  EXPECT_EQ(world_.pipeline().flows().size(), 1U);
}

// Only where nobody but devices may send: an uplink's hosts are enrolled nowhere.
TEST(Stranger, IsWhoseMacNobodyEnrolledOnAPortOfDevices) {
  PipelineWorld world;
  const dataplane::Tables& tables = *world.pipeline().tables();
  const MacAddress rogue = plant_hosts().at("rogue").mac;
  ASSERT_FALSE(tables.enrolled().may_be(rogue)) << "one in sixteen: take another";
  for (const char* port : {"lan1", "lan2", "lan3"})
    EXPECT_TRUE(tables.is_stranger(world.port_slot(port), rogue)) << port;
  EXPECT_FALSE(tables.is_stranger(world.port_slot("wan"), rogue));
  EXPECT_FALSE(tables.is_stranger(dataplane::kNoPort, rogue));
  EXPECT_FALSE(tables.is_stranger(world.port_slot("lan2"), plant_hosts().at("meter").mac));
}

TEST(Stranger, IsNobodyWhereAnUplinkSharesThePort) {
  model::Gateway gateway = plant();
  for (model::Segment& segment : gateway.segments)
    if (segment.name == "uplink") segment.members.push_back({"lan3", 9});
  PipelineWorld world(gateway);
  EXPECT_FALSE(world.pipeline().tables()->is_stranger(world.port_slot("lan3"),
                                                      plant_hosts().at("rogue").mac));
}

}  // namespace
}  // namespace sallyport::testing
