// What must not harm: a machine that was suspended, counters at their end.
#include <cstdint>
#include <limits>

#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class Faults : public Policy {
 protected:
  void expect_new_flow(std::uint16_t port) {
    expect_out(send("scada", packet("scada", port, "plc", 502).tcp(kTcpSyn)), "lan1");
  }
};
SALLYPORT_IN_BOTH_VERSIONS(Faults);

// A steady clock never goes back (clock_gettime(2)); a guest that was paused sees it leap.
TEST_P(Faults, AClockThatLeapsEndsWhatIsOverAndNothingElse) {
  open_tcp();
  const auto data = packet("plc", 502, "scada", 40000).payload({1}).tcp(kTcpAck);
  world_.leap(std::chrono::hours(2));
  expect_out(send("plc", data), "lan3");
  for (const auto days : {1, 400, 20'000}) {
    world_.leap(std::chrono::hours(24 * days));
    world_.wait(seconds(1));
    EXPECT_EQ(world_.pipeline().flows().size(), 0U) << days;
    expect_drop(send("plc", data), Drop::kDefaultDeny);
    expect_new_flow(static_cast<std::uint16_t>(41000 + days % 1000));
    EXPECT_EQ(world_.pipeline().flows().size(), 1U);
  }
  // What was rationed is so still, and no longer than before.
  const auto question =
      PacketBuilder(at("plc"), {world_.segment_mac("field"), own("field"), 0}).neighbour_question();
  std::size_t passed = 0;
  for (int i = 0; i < 200; ++i) passed += send("plc", question).size();
  EXPECT_LT(passed, 200U);
  world_.wait(seconds(5));
  EXPECT_FALSE(send("plc", question).empty());
}

// They begin again at zero, each for itself; what adds up does so all the same (PipelineWorld looks
// after each packet).
TEST_P(Faults, CountersAtTheirEndBeginAgain) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  const dataplane::Counters& seen = world_.pipeline().counters();
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): nothing else counts so far
  auto& counters = const_cast<dataplane::Counters&>(seen);
  counters.received = kLast;
  counters.forwarded = kLast - 1;
  counters.drops[static_cast<std::size_t>(Drop::kDefaultDeny)] = 1;
  open_tcp();
  EXPECT_EQ(seen.received, 2U);
  EXPECT_EQ(seen.forwarded, 1U);
  counters.drops[static_cast<std::size_t>(Drop::kDefaultDeny)] = kLast;
  counters.received = counters.forwarded - 1;
  expect_drop(send("scada", packet("scada", 40000, "plc", 503).tcp(kTcpSyn)), Drop::kDefaultDeny);
  EXPECT_EQ(seen.drops[static_cast<std::size_t>(Drop::kDefaultDeny)], 0U);
}

}  // namespace
}  // namespace sallyport::testing
