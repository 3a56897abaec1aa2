#include "control/reconcile/reconciler.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/control/reconcile/reconciler_world.h"

namespace sallyport::control {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::Pair;

constexpr const char* kOneDevice = R"(
devices:
  press4: { segment: field, port: lan1, mac: "02:00:00:00:20:05", address: [10.20.0.5, "fd00:20::5"] }
)";

std::string without_field() {
  return R"(
version: 1
ports:
  wan: { device: "net_af_packet0,iface=veth0" }
  lan1: { device: "net_af_packet1,iface=veth1" }
segments:
  uplink: { ports: [wan], role: uplink, address: [192.0.2.2/24], gateway: 192.0.2.1, mac: "02:00:00:00:00:01" }
)";
}

TEST_F(ReconcilerTest, FirstRevisionComesInTheOrderOfTheBorders) {
  const auto outcome = apply(target(1, kBase));
  ASSERT_TRUE(outcome && *outcome) << outcome->error().context;
  EXPECT_TRUE(in_force(1));
  std::vector<std::string> order;
  for (const auto& line : journal_)
    if (line.find("prepare") != line.npos || line.find("commit") != line.npos ||
        line.find("configure") != line.npos)
      order.push_back(line);
  EXPECT_THAT(order,
              ElementsAre("dataplane configure", "terminator prepare 1", "dataplane prepare 1",
                          "terminator commit 1", "dataplane commit 1"));
  EXPECT_EQ(fake_dataplane_->taps, (std::set<std::string>{"field", "uplink"}));
  EXPECT_EQ(fake_dataplane_->ring, fake_terminator_->ring);
  EXPECT_NE(fake_dataplane_->ring, 0U);
  // Links are raised last: after the ports were taken and deny was in force on them.
  const auto& log = fake_setup_->log;
  const auto taken = std::find(log.begin(), log.end(), "port-take veth1");
  const auto up = std::find(log.begin(), log.end(), "port-up veth1");
  EXPECT_LT(taken, up);
  EXPECT_NE(up, log.end());
}

TEST_F(ReconcilerTest, NoLinkIsRaisedBeforeTheDataplaneSaysThatDenyIsInForce) {
  fake_dataplane_->silent.insert("configure");
  const auto outcome = apply(target(1, kBase));
  EXPECT_FALSE(outcome && *outcome);
  EXPECT_THAT(journal_, Contains("dataplane configure"));
  EXPECT_THAT(fake_setup_->log, Contains("port-take veth1"));
  for (const std::string& line : fake_setup_->log)
    EXPECT_FALSE(line.starts_with("port-up")) << "while deny is not in force: " << line;
}

TEST_F(ReconcilerTest, ACommitAddsHostStateBeforeAndRemovesItAfter) {
  begin();
  ASSERT_TRUE(*apply(target(2, std::string(kBase) + kOneDevice)));
  EXPECT_TRUE(in_force(2));
  // IPv4, IPv6 and the device's link-local address; nothing that was there is made again.
  EXPECT_THAT(fake_setup_->log,
              ElementsAre("neighbour-set field", "neighbour-set field", "neighbour-set field"));
  fake_setup_->log.clear();
  ASSERT_TRUE(*apply(target(3, kBase)));
  EXPECT_THAT(fake_setup_->log, ElementsAre("neighbour-delete field", "neighbour-delete field",
                                            "neighbour-delete field"));
}

std::string narrow_field() {
  std::string out = kBase;
  const std::string ports = "field: { ports: [lan1],";
  return out.replace(out.find(ports), ports.size(), ports + " mtu: 1400,");
}

TEST_F(ReconcilerTest, ATapHasItsSegmentsMtuAndARefusedOneDoesNotStay) {
  const auto outcome = apply(target(1, kBase));
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_THAT(fake_setup_->log, Contains("mtu-set field"));
  EXPECT_THAT(fake_setup_->mtus, ElementsAre(Pair("field", 1500), Pair("uplink", 1500)));
  ASSERT_TRUE(*apply(target(2, narrow_field())));
  EXPECT_THAT(fake_setup_->mtus, ElementsAre(Pair("field", 1400), Pair("uplink", 1500)));
  fake_setup_->log.clear();
  ASSERT_TRUE(*apply(target(3, kBase)));
  EXPECT_THAT(fake_setup_->log, ElementsAre("mtu-set field"));
  EXPECT_THAT(fake_setup_->mtus, ElementsAre(Pair("field", 1500), Pair("uplink", 1500)));
  fake_dataplane_->refuse["prepare"] = "no";
  const auto refused = apply(target(4, narrow_field()));
  ASSERT_TRUE(refused.has_value());
  ASSERT_FALSE(*refused);
  EXPECT_TRUE(until([&] { return fake_setup_->mtus["field"] == 1500; }));
}

