#include "tests/unit/prove/confirm.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/names/dynamic_names.h"
#include "policy/decide/names.h"
#include "policy/explain/question.h"
#include "tests/support/packet_builder.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using testing::Bytes;
using testing::ip;

// What `explain` would be told about: the frame as it comes in.
struct Sent {
  Bytes bytes;
  std::string port;     // wire
  std::string segment;  // host stack
};

Sent frame_of(const testing::PipelineWorld& world, const wire::SnapshotView& view,
              const explain::Question& q) {
  const decide::Classifier classifier(view);
  Sent out;
  const wire::Segment& segment = *view.segment(q.segment);
  std::uint16_t vlan = q.vlan;
  MacAddress from({2, 0x99, 0, 0, 0, 1});
  const wire::Device* sender = classifier.device(classifier.locate(q.tuple.source).device);
  if (q.origin == decide::Origin::kHostStack) {
    out.segment = wire::text(segment.name());
    from = wire::to_mac(*segment.mac());
  } else if (q.port) {
    out.port = wire::text(view.port(*q.port)->name());
  } else if (sender != nullptr) {
    out.port = wire::text(view.port(sender->port())->name());
    vlan = sender->vlan();
    from = wire::to_mac(sender->mac());
  } else {
    for (const wire::Member& m : view.members())
      if (m.segment() == q.segment) out.port = wire::text(view.port(m.port())->name());
  }
  if (q.mac) from = *q.mac;
  const auto& t = q.tuple;
  testing::PacketBuilder packet(
      {from, t.source, t.source_port},
      {world.segment_mac(wire::text(segment.name())), t.destination, t.destination_port});
  packet.vlan(vlan);
  if (t.protocol == 6) out.bytes = packet.tcp(0x02);
  if (t.protocol == 17) out.bytes = packet.payload({1, 2, 3, 4}).udp();
  if (t.protocol == 1 || t.protocol == 58) out.bytes = packet.echo(true);
  return out;
}

// Sends it and says what became of it. Where the next hop beyond the uplink must be asked for
// first, the packet waits for the answer.
testing::Verdict send(testing::PipelineWorld& world, const wire::SnapshotView& view,
                      const explain::Question& q) {
  const Sent sent = frame_of(world, view, q);
  for (const std::string& name : q.names)
    world.pipeline().names().install(q.tuple.destination, dataplane::name_hash(name),
                                     decide::Names(view).destination_class(name).value_or(0), 60,
                                     world.now());
  if (sent.port.empty())
    world.receive_from_host(sent.segment, sent.bytes);
  else
    world.receive(sent.port, sent.bytes);
  const bool waits = world.verdict().rule && *world.verdict().rule >= dataplane::kFirstBuiltinRule;
  if (!waits) return world.verdict();
  const bool v4 = q.tuple.destination.is_v4();
  const IpAddress hop = ip(v4 ? "192.0.2.1" : "2001:db8::1");
  const wire::Segment& uplink = *view.segment(std::uint16_t{0});
  const IpAddress own = wire::to_ip(*view.host_address(0, v4 ? IpVersion::k4 : IpVersion::k6));
  world.receive("wan", testing::PacketBuilder({MacAddress({2, 0x99, 0, 0, 0, 1}), hop, 0},
                                              {wire::to_mac(*uplink.mac()), own, 0})
                           .neighbour_answer());
  return world.verdict();
}

}  // namespace

void confirm(const char* name, const model::Gateway& before, const testing::Bytes& snapshot,
             const wire::SnapshotView& view, const Difference& d) {
  // A world of its own for each packet: what one learns must not let in another.
  testing::PipelineWorld world(before);
  world.enforce(snapshot);
  const explain::Question& q = *d.witness;
  const explain::Explanation told = explain::explain(view, q);
  const std::string what = std::string(name) + "\n" + d.text + "\n" + explain::to_text(told);
  // What the tables do is what the proof says they do.
  const bool permitted = d.wrong == Wrong::kUndescribed || d.wrong == Wrong::kOtherRule ||
                         d.wrong == Wrong::kAmbiguous;
  if (permitted || d.wrong == Wrong::kMissing) {
    EXPECT_EQ(told.allowed, permitted) << what;
  }
  const testing::Verdict met = send(world, view, q);
  if (told.allowed) {
    ASSERT_TRUE(met.rule) << what << "dropped as " << to_string(*met.drop);
    EXPECT_EQ(view.rule_name(*met.rule), told.rule) << what;
  } else {
    ASSERT_TRUE(met.drop) << what;
    EXPECT_EQ(to_string(*met.drop), told.reason) << what;
  }
}

}  // namespace sallyport::prove
