#include "policy/prove/permitted.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "policy/explain/candidates.h"
#include "policy/prove/ranges.h"

namespace sallyport::prove {
namespace {

struct Member {
  std::string end;
  std::string device;
  std::string text;  // addresses, or the name itself
};

// The members of every class, gathered from both partitions and the names.
struct Members {
  std::map<std::uint32_t, std::vector<Member>> sources;
  std::map<std::uint32_t, std::vector<Member>> destinations;
};

template <class Interval>
void gather(const wire::SnapshotView& view, const Interval& i, Range range, Members& out) {
  if (i.source_class() == 0 && i.destination_class() == 0) return;
  const wire::Segment* segment = view.segment(i.segment());
  const std::string name(segment == nullptr ? "virtual" : wire::text(segment->name()));
  const Member member{i.device() == wire::kGatewayHost ? "gateway:" + name : name,
                      std::string(view.device_name(i.device())), text_of(range)};
  if (i.source_class() != 0) out.sources[i.source_class()].push_back(member);
  if (i.destination_class() != 0) out.destinations[i.destination_class()].push_back(member);
}

Members members_of(const wire::SnapshotView& view) {
  Members out;
  const auto v4 = view.intervals4();
  for (std::size_t k = 0; k < v4.size(); ++k) {
    const std::uint32_t last = k + 1 < v4.size() ? v4[k + 1].first() - 1 : 0xffffffffU;
    gather(view, v4[k], {number_of(IpAddress::v4(v4[k].first())), number_of(IpAddress::v4(last))},
           out);
  }
  const auto v6 = view.intervals6();
  const auto start = [&](std::size_t k) {
    return static_cast<Number>(v6[k].first_high()) << 64 | v6[k].first_low();
  };
  for (std::size_t k = 0; k < v6.size(); ++k)
    gather(view, v6[k], {start(k), k + 1 < v6.size() ? start(k + 1) - 1 : ~Number{0}}, out);
  for (const wire::Name* n : *view.root().names()) {
    const std::string name(wire::text(n->name()));
    out.destinations[n->destination_class()].push_back({"name:" + name, {}, name});
  }
  return out;
}

bool wanted(const Member& member, const std::string& filter) {
  return filter.empty() || member.end == filter || member.device == filter;
}

}  // namespace

std::vector<Cell> matrix(const wire::SnapshotView& view) {
  const Members members = members_of(view);
  const auto ends = [](const auto& of_class) {
    std::map<std::uint32_t, std::set<std::string>> out;
    for (const auto& [id, list] : of_class)
      for (const Member& m : list) out[id].insert(m.end);
    return out;
  };
  const auto from = ends(members.sources);
  const auto to = ends(members.destinations);
  std::map<std::pair<std::string, std::string>, std::set<std::string>> cells;
  for (const wire::PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    const auto source = from.find(static_cast<std::uint32_t>(pair.key() >> 40));
    const auto destination = to.find(static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU);
    if (source == from.end() || destination == to.end()) continue;
    for (const std::string& a : source->second)
      for (const std::string& b : destination->second)
        for (const wire::RangeRule& r : view.ranges().subspan(pair.first(), pair.count()))
          cells[{a, b}].emplace(view.rule_name(r.rule()));
  }
  std::vector<Cell> out;
  for (const auto& [key, rules] : cells)
    out.push_back({key.first, key.second, {rules.begin(), rules.end()}});
  return out;
}

PermittedBoxes permitted(const wire::SnapshotView& view, const std::string& from,
                         const std::string& to, std::size_t limit) {
  PermittedBoxes out;
  const Members members = members_of(view);
  for (const wire::PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    const auto sources = members.sources.find(static_cast<std::uint32_t>(pair.key() >> 40));
    const auto destinations =
        members.destinations.find(static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU);
    if (sources == members.sources.end() || destinations == members.destinations.end()) continue;
    for (const Member& s : sources->second) {
      if (!wanted(s, from)) continue;
      for (const Member& d : destinations->second) {
        if (!wanted(d, to)) continue;
        for (const wire::RangeRule& r : view.ranges().subspan(pair.first(), pair.count())) {
          if (out.boxes.size() == limit) {
            out.more = true;
            return out;
          }
          out.boxes.push_back({s.end, d.end, s.text, d.text, static_cast<std::uint8_t>(pair.key()),
                               r.first_port(), r.last_port(), std::string(view.rule_name(r.rule())),
                               std::string(explain::kind_text(view.rules()[r.rule()].kind()))});
        }
      }
    }
  }
  return out;
}

}  // namespace sallyport::prove
