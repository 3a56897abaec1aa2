// What the classifier's tables may not say about classes, ports and rules
// (policy/wire/verify_tables.cc). One case for each way of failing each check, and cases at the
// bounds that must pass.
#include <gtest/gtest.h>

#include "tests/support/policy/draft_tables.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/wire/verdicts.h"

namespace sallyport::wire {
namespace {

using testing::Draft;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kIcmp = 1;

// Two classes of the sample whose members are hosts.
std::uint32_t host_source(Draft& d) { return testing::interval_of(d, 3).source_class(); }
std::uint32_t host_destination(Draft& d) { return testing::interval_of(d, 2).destination_class(); }

const Case kLists[] = {
    {"a size that is no power of two", [](Draft& d) { d.pairs.resize(d.pairs.size() + 1); },
     "pairs: size is not a power of two"},
    {"a list in an empty entry",
     [](Draft& d) {
       testing::first(d.pairs, [](const auto& p) { return p.key() == 0; }).mutate_first(1);
     },
     "not empty"},
    {"a length in an empty entry",
     [](Draft& d) {
       testing::first(d.pairs, [](const auto& p) { return p.key() == 0; }).mutate_count(1);
     },
     "not empty"},
    {"a list of none", [](Draft& d) { testing::occupied_pair(d).mutate_count(0); },
     "pairs: ranges out of bounds"},
    {"a list from the end",
     [](Draft& d) {
       draft::PairSlot& p = testing::occupied_pair(d);
       p.mutate_first(static_cast<std::uint32_t>(d.ranges.size()));
       p.mutate_count(1);
     },
     "pairs: ranges out of bounds"},
    {"a list to past the end",
     [](Draft& d) { testing::occupied_pair(d).mutate_count(0xffffffffU); },
     "pairs: ranges out of bounds"},
    {"two lists from one place",
     [](Draft& d) {
       const testing::Key key{host_source(d), host_destination(d), kTcp};
       const std::uint32_t rule = testing::first_rule(d, draft::RuleKind::Direct);
       const auto at = static_cast<std::uint32_t>(d.ranges.size());
       testing::add_pair(d, {key.source, key.destination, 17}, {{1, 1, rule}, {3, 3, rule}});
       d.pairs.emplace_back(pair_key(testing::interval_of(d, 3).source_class(),
                                     testing::interval_of(d, 0).destination_class(), 17),
                            at, 1U);
       testing::hash_pairs(d);
     },
     "pairs: lists overlap"},
    {"a list inside another",
     [](Draft& d) {
       const std::uint32_t rule = testing::first_rule(d, draft::RuleKind::Direct);
       const auto at = static_cast<std::uint32_t>(d.ranges.size());
       testing::add_pair(d, {host_source(d), host_destination(d), 17},
                         {{1, 1, rule}, {3, 3, rule}});
       d.pairs.emplace_back(
           pair_key(host_source(d), testing::interval_of(d, 0).destination_class(), 17), at + 1,
           1U);
       testing::hash_pairs(d);
     },
     "pairs: lists overlap"},
    {"a range of no pair", [](Draft& d) { d.ranges.push_back(d.ranges.back()); },
     "belongs to no pair"},
    {"port 0", [](Draft& d) { d.ranges[0].mutate_first_port(0); }, "ranges: entry 0 is empty"},
    {"ports the wrong way round", [](Draft& d) { d.ranges[0].mutate_last_port(0); },
     "ranges: entry 0 is empty"},
    {"a range that begins where the last one ends",
     [](Draft& d) {
       const std::uint32_t rule = testing::first_rule(d, draft::RuleKind::Direct);
       testing::add_pair(d, {host_source(d), host_destination(d), 17},
                         {{1, 5, rule}, {5, 9, rule}});
     },
     "is not after its predecessor"},
    {"a range next to the last one",
     [](Draft& d) {
       const std::uint32_t rule = testing::first_rule(d, draft::RuleKind::Direct);
       testing::add_pair(d, {host_source(d), host_destination(d), 17},
                         {{1, 5, rule}, {6, 0xffff, rule}});
     },
     kAccepted},
    {"of no rule",
     [](Draft& d) { d.ranges[0].mutate_rule(static_cast<std::uint32_t>(d.rules.size())); },
     "no such rule"},
    {"of a rule that is a hole",
     [](Draft& d) {
       d.rules.emplace_back();
       d.rule_names.emplace_back();
       d.ranges[0].mutate_rule(static_cast<std::uint32_t>(d.rules.size()) - 1);
     },
     "no such rule"},
};

std::vector<draft::RangeRule> one(Draft& d, draft::RuleKind kind, std::uint16_t first_port,
                                  std::uint16_t last_port) {
  return {draft::RangeRule(first_port, last_port, testing::first_rule(d, kind))};
}

const Case kKeys[] = {
    {"a stray bit in the key",
     [](Draft& d) {
       testing::first(d.pairs, [](const auto& p) {
         return p.key() != 0;
       }).mutate_key(testing::occupied_pair(d).key() | 0x100);
       testing::hash_pairs(d);
     },
     "stray bits in the key"},
    {"source class 0",
     [](Draft& d) {
       testing::add_pair(d, {0, host_destination(d), kTcp}, one(d, draft::RuleKind::Direct, 1, 1));
     },
     "source class of no address"},
    {"a source class past the end",
     [](Draft& d) {
       testing::add_pair(d, {testing::classes_of(d), host_destination(d), kTcp},
                         one(d, draft::RuleKind::Direct, 1, 1));
     },
     "source class of no address"},
    {"a source class that nobody has",
     [](Draft& d) {
       testing::add_pair(d, {testing::classes_of(d) - 1, host_destination(d), kTcp},
                         one(d, draft::RuleKind::Direct, 1, 1));
     },
     "source class of no address"},
    {"destination class 0",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), 0, kTcp}, one(d, draft::RuleKind::Direct, 1, 1));
     },
     "destination class of no address"},
    {"a destination class past the end",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), testing::classes_of(d), kTcp},
                         one(d, draft::RuleKind::Direct, 1, 1));
     },
     "destination class of no address"},
    {"a destination class that nobody has",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), testing::classes_of(d) - 1, kTcp},
                         one(d, draft::RuleKind::Direct, 1, 1));
     },
     "destination class of no address"},
    {"moved where no probe finds it",
     [](Draft& d) {
       draft::PairSlot& p = testing::occupied_pair(d);
       const std::size_t home = pair_hash(p.key()) & (d.pairs.size() - 1);
       const std::size_t before = (home + d.pairs.size() - 1) & (d.pairs.size() - 1);
       const std::size_t from = static_cast<std::size_t>(&p - d.pairs.data());
       std::swap(d.pairs[from], d.pairs[before]);
     },
     "cannot be found"},
    {"a key twice",
     [](Draft& d) {
       const draft::PairSlot p = testing::occupied_pair(d);
       testing::add_pair(d, testing::key_of(p), one(d, draft::RuleKind::Direct, 1, 1));
     },
     "cannot be found"},
};

