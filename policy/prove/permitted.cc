#include "policy/prove/permitted.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "policy/decide/classifier.h"

namespace sallyport::prove {
namespace {

// The members of every class, gathered from both partitions and the names.
struct Members {
  std::map<std::uint32_t, std::vector<PermittedEnd>> sources;
  std::map<std::uint32_t, std::vector<PermittedEnd>> destinations;
};

class Gathering {
 public:
  explicit Gathering(const wire::SnapshotView& view) : view_(view), classifier_(view) {}

  Members run() {
    gather(view_.intervals4(), number_of(IpAddress::v4(0xffffffff)));
    gather(view_.intervals6(), ~Number{0});
    for (const wire::Name* n : *view_.root().names()) {
      const std::string name(wire::text(n->name()));
      out_.destinations[n->destination_class()].push_back({"name:" + name, {}, {}, name});
    }
    return std::move(out_);
  }

 private:
  static Number start_of(const wire::Interval4& i) { return number_of(IpAddress::v4(i.first())); }
  static Number start_of(const wire::Interval6& i) {
    return static_cast<Number>(i.first_high()) << 64 | i.first_low();
  }

  template <class Interval>
  void gather(std::span<const Interval> intervals, Number end) {
    for (std::size_t k = 0; k < intervals.size(); ++k) {
      const Interval& i = intervals[k];
      if (i.source_class() == 0 && i.destination_class() == 0) continue;
      const decide::Location place = classifier_.locate(address_of(start_of(i)));
      const Number last = k + 1 < intervals.size() ? start_of(intervals[k + 1]) - 1 : end;
      const PermittedEnd member{.end = end_of(place),
                                .device = std::string(view_.device_name(place.device)),
                                .addresses = {start_of(i), last},
                                .name = {}};
      if (i.source_class() != 0 && classifier_.may_speak(place))
        out_.sources[i.source_class()].push_back(member);
      if (i.destination_class() != 0) out_.destinations[i.destination_class()].push_back(member);
    }
  }

  std::string end_of(const decide::Location& place) const {
    const wire::Segment* segment = view_.segment(place.segment);
    const std::string name(segment == nullptr ? "virtual" : wire::text(segment->name()));
    return place.is_gateway() ? "gateway:" + name : name;
  }

  const wire::SnapshotView& view_;
  const decide::Classifier classifier_;
  Members out_;
};

bool wanted(const PermittedEnd& end, std::string_view filter) {
  return filter.empty() || end.end == filter || end.device == filter ||
         (filter == "gateway" && end.end.starts_with("gateway:"));
}

// Of one version, and not a device to itself.
bool may_meet(const PermittedEnd& from, const PermittedEnd& to) {
  if (!to.name.empty()) return true;
  return is_v4_number(from.addresses.first) == is_v4_number(to.addresses.first) &&
         (from.device.empty() || from.device != to.device);
}

// Every two members of every pair of classes, with the pair's ranges.
template <class Visit>
void for_each(const wire::SnapshotView& view, const Members& members, Visit visit) {
  for (const wire::PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    const auto sources = members.sources.find(static_cast<std::uint32_t>(pair.key() >> 40));
    const auto destinations =
        members.destinations.find(static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU);
    if (sources == members.sources.end() || destinations == members.destinations.end()) continue;
    const auto ranges = view.ranges().subspan(pair.first(), pair.count());
    for (const PermittedEnd& from : sources->second)
      for (const PermittedEnd& to : destinations->second)
        if (may_meet(from, to)) visit(from, to, static_cast<std::uint8_t>(pair.key()), ranges);
  }
}

auto order_of(const PermittedBox& box) {
  return std::tie(box.from.end, box.to.end, box.from.addresses, box.to.addresses, box.to.name,
                  box.protocol, box.ports.first);
}

}  // namespace

std::vector<Cell> matrix(const wire::SnapshotView& view) {
  std::map<std::pair<std::string, std::string>, std::set<std::uint32_t>> cells;
  for_each(view, Gathering(view).run(),
           [&](const PermittedEnd& from, const PermittedEnd& to, std::uint8_t /*protocol*/,
               std::span<const wire::RangeRule> ranges) {
             std::set<std::uint32_t>& rules = cells[{from.end, to.end}];
             for (const wire::RangeRule& r : ranges) rules.insert(r.rule());
           });
  std::vector<Cell> out;
  for (const auto& [key, rules] : cells) {
    std::set<std::string> names;
    for (const std::uint32_t rule : rules) names.emplace(view.rule_name(rule));
    out.push_back({key.first, key.second, {names.begin(), names.end()}});
  }
  return out;
}

PermittedBoxes permitted(const wire::SnapshotView& view, std::string_view from, std::string_view to,
                         std::size_t limit) {
  PermittedBoxes out;
  for_each(view, Gathering(view).run(),
           [&](const PermittedEnd& source, const PermittedEnd& destination, std::uint8_t protocol,
               std::span<const wire::RangeRule> ranges) {
             if (!wanted(source, from) || !wanted(destination, to)) return;
             for (const wire::RangeRule& r : ranges) {
               out.more |= out.boxes.size() == limit;
               if (out.more) return;
               out.boxes.push_back({.from = source,
                                    .to = destination,
                                    .protocol = protocol,
                                    .ports = {r.first_port(), r.last_port()},
                                    .rule = std::string(view.rule_name(r.rule())),
                                    .kind = view.rules()[r.rule()].kind()});
             }
           });
  std::sort(out.boxes.begin(), out.boxes.end(),
            [](const PermittedBox& a, const PermittedBox& b) { return order_of(a) < order_of(b); });
  return out;
}

bool is_end(const wire::SnapshotView& view, std::string_view name) {
  if (name == "gateway" || name == "virtual") return true;
  constexpr std::string_view kGateway = "gateway:";
  if (name.starts_with(kGateway)) return view.segment(name.substr(kGateway.size())) != nullptr;
  if (view.segment(name) != nullptr) return true;
  for (std::uint32_t slot = 0; slot < view.devices().size(); ++slot)
    if (!name.empty() && view.device_name(slot) == name) return true;
  return std::any_of(
      view.root().names()->begin(), view.root().names()->end(),
      [&](const wire::Name* n) { return name == "name:" + std::string(wire::text(n->name())); });
}

}  // namespace sallyport::prove
