#include "tests/support/policy/walk.h"

#include "policy/base/check.h"
#include "policy/compile/compile.h"
#include "policy/decide/classifier.h"
#include "policy/decide/names.h"
#include "policy/explain/explain.h"
#include "tests/support/policy/partition_twin.h"

namespace sallyport::testing {
namespace {

constexpr std::size_t kMaxExplained = 16;

template <class Interval>
void walk_partition(const decide::Classifier& classifier, std::span<const Interval> intervals) {
  for (const Interval& interval : intervals) {
    const IpAddress address = first_of(interval);
    const decide::Location place = classifier.locate(address);
    if (!address.is_v4() || std::is_same_v<Interval, wire::Interval4>)
      SALLYPORT_CHECK(place.source_class == interval.source_class() &&
                      place.device == interval.device());
    if (place.is_device()) SALLYPORT_CHECK(classifier.owns(place.device, address));
  }
}

void walk_pairs(const wire::SnapshotView& view, const decide::Classifier& classifier) {
  for (const wire::PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    for (const wire::RangeRule& range : view.ranges().subspan(pair.first(), pair.count())) {
      for (const std::uint16_t port : {range.first_port(), range.last_port()}) {
        const decide::Decision d =
            classifier.decide(static_cast<std::uint32_t>(pair.key() >> 40),
                              static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU,
                              static_cast<std::uint8_t>(pair.key()), port);
        SALLYPORT_CHECK(d.allowed() && d.rule() == range.rule());
        SALLYPORT_CHECK(d.kind() == view.rules()[d.rule()].kind());
      }
    }
  }
}

void walk_explanations(const wire::SnapshotView& view) {
  const auto intervals = view.intervals4();
  for (std::size_t i = 0; i + 1 < intervals.size() && i < kMaxExplained; ++i) {
    explain::Question question;
    question.segment = intervals[i].segment();
    question.tuple = {first_of(intervals[i]), first_of(intervals[i + 1]), 6, 1, 443};
    const explain::Explanation answer = explain::explain(view, question);
    SALLYPORT_CHECK(answer.allowed == answer.reason.empty());
    SALLYPORT_CHECK(!explain::to_json(answer).empty() && !explain::to_text(answer).empty());
  }
}

}  // namespace

void walk(const wire::SnapshotView& view) {
  const decide::LikelyPlaces likely(view);
  const decide::Classifier classifier(view), by_index(view, &likely);
  for (const decide::Classifier* each : {&classifier, &by_index}) {
    walk_partition(*each, view.intervals4());
    walk_partition(*each, view.intervals6());
  }
  for (std::uint32_t slot = 0; slot < view.devices().size(); ++slot) {
    const wire::Device* device = classifier.device(slot);
    if (device == nullptr) continue;
    SALLYPORT_CHECK(classifier.device_by_mac(wire::to_mac(device->mac())) == slot);
    SALLYPORT_CHECK(classifier.segment_of(device->port(), device->vlan()) == device->segment());
    for (const wire::Address& a :
         view.device_addresses().subspan(device->first_address(), device->address_count()))
      SALLYPORT_CHECK(classifier.locate(wire::to_ip(a)).device == slot);
  }
  walk_pairs(view, classifier);
  const decide::Names names(view);
  for (const wire::Name* name : *view.root().names())
    SALLYPORT_CHECK(names.destination_class(wire::text(name->name())) == name->destination_class());
  const compile::Slots slots = compile::slots_of(view);
  SALLYPORT_CHECK(slots.conduits.size() == view.root().conduits()->size());
  walk_explanations(view);
}

}  // namespace sallyport::testing
