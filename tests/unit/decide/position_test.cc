// The tables are used where they lie: the same sealed memory, mapped at two addresses and never
// written, decides the same; and nothing of where it was made is in it.
#include <gtest/gtest.h>

#include <algorithm>

#include "policy/decide/classifier.h"
#include "policy/os/memfd.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::decide {
namespace {

struct Asked {
  Ingress ingress;
  Tuple tuple;
};

// Every address of the sample as source and destination of a few services, from everywhere.
std::vector<Asked> questions(const wire::SnapshotView& view) {
  std::vector<IpAddress> addresses;
  for (const wire::Address& address : view.device_addresses())
    addresses.push_back(wire::to_ip(address));
  for (const wire::Segment* segment : *view.root().segments()) {
    for (const wire::InterfaceAddress* own : *segment->addresses())
      addresses.push_back(wire::to_ip(own->address()));
  }
  std::vector<Asked> out;
  for (const IpAddress& from : addresses) {
    for (const IpAddress& to : addresses) {
      for (const std::uint16_t port : std::to_array<std::uint16_t>({53, 80, 502, 802, 1883})) {
        for (const wire::Segment* segment : *view.root().segments()) {
          for (const Origin origin : {Origin::kWire, Origin::kHostStack})
            out.push_back({{segment->slot(), origin, wire::kNoDevice}, {from, to, 6, 40000, port}});
        }
      }
    }
  }
  return out;
}

TEST(ClassifierPosition, TheSameMemoryAtTwoAddressesDecidesTheSame) {
  std::vector<std::uint8_t> made = testing::compiled(testing::sample_gateway()).snapshot;
  const auto memory = os::make_sealed("snapshot", made);
  ASSERT_TRUE(memory);
  std::ranges::fill(made, std::uint8_t{0xee});
  const auto one = os::map_sealed(memory->get(), wire::kMaxSnapshotSize);
  const auto other = os::map_sealed(memory->get(), wire::kMaxSnapshotSize);
  ASSERT_TRUE(one && other);
  ASSERT_NE(one->data(), other->data());
  const auto one_view = wire::SnapshotView::verify(one->bytes());
  const auto other_view = wire::SnapshotView::verify(other->bytes());
  ASSERT_TRUE(one_view && other_view);
  const Classifier here(*one_view);
  const Classifier there(*other_view);
  std::size_t allowed = 0;
  for (const Asked& asked : questions(*one_view)) {
    const Verdict a = here.classify(asked.ingress, asked.tuple);
    const Verdict b = there.classify(asked.ingress, asked.tuple);
    ASSERT_EQ(a.decision, b.decision);
    ASSERT_EQ(a.reason, b.reason);
    ASSERT_EQ(a.source, b.source);
    ASSERT_EQ(a.destination, b.destination);
    allowed += a.decision.allowed() ? 1 : 0;
  }
  EXPECT_GT(allowed, 0U);
  // Used in place: what the rules point to lies inside the mapping.
  const auto* rule = reinterpret_cast<const std::uint8_t*>(here.rule(0));
  EXPECT_TRUE(rule >= one->bytes().data() && rule < one->bytes().data() + one->size());
}

}  // namespace
}  // namespace sallyport::decide