TEST_F(ReconcilerTest, ARemovedSegmentIsDetachedAndDeleted) {
  begin();
  ASSERT_TRUE(*apply(target(2, without_field())));
  EXPECT_TRUE(in_force(2));
  EXPECT_EQ(fake_dataplane_->taps, (std::set<std::string>{"uplink"}));
  EXPECT_EQ(fake_setup_->stacks, (std::set<std::string>{"uplink"}));
}

// What may go wrong at each of the four steps by which a revision comes into force.
struct Fault {
  const char* who;
  const char* phase;
  const char* kind;  // it refuses, is silent, or its connection ends
};
void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.who << " " << fault.kind << " " << fault.phase;
}

class Faulty : public ReconcilerTest, public testing::WithParamInterface<Fault> {
 protected:
  test::FakeSibling& guilty() {
    return std::string_view(GetParam().who) == "terminator" ? *fake_terminator_ : *fake_dataplane_;
  }
};

TEST_P(Faulty, OldRevisionIsRestoredInBothAndInTheHostStacks) {
  begin();
  const std::string kind = GetParam().kind;
  if (kind == "refuses") guilty().refuse[GetParam().phase] = "certificate-missing";
  if (kind == "ignores") guilty().silent.insert(GetParam().phase);
  if (kind == "leaves") guilty().dies.insert(GetParam().phase);
  const auto outcome = apply(target(2, std::string(kBase) + kOneDevice));
  ASSERT_TRUE(outcome.has_value());
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, kind == "refuses"   ? "certificate-missing"
                                   : kind == "ignores" ? "peer-silent"
                                                       : "peer-gone");
  // At once, whatever else must still be sent again: whoever is there was told to let go.
  EXPECT_EQ(reconciler_->in_force()->revision, 1U);
  for (const auto* sibling : {"terminator", "dataplane"})
    if (kind == "refuses" || std::string_view(GetParam().who) != sibling) {
      EXPECT_THAT(journal_, Contains(fmt::format("{} abort 2", sibling)));
    }
  guilty().refuse.clear();
  guilty().silent.clear();
  guilty().dies.clear();
  ASSERT_TRUE(until([&] { return everybody_up() && guilty().connected(); }));
  EXPECT_TRUE(until([&] {
    return in_force(1) && fake_terminator_->running == 1 && fake_dataplane_->running == 1;
  }));
  // What the refused revision had added to the host stacks is gone again.
  EXPECT_EQ(std::count(fake_setup_->log.begin(), fake_setup_->log.end(), "neighbour-delete field"),
            3);
  // And the next one comes into force.
  const auto next = apply(target(3, std::string(kBase) + kOneDevice));
  ASSERT_TRUE(*next) << next->error().context;
  EXPECT_TRUE(in_force(3));
}

std::vector<Fault> faults() {
  std::vector<Fault> out;
  for (const char* kind : {"refuses", "ignores", "leaves"})
    for (const char* phase : {"prepare", "commit"})
      for (const char* who : {"terminator", "dataplane"}) out.push_back({who, phase, kind});
  return out;
}

INSTANTIATE_TEST_SUITE_P(Steps, Faulty, testing::ValuesIn(faults()), [](const auto& test) {
  return fmt::format("{}_{}_{}", test.param.who, test.param.kind, test.param.phase);
});

// What a commit adds is known to the terminator before the dataplane lets it in; what it removes is
// stopped by the dataplane before the terminator lets go.
TEST_F(ReconcilerTest, AdditionsReachTheTerminatorFirstAndRemovalsTheDataplane) {
  begin();
  std::vector<std::string> states;
  std::optional<Result<void>> outcome;
  reconciler_->commit(now_, target(2, std::string(kBase) + kOneDevice),
                      [&](Result<void> r) { outcome = std::move(r); });
  ASSERT_TRUE(until([&] {
    states.push_back(fmt::format("terminator prepared {} runs {}, dataplane runs {}",
                                 fake_terminator_->prepared, fake_terminator_->running,
                                 fake_dataplane_->running));
    return outcome.has_value();
  }));
  states.erase(std::unique(states.begin(), states.end()), states.end());
  EXPECT_THAT(states, ElementsAre("terminator prepared 1 runs 1, dataplane runs 1",
                                  "terminator prepared 2 runs 1, dataplane runs 1",
                                  "terminator prepared 2 runs 1, dataplane runs 2",
                                  "terminator prepared 2 runs 2, dataplane runs 2"));
}

