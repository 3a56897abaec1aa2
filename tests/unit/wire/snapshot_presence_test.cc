// Every vector is there and none is longer than its bound (policy/wire/verify_meaning.cc,
// presence_fault): what follows in the verifier, and every reader after it, relies on that.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/policy/sample_gateway.h"
#include "tests/support/policy/snapshot_draft.h"
#include "tests/unit/wire/verdicts.h"

namespace sallyport::wire {
namespace {

using testing::Bytes;
using testing::Draft;
using testing::verdict;

std::string without(const std::function<void(const Snapshot&)>& take) {
  return verdict(testing::reseal(testing::compiled(testing::sample_gateway()).snapshot,
                                 [&](MutableBytes body) { take(*GetSnapshot(body.data())); }));
}

TEST(SnapshotPresence, EachVectorIsMissed) {
  using S = Snapshot;
  struct Case {
    const char* name;
    flatbuffers::voffset_t offset;
  };
  for (const Case& c : std::initializer_list<Case>{{"ports", S::VT_PORTS},
                                                   {"segments", S::VT_SEGMENTS},
                                                   {"members", S::VT_MEMBERS},
                                                   {"devices", S::VT_DEVICES},
                                                   {"device_names", S::VT_DEVICE_NAMES},
                                                   {"device_addresses", S::VT_DEVICE_ADDRESSES},
                                                   {"bind_table", S::VT_BIND_TABLE},
                                                   {"intervals4", S::VT_INTERVALS4},
                                                   {"intervals6", S::VT_INTERVALS6},
                                                   {"pairs", S::VT_PAIRS},
                                                   {"ranges", S::VT_RANGES},
                                                   {"rules", S::VT_RULES},
                                                   {"rule_names", S::VT_RULE_NAMES},
                                                   {"names", S::VT_NAMES},
                                                   {"conduits", S::VT_CONDUITS},
                                                   {"resolvers", S::VT_RESOLVERS},
                                                   {"config_sha256", S::VT_CONFIG_SHA256}}) {
    EXPECT_EQ(without([&](const Snapshot& root) { testing::leave_out(&root, c.offset); }),
              std::string("snapshot-bad-meaning: ") + c.name + " is missing");
  }
}

TEST(SnapshotPresence, EachVectorOfAPartIsMissed) {
  for (const auto offset : {Segment::VT_ADDRESSES, Segment::VT_GATEWAYS})
    EXPECT_EQ(without([&](const Snapshot& r) { testing::leave_out(r.segments()->Get(0), offset); }),
              "snapshot-bad-meaning: segment uplink: a vector is missing");
  const std::string conduit = "snapshot-bad-meaning: conduit scada-reads-press4: ";
  for (const auto offset : {Termination::VT_LISTEN_SEGMENTS, Termination::VT_SERVER_ADDRESSES})
    EXPECT_EQ(without([&](const Snapshot& r) {
                testing::leave_out(r.conduits()->Get(0)->termination(), offset);
              }),
              conduit + "a vector is missing");
  EXPECT_EQ(without([&](const Snapshot& r) {
              testing::leave_out(r.conduits()->Get(0), Conduit::VT_VIRTUAL_ADDRESSES);
            }),
            conduit + "a vector is missing");
}

// Texts that the schema does not require count as empty.
TEST(SnapshotPresence, TextsThatAreNotThereAreEmpty) {
  EXPECT_EQ(without([](const Snapshot& r) {
              testing::leave_out(r.conduits()->Get(3), Conduit::VT_SUMMARY);
            }),
            kAccepted);
  EXPECT_EQ(without([](const Snapshot& r) { testing::leave_out(&r, Snapshot::VT_CONFIG_NAME); }),
            kAccepted);
  EXPECT_EQ(without([](const Snapshot& r) {
              testing::leave_out(r.conduits()->Get(1), Conduit::VT_NAME_ASKED);
            }),
            "snapshot-bad-meaning: conduit meter-to-cloud: virtual addresses without a name, or a "
            "name without them");
}

// One entry more than may be. Contents do not matter: counts are judged before anything is read.
TEST(SnapshotPresence, EachBoundIsKept) {
  const Draft sample = testing::draft_of(testing::compiled(testing::sample_gateway()).snapshot);
  const auto many = [](auto& list, std::size_t count) {
    while (list.size() < count)
      list.push_back(
          std::make_unique<typename std::decay_t<decltype(list)>::value_type::element_type>(
              *list.front()));
  };
  struct Case {
    const char* name;
    std::size_t bound;
    std::function<void(Draft&, std::size_t)> grow;
  };
  const Case cases[] = {
      {"ports", kMaxPorts, [&](Draft& d, std::size_t n) { many(d.ports, n); }},
      {"segments", kMaxSegments, [&](Draft& d, std::size_t n) { many(d.segments, n); }},
      {"members", kMaxMembers, [](Draft& d, std::size_t n) { d.members.resize(n); }},
      {"devices", kMaxDevices, [](Draft& d, std::size_t n) { d.devices.resize(n); }},
      {"device_names", kMaxDevices, [](Draft& d, std::size_t n) { d.device_names.resize(n); }},
      {"device_addresses", kMaxDeviceAddresses,
       [](Draft& d, std::size_t n) { d.device_addresses.resize(n); }},
      {"bind_table", kMaxTableSlots, [](Draft& d, std::size_t n) { d.bind_table.resize(n); }},
      {"intervals4", kMaxIntervals, [](Draft& d, std::size_t n) { d.intervals4.resize(n); }},
      {"intervals6", kMaxIntervals, [](Draft& d, std::size_t n) { d.intervals6.resize(n); }},
      {"pairs", kMaxTableSlots, [](Draft& d, std::size_t n) { d.pairs.resize(n); }},
      {"ranges", kMaxRanges, [](Draft& d, std::size_t n) { d.ranges.resize(n); }},
      {"rules", kMaxRules, [](Draft& d, std::size_t n) { d.rules.resize(n); }},
      {"rule_names", kMaxRules, [](Draft& d, std::size_t n) { d.rule_names.resize(n); }},
      {"names", kMaxNames, [&](Draft& d, std::size_t n) { many(d.names, n); }},
      {"conduits", kMaxConduits, [&](Draft& d, std::size_t n) { many(d.conduits, n); }},
      {"resolvers", kMaxNames, [](Draft& d, std::size_t n) { d.resolvers.resize(n); }},
  };
  for (const Case& c : cases) {
    Draft draft = sample;
    c.grow(draft, c.bound + 1);
    EXPECT_EQ(verdict(draft), "snapshot-bad-meaning: " + std::string(c.name) + ": " +
                                  std::to_string(c.bound + 1) + " entries, at most " +
                                  std::to_string(c.bound));
    if (c.bound > kMaxConduits) continue;  // the next check's business, at some cost
    draft = sample;
    c.grow(draft, c.bound);
    EXPECT_EQ(verdict(draft).find("entries, at most"), std::string::npos) << c.name;
  }
}

}  // namespace
}  // namespace sallyport::wire
