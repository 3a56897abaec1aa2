// Two gateways that are given the same: one where nobody observes, so that what may goes a short
// way (dataplane/stages/open_flow.h, Bind::refuses, Pipeline::begins), and one whose observer sends
// everything through the stages. The same leaves, and the same is kept.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <utility>

#include "tests/support/crowded_plant.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {

class BothWays : public ::testing::Test {
 protected:
  using Bytes = std::vector<std::uint8_t>;

  BothWays() { short_way_.watch(false); }
  std::size_t draw(std::size_t below) { return random_() % below; }

  // Into both by this port; what has left, which must be the same.
  std::vector<Frame> give(const std::string& port, const std::vector<Bytes>& burst) {
    std::vector<Frame> out = short_way_.receive(port, burst);
    compare(out, stages_.receive(port, burst));
    return out;
  }
  void wait(Duration time) { compare(short_way_.wait(time), stages_.wait(time)); }
  void apply(const model::Gateway& gateway) {
    short_way_.apply(gateway);
    stages_.apply(gateway);
  }

  void compare(const std::vector<Frame>& a, const std::vector<Frame>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].where, b[i].where) << i;
      ASSERT_EQ(a[i].bytes, b[i].bytes) << i << ' ' << as_scapy(a[i].bytes);
    }
    dataplane::Pipeline &one = short_way_.pipeline(), &other = stages_.pipeline();
    ASSERT_TRUE(same_bytes(one.counters(), other.counters()));
    for (const Frame& frame : a)
      if (std::ranges::find(kPorts, frame.where) != std::end(kPorts)) bytes_ += frame.bytes.size();
    ASSERT_EQ(bytes_counted(), bytes_);
    const auto segments = one.volumes().segments(), as_expected = other.volumes().segments();
    for (std::size_t i = 0; i < segments.size(); ++i)
      ASSERT_TRUE(same_bytes(segments[i], as_expected[i])) << "segment " << i;
    for (dataplane::RuleSlot i = 0; i < 64; ++i)
      ASSERT_TRUE(same_bytes(one.volumes().rule(i), other.volumes().rule(i))) << "rule " << i;
    const auto flows = one.flows().places(), expected_flows = other.flows().places();
    for (std::size_t i = 1; i < flows.size(); ++i) {
      // The worlds' tables have marks of their own.
      dataplane::Flow flow = flows[i], expected = expected_flows[i];
      if (flow.live()) {
        ASSERT_EQ(one.tables()->mark() - flow.checked, other.tables()->mark() - expected.checked);
      }
      flow.checked = expected.checked = 0;
      ASSERT_TRUE(same_bytes(flow, expected)) << "flow " << i;
    }
    compare(one.exits().drop_records().snapshot(), other.exits().drop_records().snapshot());
    compare_events();
  }
  void compare(const std::vector<dataplane::DropRecord>& drops,
               const std::vector<dataplane::DropRecord>& expected) {
    const auto counted = where_and_why(drops), to_count = where_and_why(expected);
    for (const auto& [key, packets] : to_count) {
      const auto at = counted.find(key);
      ASSERT_EQ(at == counted.end() ? 0 : at->second, packets)
          << to_string(key.second) << " at " << std::hex << key.first;
    }
    ASSERT_EQ(counted.size(), to_count.size());
    // Who of a burst is dropped first, and hence begins a record, may differ.
    if (!one_by_one_) return;
    ASSERT_EQ(drops.size(), expected.size());
    for (std::size_t i = 0; i < drops.size(); ++i) {
      ASSERT_TRUE(drops[i].key == expected[i].key) << to_string(drops[i].key.reason());
      ASSERT_EQ(drops[i].packets, expected[i].packets);
      ASSERT_EQ(drops[i].first, expected[i].first);
      ASSERT_EQ(drops[i].last, expected[i].last);
      ASSERT_EQ(drops[i].example.source, expected[i].example.source);
      ASSERT_EQ(drops[i].example.source_port, expected[i].example.source_port);
      ASSERT_EQ(drops[i].example.vlan, expected[i].example.vlan);
      ASSERT_EQ(drops[i].example.tcp_flags, expected[i].example.tcp_flags);
      ASSERT_EQ(drops[i].example.revision, expected[i].example.revision);
    }
  }
  // Whose identity was shown is the same; of a burst, which packet told of it may differ.
  void compare_events() {
    dataplane::Event a, b;
    while (short_way_.events().take(a)) {
      ASSERT_TRUE(stages_.events().take(b));
      ASSERT_EQ(a.kind, b.kind);
      if (!one_by_one_) continue;
      ASSERT_EQ(a.device, b.device);
      ASSERT_EQ(a.seen_port, b.seen_port);
      ASSERT_EQ(a.seen_vlan, b.seen_vlan);
      ASSERT_EQ(a.mac, b.mac);
      ASSERT_EQ(a.address, b.address);
    }
    ASSERT_FALSE(stages_.events().take(b));
  }
  std::uint64_t bytes_counted() {
    std::uint64_t counted = 0;
    for (const dataplane::TxPort& port : short_way_.pipeline().exits().ports())
      counted += port.counters().tx_bytes;
    return counted;
  }
  // How many packets, by segment, port and device, and by reason.
  static std::map<std::pair<std::uint64_t, Drop>, std::uint64_t> where_and_why(
      const std::vector<dataplane::DropRecord>& drops) {
    std::map<std::pair<std::uint64_t, Drop>, std::uint64_t> out;
    for (const dataplane::DropRecord& drop : drops)
      out[{drop.key.where(), drop.key.reason()}] += drop.packets;
    return out;
  }
  template <class T>
  static bool same_bytes(const T& a, const T& b) {
    static_assert(std::has_unique_object_representations_v<T>);
    return std::memcmp(&a, &b, sizeof a) == 0;
  }

  static constexpr std::size_t of(TimeoutClass which) { return static_cast<std::size_t>(which); }
  static model::Gateway narrow_office() {
    model::Gateway g = crowded_plant();
    for (model::Segment& s : g.segments)
      if (s.name == "office") s.mtu = 1400;
    // Two that say for how long their flows may be silent.
    for (model::Conduit& c : g.conduits) {
      if (c.name == "scada-plc") c.timeouts.seconds[of(TimeoutClass::kEstablished)] = 20;
      if (c.name == "plc-meter") c.timeouts.seconds[of(TimeoutClass::kUdp)] = 15;
    }
    return g;
  }
  static inline const std::string kPorts[] = {"lan1", "lan2", "lan3", "wan"};
  model::Gateway gateway_ = narrow_office();
  PipelineWorld short_way_{gateway_}, stages_{gateway_};
  std::uint64_t bytes_ = 0;  // that left by a port
  bool one_by_one_ = false;  // no burst has two frames
  std::uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

}  // namespace sallyport::testing