TEST_F(ReconcilerTest, ForcedTargetReachesWhoeverIsThereAndTheOthersLater) {
  begin();
  fake_terminator_->die();
  ASSERT_TRUE(until([&] { return !terminator_->up(); }));
  reconciler_->force(target(2, std::string(kBase) + kOneDevice));
  ASSERT_TRUE(until([&] { return fake_dataplane_->running == 2; }));
  fake_terminator_->listen();
  EXPECT_TRUE(until([&] { return in_force(2); }));
}

TEST_F(ReconcilerTest, ForcedInsideARoundTheNewTargetIsSentAfterIt) {
  begin();
  fake_dataplane_->silent.insert("prepare");
  fake_dataplane_->disconnect();
  ASSERT_TRUE(until([&] { return reconciler_->step() == Reconciler::Step::kPrepareDataplane; }));
  reconciler_->force(target(2, std::string(kBase) + kOneDevice));
  fake_dataplane_->silent.clear();
  EXPECT_TRUE(until([&] { return in_force(2); }));
  EXPECT_EQ(fake_terminator_->running, 2U);
}

TEST_F(ReconcilerTest, RefusedFirstRevisionLeavesNothingInForce) {
  fake_dataplane_->refuse["prepare"] = "no-memory";
  const auto outcome = apply(target(1, kBase));
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(reconciler_->in_force(), nullptr);
  fake_dataplane_->refuse.clear();
  ASSERT_TRUE(*apply(target(2, kBase)));
  EXPECT_TRUE(in_force(2));
}

TEST_F(ReconcilerTest, SilentSiblingTimesOutAndTheCommitIsUndone) {
  begin();
  fake_dataplane_->silent.insert("prepare");
  const auto outcome = apply(target(2, std::string(kBase) + kOneDevice));
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(reconciler_->in_force()->revision, 1U);
  fake_dataplane_->silent.clear();
  EXPECT_TRUE(until([&] { return in_force(1); }));
}

TEST_F(ReconcilerTest, DataplaneDyingInsideACommitUndoesIt) {
  begin();
  fake_dataplane_->silent.insert("prepare");
  std::optional<Result<void>> outcome;
  reconciler_->commit(now_, target(2, kBase), [&](Result<void> r) { outcome = std::move(r); });
  ASSERT_TRUE(until([&] {
    return std::find(journal_.begin(), journal_.end(), "dataplane prepare 2") != journal_.end();
  }));
  fake_dataplane_->disconnect();
  fake_dataplane_->silent.clear();
  ASSERT_TRUE(until([&] { return outcome.has_value(); }));
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, "peer-gone");
  EXPECT_TRUE(until([&] { return in_force(1); }));
}

TEST_F(ReconcilerTest, ReturningDataplaneGetsEverythingAgainAndTheTerminatorIsLeftAlone) {
  begin();
  fake_dataplane_->disconnect();
  ASSERT_TRUE(until([&] { return fake_dataplane_->in_force == 1; }));
  ASSERT_TRUE(until([&] { return reconciler_->step() == Reconciler::Step::kIdle; }));
  EXPECT_EQ(fake_dataplane_->taps.size(), 2U);
  EXPECT_EQ(fake_dataplane_->ports.size(), 2U);
  EXPECT_THAT(journal_, Not(Contains("terminator prepare 1")));
  EXPECT_EQ(fake_dataplane_->ring, fake_terminator_->ring) << "both must share the new ring";
  EXPECT_THAT(alerts_, Contains("process-lost"));
}

TEST_F(ReconcilerTest, ReturningTerminatorIsServedAlsoWhileSetupIsAway) {
  begin();
  fake_setup_->die();
  fake_terminator_->disconnect();
  EXPECT_TRUE(until([&] { return fake_terminator_->in_force == 1; }));
  EXPECT_THAT(journal_, Not(Contains("dataplane prepare 1")));
  // The ring follows once setup is back.
  fake_setup_->listen();
  EXPECT_TRUE(until([&] {
    return fake_terminator_->ring != 0 && fake_dataplane_->ring == fake_terminator_->ring;
  }));
}

TEST_F(ReconcilerTest, ReturningSetupIsToldEverythingAndCleaned) {
  begin();
  fake_setup_->die();
  ASSERT_TRUE(until([&] { return !setup_->up(); }));
  fake_setup_->stacks = {"uplink", "old"};
  fake_setup_->listen();
  EXPECT_TRUE(
      until([&] { return fake_setup_->stacks == std::set<std::string>{"field", "uplink"}; }));
}

