#include "policy/prove/joint.h"

#include <algorithm>
#include <set>

#include "policy/decide/names.h"

namespace sallyport::prove {
namespace {

const std::vector<JointId> kNone;

template <class Map, class Key>
const std::vector<JointId>& found(const Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? kNone : at->second;
}

}  // namespace

void JointClass::offer(const Example& other) {
  if (!examples[0] || (other.speaks && !examples[0]->speaks)) {
    examples[0] = other;
    examples[1].reset();
  } else if (!examples[1] && other.speaks == examples[0]->speaks &&
             other.device != examples[0]->device) {
    examples[1] = other;
  }
}

void Joint::Side::intern(const Ranges& ranges) {
  if (sets.emplace(ranges, of_set.size()).second) of_set.emplace_back();
}

void Joint::Side::toggle(std::size_t set, bool begins) {
  const auto at = std::lower_bound(active.begin(), active.end(), set);
  if (begins) {
    active.insert(at, set);
  } else {
    active.erase(at);
  }
}

void Joint::Side::add(const Example& example, std::uint32_t compiled) {
  if (compiled == 0 && active.empty()) return;
  const bool v4 = is_v4_number(example.number);
  const auto [at, fresh] =
      known.try_emplace({v4, compiled, active}, static_cast<JointId>(classes.size()));
  if (fresh) {
    classes.push_back({.v4 = v4, .examples = {}, .name = {}, .compiled = compiled});
    if (compiled != 0) of_class[compiled].push_back(at->second);
    for (const std::size_t set : active) of_set[set].push_back(at->second);
  }
  classes[at->second].offer(example);
}

Joint::Joint(const wire::SnapshotView& snapshot, const decide::Classifier& classifier,
             const Described& described) {
  for (const DescribedBox& box : described.boxes()) {
    sources_.intern(box.source);
    if (box.name.empty()) destinations_.intern(box.destination);
  }
  cut(snapshot, classifier, described);
  add_names(snapshot, described);
}

void Joint::cut(const wire::SnapshotView& snapshot, const decide::Classifier& classifier,
                const Described& described) {
  struct Event {
    Number at;
    Side* side;  // nullptr: only a cut
    std::size_t set;
    bool begins;
  };
  std::vector<Event> events;
  const auto mark = [&](Number n) { events.push_back({n, nullptr, 0, false}); };
  mark(0);
  for (const wire::Interval4& i : snapshot.intervals4()) mark(number_of(IpAddress::v4(i.first())));
  for (const wire::Interval6& i : snapshot.intervals6())
    mark(static_cast<Number>(i.first_high()) << 64 | i.first_low());
  mark(number_of(IpAddress::v4(0xffffffff)) + 1);
  for (const Number n : described.place_boundaries()) mark(n);
  for (Side* side : {&sources_, &destinations_}) {
    for (const auto& [ranges, set] : side->sets) {
      for (const Range& r : ranges) {
        events.push_back({r.first, side, set, true});
        if (r.second != ~Number{0}) events.push_back({r.second + 1, side, set, false});
      }
    }
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.at < b.at; });
  for (std::size_t i = 0; i < events.size();) {
    const Number start = events[i].at;
    for (; i < events.size() && events[i].at == start; ++i)
      if (events[i].side != nullptr) events[i].side->toggle(events[i].set, events[i].begins);
    starts_.push_back(start);
    const decide::Location place = classifier.locate(address_of(start));
    const Example example{
        .number = start, .device = place.device, .speaks = classifier.may_speak(place)};
    sources_.add(example, place.source_class);
    destinations_.add(example, place.destination_class);
  }
}

void Joint::add_names(const wire::SnapshotView& snapshot, const Described& described) {
  std::set<std::string> names;
  for (const wire::Name* n : *snapshot.root().names()) names.emplace(wire::text(n->name()));
  for (const DescribedBox& box : described.boxes())
    if (!box.name.empty()) names.insert(box.name);
  const decide::Names compiled(snapshot);
  for (const std::string& name : names) {
    const std::uint32_t c = compiled.destination_class(std::string_view(name)).value_or(0);
    const auto id = static_cast<JointId>(destinations_.classes.size());
    destinations_.classes.push_back({.v4 = false, .examples = {}, .name = name, .compiled = c});
    destinations_.of_name[name].push_back(id);
    if (c != 0) destinations_.of_class[c].push_back(id);
  }
}

const std::vector<JointId>& Joint::sources_of_class(std::uint32_t compiled) const {
  return found(sources_.of_class, compiled);
}
const std::vector<JointId>& Joint::destinations_of_class(std::uint32_t compiled) const {
  return found(destinations_.of_class, compiled);
}
const std::vector<JointId>& Joint::sources_of(const DescribedBox& box) const {
  return sources_.of_set[sources_.sets.at(box.source)];
}
const std::vector<JointId>& Joint::destinations_of(const DescribedBox& box) const {
  if (!box.name.empty()) return found(destinations_.of_name, box.name);
  return destinations_.of_set[destinations_.sets.at(box.destination)];
}

}  // namespace sallyport::prove
