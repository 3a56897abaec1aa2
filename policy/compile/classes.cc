#include "policy/compile/classes.h"

#include <algorithm>
#include <map>
#include <set>

namespace sallyport::compile {
namespace {

enum class What : std::uint8_t { kBoundary, kSource, kDestination };

// Something begins or ends to hold at `point`.
struct Step {
  AddressNumber point = 0;
  What what = What::kBoundary;
  bool begins = false;
  SetId set = 0;
};

void add_steps(std::vector<Step>& steps, const AddressRange& range, What what, SetId set) {
  steps.push_back({range.first, what, true, set});
  if (range.last != kEverything.last) steps.push_back({range.last + 1, what, false, set});
}

// Which ends hold now, sorted by id.
class Active {
 public:
  void apply(const Step& step) {
    const auto at = std::lower_bound(sets_.begin(), sets_.end(), step.set);
    if (step.begins) {
      sets_.insert(at, step.set);
    } else {
      sets_.erase(at);
    }
  }
  const std::vector<SetId>& sets() const { return sets_; }

 private:
  std::vector<SetId> sets_;
};

// Gives each (version, ends) its class.
class Numbering {
 public:
  Numbering(std::vector<ClassInfo>& classes, std::vector<std::vector<ClassId>>& classes_of)
      : classes_(classes), classes_of_(classes_of) {
    classes_.emplace_back();
  }
  ClassId of(AddressNumber example, const std::vector<SetId>& sets) {
    if (sets.empty()) return 0;
    const bool v4 = is_v4(example);
    const auto [at, fresh] = known_.try_emplace({v4, sets}, static_cast<ClassId>(classes_.size()));
    if (fresh) {
      classes_.push_back({.v4 = v4, .example = example, .name = {}});
      for (const SetId set : sets) classes_of_[set].push_back(at->second);
    }
    return at->second;
  }

 private:
  std::vector<ClassInfo>& classes_;
  std::vector<std::vector<ClassId>>& classes_of_;
  std::map<std::pair<bool, std::vector<SetId>>, ClassId> known_;
};

// Every point at which anything changes.
struct Points {
  std::vector<Step> steps;
  std::map<AddressNumber, std::size_t> devices;
  std::set<AddressNumber> virtual_addresses;
};

Points collect(const PlanInput& input, const Plan& plan) {
  Points out;
  const auto boundary = [&](const AddressRange& range) {
    add_steps(out.steps, range, What::kBoundary, 0);
  };
  boundary(kEverything);
  boundary(kAllV4);
  for (const Geography::Region& region : input.geography.regions()) boundary(region.range);
  for (const model::Segment& segment : input.gateway.segments) {
    for (const model::InterfaceAddress& a : segment.addresses) {
      const AddressNumber n = to_number(a.address);
      boundary({n, n});
    }
  }
  for (std::size_t d = 0; d < input.gateway.devices.size(); ++d) {
    for (const IpAddress& address : input.gateway.devices[d].addresses) {
      const AddressNumber n = to_number(address);
      out.devices.emplace(n, d);
      boundary({n, n});
    }
  }
  for (const PlannedConduit& conduit : plan.conduits) {
    for (const IpAddress& address : conduit.virtual_addresses) {
      const AddressNumber n = to_number(address);
      out.virtual_addresses.insert(n);
      boundary({n, n});
    }
  }
  std::set<SetId> sources;
  std::set<SetId> destinations;
  for (const PlannedRule& rule : plan.rules) {
    for (const Box& box : rule.boxes) {
      sources.insert(box.source);
      destinations.insert(box.destination);
    }
  }
  for (const SetId set : sources)
    for (const AddressRange& range : plan.sets.addresses(set).ranges())
      add_steps(out.steps, range, What::kSource, set);
  for (const SetId set : destinations)
    for (const AddressRange& range : plan.sets.addresses(set).ranges())
      add_steps(out.steps, range, What::kDestination, set);
  // Ends before beginnings does not matter: a set's own ranges never touch.
  std::sort(out.steps.begin(), out.steps.end(),
            [](const Step& a, const Step& b) { return a.point < b.point; });
  return out;
}

// An address that somebody owns stays alone, also beside another of the same owner: so the verifier
// finds each where it is listed.
bool same_but_start(const ClassTable::Interval& a, const ClassTable::Interval& b) {
  return !a.gateway && !a.device && a.segment == b.segment && a.gateway == b.gateway &&
         a.is_virtual == b.is_virtual && a.device == b.device && a.source_class == b.source_class &&
         a.destination_class == b.destination_class;
}

void name_classes(const Plan& plan, ClassTable& out) {
  std::set<SetId> names;
  for (const PlannedRule& rule : plan.rules)
    for (const Box& box : rule.boxes)
      if (plan.sets.is_name(box.destination)) names.insert(box.destination);
  for (const SetId set : names) {
    out.destinations_of[set].push_back(static_cast<ClassId>(out.destinations.size()));
    out.destinations.push_back({.v4 = false, .example = 0, .name = plan.sets.name(set)});
  }
}

}  // namespace

ClassTable classify(const PlanInput& input, const Plan& plan) {
  ClassTable out;
  out.sources_of.resize(plan.sets.size());
  out.destinations_of.resize(plan.sets.size());
  Numbering sources(out.sources, out.sources_of);
  Numbering destinations(out.destinations, out.destinations_of);
  const Points points = collect(input, plan);
  Active from;
  Active to;
  for (std::size_t i = 0; i < points.steps.size();) {
    const AddressNumber first = points.steps[i].point;
    for (; i < points.steps.size() && points.steps[i].point == first; ++i) {
      if (points.steps[i].what == What::kSource) from.apply(points.steps[i]);
      if (points.steps[i].what == What::kDestination) to.apply(points.steps[i]);
    }
    const Place place = input.geography.place(first);
    ClassTable::Interval interval{.first = first,
                                  .segment = place.segment,
                                  .gateway = place.gateway,
                                  .is_virtual = points.virtual_addresses.contains(first),
                                  .device = {},
                                  .source_class = sources.of(first, from.sets()),
                                  .destination_class = destinations.of(first, to.sets())};
    if (const auto device = points.devices.find(first); device != points.devices.end())
      interval.device = device->second;
    const bool version_starts = first == kAllV4.first || first == kAllV4.last + 1;
    if (!out.intervals.empty() && !version_starts && same_but_start(out.intervals.back(), interval))
      continue;
    out.intervals.push_back(interval);
  }
  name_classes(plan, out);
  return out;
}

}  // namespace sallyport::compile