TEST_F(ReconcilerTest, AtBootTheConfirmedRevisionIsSentAndLeftoversAreRemoved) {
  const TargetPtr confirmed = target(7, kBase);
  const TargetPtr pending = target(8, std::string(kBase) + kOneDevice);
  reconciler_->restore(confirmed, {pending->plan});
  ASSERT_TRUE(until([&] { return in_force(7); }));
  EXPECT_EQ(std::count(fake_setup_->log.begin(), fake_setup_->log.end(), "neighbour-delete field"),
            3);
}

TEST_F(ReconcilerTest, TerminatorThatRefusesAtBootDoesNotKeepDirectConduitsDown) {
  fake_terminator_->refuse["prepare"] = "certificate-missing";
  reconciler_->restore(target(3, kBase), {});
  EXPECT_TRUE(until([&] { return fake_dataplane_->in_force == 3; }));
  EXPECT_THAT(alerts_, Contains("resync-failed"));
  fake_terminator_->refuse.clear();
  EXPECT_TRUE(until([&] { return in_force(3); }));
}

TEST_F(ReconcilerTest, OtherPortsRestartTheDataplane) {
  begin();
  std::string text = kBase;
  text.replace(text.find("veth1"), 5, "veth9");
  text.replace(text.find("lan1:"), 5, "lan9:");
  text.replace(text.find("[lan1]"), 6, "[lan9]");
  const TargetPtr candidate = target(2, text);
  EXPECT_TRUE(reconciler_->needs_restart(*candidate));
  std::optional<Result<void>> outcome;
  reconciler_->commit(now_, candidate, [&](Result<void> r) { outcome = std::move(r); });
  ASSERT_TRUE(until([&] {
    return std::find(journal_.begin(), journal_.end(), "dataplane restart") != journal_.end();
  }));
  EXPECT_THAT(journal_, Not(Contains("terminator prepare 2"))) << "ports come first";
  fake_dataplane_->disconnect();  // the supervisor starts it anew
  ASSERT_TRUE(until([&] { return outcome.has_value(); }));
  ASSERT_TRUE(*outcome) << outcome->error().context;
  EXPECT_TRUE(in_force(2));
  EXPECT_THAT(fake_dataplane_->ports, Contains("lan9"));
}

TEST_F(ReconcilerTest, CommitWithoutASiblingIsRefusedAtOnce) {
  begin();
  fake_terminator_->die();
  ASSERT_TRUE(until([&] { return !terminator_->up(); }));
  std::optional<Result<void>> outcome;
  reconciler_->commit(now_, target(2, kBase), [&](Result<void> r) { outcome = std::move(r); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->error().code, "peer-gone");
  EXPECT_EQ(reconciler_->in_force()->revision, 1U);
}

TEST_F(ReconcilerTest, GarbageFromASiblingCostsItTheConnectionAndNothingElse) {
  begin();
  const std::vector<std::uint8_t> garbage(2000, 0xa5);
  fake_terminator_->send_raw(garbage);
  ASSERT_TRUE(until([&] { return fake_terminator_->in_force == 1 && !journal_.empty(); }));
  EXPECT_TRUE(until([&] { return in_force(1); }));
}

TEST_F(ReconcilerTest, EventsOfSiblingsAreHandedOn) {
  std::string seen;
  dataplane_->on_event(
      [&](const std::string& kind, const std::string& json) { seen = kind + " " + json; });
  begin();
  fake_dataplane_->send_event("stolen-identity", R"({"port":"lan2"})");
  EXPECT_TRUE(until([&] { return seen == R"(stolen-identity {"port":"lan2"})"; }));
}

TEST_F(ReconcilerTest, LargeAnswersArriveThroughMemory) {
  begin();
  const std::string large = "\"" + std::string(200'000, 'x') + "\"";
  fake_dataplane_->answer = [&](const wire::Query&) { return std::string(large); };
  std::optional<std::string> got;
  dataplane_->query(now_, "flows", {"limit=1"}, milliseconds(0),
                    [&](Result<Sibling::Reply> reply) { got = reply ? reply->json : "refused"; });
  EXPECT_TRUE(until([&] { return got.has_value(); }));
  EXPECT_EQ(*got, large);
}

TEST(KernelInterface, IsReadFromDeviceArgumentsOnly) {
  EXPECT_EQ(kernel_interface("net_af_packet0,iface=eth1"), "eth1");
  EXPECT_EQ(kernel_interface("net_af_xdp0,iface=eth1,start_queue=0"), "eth1");
  EXPECT_EQ(kernel_interface("0000:01:00.0"), "");
  EXPECT_EQ(kernel_interface("net_af_packet0,iface=../x"), "");
  EXPECT_EQ(kernel_interface("net_af_packet0,iface=sixteen-bytes-xx"), "");
}

}  // namespace
}  // namespace sallyport::control
