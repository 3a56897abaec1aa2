#include "policy/prove/difference.h"

#include <algorithm>
#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace sallyport::prove {
namespace {

// Where two boxes can meet at all.
using Group = std::pair<std::uint8_t, std::string>;  // protocol, DNS name
using ByGroup = std::map<Group, std::vector<const PermittedBox*>>;

Group group_of(const PermittedBox& box) { return {box.protocol, box.to.name}; }

// A box's extent; of no meaning between two groups.
auto extent_of(const PermittedBox& box) {
  const Range to = box.to.name.empty() ? box.to.addresses : Range{0, 0};
  return std::tuple(box.protocol, box.to.name, box.from.addresses, to, box.ports.first,
                    box.ports.last);
}

template <class T>
bool meet(T first, T last, T other_first, T other_last) {
  return first <= other_last && other_first <= last;
}

bool meet(const PermittedBox& a, const PermittedBox& b) {
  const auto both = [](const Range& x, const Range& y) {
    return meet(x.first, x.second, y.first, y.second);
  };
  return both(a.from.addresses, b.from.addresses) &&
         (!a.to.name.empty() || both(a.to.addresses, b.to.addresses)) &&
         meet(a.ports.first, a.ports.last, b.ports.first, b.ports.last);
}

// What of `box` lies outside `hole` in one range; the range is cut down to what lies inside.
template <class SetRange>
void cut(PermittedBox& box, const Range& range, const Range& hole, SetRange set,
         std::vector<PermittedBox>& out) {
  if (range.first < hole.first) {
    out.push_back(box);
    set(out.back(), Range{range.first, hole.first - 1});
  }
  if (range.second > hole.second) {
    out.push_back(box);
    set(out.back(), Range{hole.second + 1, range.second});
  }
  set(box, Range{std::max(range.first, hole.first), std::min(range.second, hole.second)});
}

void set_from(PermittedBox& box, const Range& range) { box.from.addresses = range; }
void set_to(PermittedBox& box, const Range& range) { box.to.addresses = range; }
void set_ports(PermittedBox& box, const Range& range) {
  box.ports = {static_cast<std::uint16_t>(range.first), static_cast<std::uint16_t>(range.second)};
}
Range ports_of(const PermittedBox& box) { return {box.ports.first, box.ports.last}; }

// Appends what of `box` is not in `hole`, as disjoint boxes.
void subtract(PermittedBox box, const PermittedBox& hole, std::vector<PermittedBox>& out) {
  if (!meet(box, hole)) {
    out.push_back(std::move(box));
    return;
  }
  cut(box, box.from.addresses, hole.from.addresses, set_from, out);
  if (box.to.name.empty()) cut(box, box.to.addresses, hole.to.addresses, set_to, out);
  cut(box, ports_of(box), ports_of(hole), set_ports, out);
}

// Neighbours in one range that are alike in everything else become one.
template <class Key, class Get, class Set>
void join(std::vector<PermittedBox>& boxes, Key key, Get get, Set set) {
  std::sort(boxes.begin(), boxes.end(), [&](const PermittedBox& a, const PermittedBox& b) {
    return std::pair(key(a), get(a)) < std::pair(key(b), get(b));
  });
  std::vector<PermittedBox> out;
  for (PermittedBox& box : boxes) {
    if (!out.empty() && key(out.back()) == key(box) && get(out.back()).second + 1 == get(box).first)
      set(out.back(), Range{get(out.back()).first, get(box).second});
    else
      out.push_back(std::move(box));
  }
  boxes = std::move(out);
}

auto alike(const PermittedBox& box) {
  return std::tuple(box.from.end, box.to.end, box.from.device, box.to.device, box.protocol,
                    box.to.name, box.rule);
}

void tidy_up(std::vector<PermittedBox>& boxes) {
  join(
      boxes,
      [](const PermittedBox& b) {
        return std::tuple(alike(b), b.to.addresses, b.ports.first, b.ports.last);
      },
      [](const PermittedBox& b) { return b.from.addresses; }, set_from);
  join(
      boxes,
      [](const PermittedBox& b) {
        return std::tuple(alike(b), b.from.addresses, b.ports.first, b.ports.last);
      },
      [](const PermittedBox& b) { return b.to.name.empty() ? b.to.addresses : Range{0, 0}; },
      set_to);
  join(
      boxes,
      [](const PermittedBox& b) {
        return std::tuple(alike(b), b.from.addresses,
                          b.to.name.empty() ? b.to.addresses : Range{0, 0});
      },
      ports_of, set_ports);
}

// Boxes of `all`, in parts, that no box of `others` covers.
std::vector<PermittedBox> only_in(const PermittedBoxes& all, const PermittedBoxes& others,
                                  bool& more) {
  std::set<decltype(extent_of(all.boxes.front()))> known;
  ByGroup groups;
  for (const PermittedBox& box : others.boxes) {
    known.insert(extent_of(box));
    groups[group_of(box)].push_back(&box);
  }
  std::vector<PermittedBox> out;
  std::size_t compared = 0;
  for (const PermittedBox& box : all.boxes) {
    if (known.contains(extent_of(box))) continue;
    if (++compared > kMaxComparedBoxes) {
      more = true;
      break;
    }
    std::vector<PermittedBox> rest = {box};
    for (const PermittedBox* other : groups[group_of(box)]) {
      if (!meet(box, *other)) continue;
      std::vector<PermittedBox> next;
      for (PermittedBox& piece : rest) subtract(std::move(piece), *other, next);
      rest = std::move(next);
    }
    std::ranges::move(rest, std::back_inserter(out));
  }
  tidy_up(out);
  return out;
}

}  // namespace

Changes changes(const wire::SnapshotView& before, const wire::SnapshotView& after) {
  const PermittedBoxes old = permitted(before, "", "", kMaxReadBoxes);
  const PermittedBoxes fresh = permitted(after, "", "", kMaxReadBoxes);
  Changes out;
  out.more = old.more || fresh.more;
  // What was not read must not be taken for what is not there.
  if (out.more) return out;
  out.allowed = only_in(fresh, old, out.more);
  out.denied = only_in(old, fresh, out.more);
  return out;
}

std::string to_json(const Changes& changes) {
  const auto list = [](const std::vector<PermittedBox>& boxes) {
    return nlohmann::ordered_json::parse(to_json(PermittedBoxes{boxes, false}))["boxes"];
  };
  return nlohmann::ordered_json{
      {"allowed", list(changes.allowed)}, {"denied", list(changes.denied)}, {"more", changes.more}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace sallyport::prove
