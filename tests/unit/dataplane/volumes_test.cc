// What went where, as `sallyctl top` makes rates of it.
#include "dataplane/telemetry/volumes.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class VolumesTest : public Policy {};
SALLYPORT_IN_BOTH_VERSIONS(VolumesTest);

// Of what passed: segment by segment and rule by rule. Of what did not: in, and dropped.
TEST_P(VolumesTest, SegmentsAndRulesAreWhatWasOnTheWires) {
  open_tcp();
  const auto request = packet("scada", 40000, "plc", 502).tcp(kTcpAck);
  for (int i = 0; i < 5; ++i) expect_out(send("scada", request), "lan1");
  expect_drop(send("scada", packet("scada", 40000, "plc", 503).tcp(kTcpSyn)), Drop::kDefaultDeny);
  expect_drop(send("rogue", packet("rogue", 1, "plc", 502).tcp(kTcpSyn)), Drop::kUnknownDevice);
  const dataplane::Volumes& volumes = world_.pipeline().volumes();
  const auto& office = volumes.segments()[world_.segment_slot("office")];
  const auto& field = volumes.segments()[world_.segment_slot("field")];
  EXPECT_EQ(office.in.packets, 2U + 5U + 1U);
  EXPECT_EQ(office.out.packets, 1U);
  EXPECT_EQ(office.dropped, 1U);
  EXPECT_EQ(field.in.packets, 1U + 1U);
  EXPECT_EQ(field.out.packets, 2U + 5U);
  EXPECT_EQ(field.out.bytes, (2U + 5U) * request.size());
  EXPECT_EQ(field.dropped, 1U);
  std::vector<dataplane::Volume> rules(wire::kMaxRules);
  volumes.add_to({}, rules);
  std::erase_if(rules, [](const dataplane::Volume& rule) { return rule.packets == 0; });
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].packets, 3U + 5U);
}

TEST_P(VolumesTest, ARuleIsExactAfterEachPacket) {
  const auto carried = [&] {
    std::vector<dataplane::Volume> rules(world_.tables().view().rules().size());
    world_.pipeline().volumes().add_to({}, rules);
    return std::accumulate(rules.begin(), rules.end(), dataplane::Volume{},
                           [](dataplane::Volume sum, const auto& one) { return sum += one; });
  };
  dataplane::Volume expected = carried();
  for (std::size_t i = 0; i < 600; ++i) {
    const std::vector<std::uint8_t> payload(i % 2 == 0 ? 1400 : i % 7);
    const auto frame = packet("meter", 5000, "plc", 5683).payload(payload).udp();
    expect_out(send("meter", frame), "lan1");
    expected.add(frame.size());
    const dataplane::Volume now = carried();
    ASSERT_EQ(now.packets, expected.packets);
    ASSERT_EQ(now.bytes, expected.bytes);
  }
}

}  // namespace
}  // namespace sallyport::testing