// Protocol and kind against what the classes stand for.
const Case kFits[] = {
    {"a protocol that is not carried",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), host_destination(d), 2},
                         one(d, draft::RuleKind::Direct, 1, 1));
     },
     "ranges do not fit the protocol"},
    {"an echo reply",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), kIcmp},
           one(d, draft::RuleKind::HostService, 7, 8));
     },
     "ranges do not fit the protocol"},
    {"more than the echo",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), kIcmp},
           one(d, draft::RuleKind::HostService, 8, 9));
     },
     "ranges do not fit the protocol"},
    {"an echo and something",
     [](Draft& d) {
       auto list = one(d, draft::RuleKind::HostService, 8, 8);
       list.push_back(one(d, draft::RuleKind::HostService, 13, 13)[0]);
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), kIcmp},
           list);
     },
     "ranges do not fit the protocol"},
    {"the other version's echo",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), 58},
           one(d, draft::RuleKind::HostService, 8, 8));
     },
     "ranges do not fit the protocol"},
    {"an echo",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), kIcmp},
           one(d, draft::RuleKind::HostService, 8, 8));
     },
     kAccepted},
    {"a terminated echo",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), kIcmp},
           one(d, draft::RuleKind::Terminate, 8, 8));
     },
     "only TCP and UDP are terminated"},
    {"direct from the gateway",
     [](Draft& d) {
       testing::add_pair(
           d, {testing::interval_of_gateway(d, 1).source_class(), host_destination(d), 17},
           one(d, draft::RuleKind::Direct, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"direct to the gateway",
     [](Draft& d) {
       testing::add_pair(
           d, {host_source(d), testing::interval_of_gateway(d, 1).destination_class(), 17},
           one(d, draft::RuleKind::Direct, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"leg A from the gateway",
     [](Draft& d) {
       testing::add_pair(
           d, {testing::interval_of_gateway(d, 1).source_class(), host_destination(d), 17},
           one(d, draft::RuleKind::Terminate, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"leg B from a host",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), host_destination(d), 17},
                         one(d, draft::RuleKind::LegB, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"leg B to the gateway",
     [](Draft& d) {
       testing::add_pair(d,
                         {testing::interval_of_gateway(d, 1).source_class(),
                          testing::interval_of_gateway(d, 1).destination_class(), 17},
                         one(d, draft::RuleKind::LegB, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"a service from the gateway to itself",
     [](Draft& d) {
       testing::add_pair(d,
                         {testing::interval_of_gateway(d, 1).source_class(),
                          testing::interval_of_gateway(d, 1).destination_class(), 17},
                         one(d, draft::RuleKind::HostService, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"a service between hosts",
     [](Draft& d) {
       testing::add_pair(d, {host_source(d), host_destination(d), 17},
                         one(d, draft::RuleKind::HostService, 9, 9));
     },
     "a rule's kind does not fit its ends"},
    {"a host in the gateway's source class",
     [](Draft& d) {
       testing::interval_of(d, 0).mutate_source_class(
           testing::interval_of_gateway(d, 1).source_class());
     },
     "a rule's kind does not fit its ends"},
    {"a host in the gateway's destination class",
     [](Draft& d) {
       testing::interval_of(d, 0).mutate_destination_class(
           testing::interval_of_gateway(d, 1).destination_class());
     },
     "a rule's kind does not fit its ends"},
    {"a virtual address in a host's class",
     [](Draft& d) {
       testing::first(d.intervals4, [](const auto& i) {
         return i.segment() == kVirtual;
       }).mutate_destination_class(host_destination(d));
     },
     "a rule's kind does not fit its ends"},
};

TEST(SnapshotPairs, ListsOfPorts) { judge(kLists); }
TEST(SnapshotPairs, Keys) { judge(kKeys); }
TEST(SnapshotPairs, RulesThatFitTheirEnds) { judge(kFits); }

}  // namespace
}  // namespace sallyport::wire
