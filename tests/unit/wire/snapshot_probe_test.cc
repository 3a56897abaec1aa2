// The bounds of work: no lookup takes more than kMaxProbe steps, and the verifier's own walk over
// lists that many pairs share ends (policy/wire/verify_tables.cc). Tables are built by hand, with
// keys searched for by where they hash to.
#include <gtest/gtest.h>

#include <functional>

#include "policy/decide/classifier.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::wire {
namespace {

using testing::Draft;
using testing::verdict;

constexpr std::size_t kTable = 256;
constexpr std::size_t kDevices = kMaxProbe + 1;

// A chain of devices, each of its own class in both directions.
Draft chain() {
  model::Gateway gateway = testing::bare_gateway();
  gateway.devices.clear();
  for (std::size_t n = 0; n < kDevices; ++n) {
    model::Device device;
    device.name = "d" + std::to_string(n);
    device.segment = "field";
    device.where = {"lan1", 0};
    device.mac = MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)});
    device.addresses = {testing::ip("10.20.0." + std::to_string(2 + n))};
    gateway.devices.push_back(device);
  }
  for (std::size_t n = 0; n < kDevices; ++n)
    testing::add_conduit(gateway, "c" + std::to_string(n), testing::device("d" + std::to_string(n)),
                         testing::device("d" + std::to_string((n + 1) % kDevices)),
                         testing::tcp(80));
  return testing::draft_of(testing::compiled(gateway).snapshot);
}

std::uint32_t direct_rule(const Draft& d) {
  for (std::uint32_t r = 0; r < d.rules.size(); ++r)
    if (d.rules[r].kind() == draft::RuleKind::Direct && d.rules[r].valid() != 0) return r;
  ADD_FAILURE();
  return 0;
}

// Keys between any two devices, over TCP and UDP, with where a table of kTable slots wants them.
std::vector<std::vector<std::uint64_t>> keys_by_home(const Draft& d) {
  std::vector<std::vector<std::uint64_t>> out(kTable);
  for (const auto& from : d.intervals4) {
    for (const auto& to : d.intervals4) {
      if (from.device() >= kDevices || to.device() >= kDevices) continue;
      for (const std::uint8_t protocol : {std::uint8_t{6}, std::uint8_t{17}}) {
        const std::uint64_t key = pair_key(from.source_class(), to.destination_class(), protocol);
        out[pair_hash(key) % kTable].push_back(key);
      }
    }
  }
  return out;
}

// `before` entries at home, one after another, then one that wanted to be where the first is.
Draft pairs_with_a_run_of(std::size_t before) {
  Draft d = chain();
  auto keys = keys_by_home(d);
  d.ranges = {draft::RangeRule(80, 80, direct_rule(d))};
  d.pairs.assign(kTable, draft::PairSlot());
  const auto put = [&](std::size_t at, std::size_t home) {
    ASSERT_FALSE(keys[home].empty());
    d.pairs[at] = draft::PairSlot(keys[home].back(), 0, 1);
    keys[home].pop_back();
  };
  for (std::size_t at = 0; at < before; ++at) put(at, at);
  put(before, 0);
  return d;
}

TEST(SnapshotProbe, APairIsFoundWithinTheBoundOrRefused) {
  EXPECT_EQ(verdict(pairs_with_a_run_of(kMaxProbe - 1)), "accepted");
  EXPECT_EQ(verdict(pairs_with_a_run_of(kMaxProbe)),
            "snapshot-bad-meaning: pairs: entry " + std::to_string(kMaxProbe) + " cannot be found");
  // The classifier finds what the verifier accepts, at the very last step.
  const testing::Bytes bytes = testing::seal(pairs_with_a_run_of(kMaxProbe - 1));
  const auto view = SnapshotView::verify(bytes);
  ASSERT_TRUE(view);
  const std::uint64_t last = view->pairs()[kMaxProbe - 1].key();
  const decide::Decision decision = decide::Classifier(*view).decide(
      static_cast<std::uint32_t>(last >> 40), static_cast<std::uint32_t>(last >> 16) & 0xffffffU,
      static_cast<std::uint8_t>(last), 80);
  EXPECT_TRUE(decision.allowed());
}

// The same for MACs: device n wants slot n, the last of `before` + 1 wants the first's.
Draft devices_with_a_run_of(std::size_t before) {
  Draft d = chain();
  d.bind_table.assign(kTable, draft::BindSlot(draft::Mac(), 0, kNoDevice));
  for (std::size_t n = 0; n < kDevices; ++n) {
    const std::size_t home = n == before ? 0 : n;
    std::array<std::uint8_t, 6> mac = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)};
    for (; mac_hash(mac) % kTable != home; ++mac[2])
      if (mac[2] == 0xff) ++mac[1];
    d.devices[n].mutable_mac() =
        draft::Mac(flatbuffers::span<const std::uint8_t, 6>(mac.data(), mac.size()));
    d.bind_table[n] = draft::BindSlot(d.devices[n].mac(), 0, static_cast<std::uint32_t>(n));
  }
  return d;
}

TEST(SnapshotProbe, AMacIsFoundWithinTheBoundOrRefused) {
  const Draft accepted = devices_with_a_run_of(kMaxProbe - 1);
  EXPECT_EQ(verdict(accepted), "accepted");
  EXPECT_EQ(
      verdict(devices_with_a_run_of(kMaxProbe)),
      "snapshot-bad-meaning: bind_table: entry " + std::to_string(kMaxProbe) + " cannot be found");
  const testing::Bytes bytes = testing::seal(accepted);
  const auto view = SnapshotView::verify(bytes);
  ASSERT_TRUE(view);
  const decide::Classifier classifier(*view);
  for (std::uint32_t slot = 0; slot < kDevices; ++slot)
    EXPECT_EQ(classifier.device_by_mac(to_mac(view->devices()[slot].mac())), slot);
}

// A list may be shared, but not so often that judging every use of it takes for ever.
TEST(SnapshotProbe, SharedListsAreWalkedABoundedNumberOfTimes) {
  const auto sharing = [](std::size_t pairs) {
    Draft d = chain();
    d.ranges.clear();
    const std::uint32_t rule = direct_rule(d);
    for (std::uint32_t port = 1; port <= 0xffff; ++port)
      d.ranges.emplace_back(static_cast<std::uint16_t>(port), static_cast<std::uint16_t>(port),
                            rule);
    d.pairs.assign(std::size_t{1} << 12, draft::PairSlot());
    std::size_t left = pairs;
    for (const auto& home : keys_by_home(d)) {
      for (const std::uint64_t key : home) {
        if (left == 0) return d;
        std::size_t at = pair_hash(key) % d.pairs.size();
        while (d.pairs[at].key() != 0) at = (at + 1) % d.pairs.size();
        d.pairs[at] = draft::PairSlot(key, 0, 0xffff);
        --left;
      }
    }
    return d;
  };
  const std::size_t most = kMaxTableSlots * 4 / 0xffff;
  EXPECT_EQ(verdict(sharing(most)), "accepted");
  EXPECT_EQ(verdict(sharing(most + 1)), "snapshot-bad-meaning: pairs: too many ranges in all");
}

}  // namespace
}  // namespace sallyport::wire
