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

}  // namespace
}  // namespace sallyport::testing
