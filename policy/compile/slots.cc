#include "policy/compile/slots.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/compile/address_set.h"

namespace sallyport::compile {

namespace {

std::string_view kind_text(wire::RuleKind kind) {
  switch (kind) {
    case wire::RuleKind::Direct:
      return "direct";
    case wire::RuleKind::Terminate:
      return "leg-a";
    case wire::RuleKind::LegB:
      return "leg-b";
    case wire::RuleKind::HostService:
      return "host";
  }
  return "unknown";
}

// The first and last address of an IPv4 range are left out: some devices take .0 and .255 for
// network and broadcast whatever their mask says, so these are skipped everywhere.
bool is_unfortunate(const IpAddress& a) {
  return a.bytes()[15] == 0 || (a.is_v4() && a.bytes()[15] == 255);
}

}  // namespace

std::string rule_key(std::string_view name, wire::RuleKind kind) {
  return fmt::format("{}/{}", name, kind_text(kind));
}

Slots slots_of(const wire::SnapshotView& snapshot) {
  Slots out;
  const wire::Snapshot& root = snapshot.root();
  for (const wire::Port* p : *root.ports()) out.ports.emplace(wire::text(p->name()), p->slot());
  for (const wire::Segment* s : *root.segments())
    out.segments.emplace(wire::text(s->name()), s->slot());
  for (std::uint32_t i = 0; i < snapshot.devices().size(); ++i)
    if (snapshot.devices()[i].valid() != 0) out.devices.emplace(snapshot.device_name(i), i);
  for (std::uint32_t i = 0; i < snapshot.rules().size(); ++i)
    if (snapshot.rules()[i].valid() != 0)
      out.rules.emplace(rule_key(snapshot.rule_name(i), snapshot.rules()[i].kind()), i);
  for (const wire::Conduit* c : *root.conduits()) {
    out.conduits.emplace(wire::text(c->name()), c->slot());
    if (c->termination() != nullptr)
      out.listener_ports.emplace(wire::text(c->name()), c->termination()->listener_port());
    if (c->name_asked() == nullptr || c->virtual_addresses()->size() == 0) continue;
    const std::string segment(wire::text(snapshot.segment(c->name_segment())->name()));
    std::vector<IpAddress>& addresses =
        out.virtual_addresses[{segment, std::string(wire::text(c->name_asked()))}];
    addresses.clear();
    for (const wire::Address* a : *c->virtual_addresses()) addresses.push_back(wire::to_ip(*a));
  }
  return out;
}

SlotBook::SlotBook(const Slots& previous)
    : previous_(&previous),
      ports_(column_of(previous.ports)),
      segments_(column_of(previous.segments)),
      devices_(column_of(previous.devices)),
      conduits_(column_of(previous.conduits)),
      rules_(column_of(previous.rules)) {
  for (const auto& [name, port] : previous.listener_ports)
    if (port >= wire::kFirstListenerPort && port <= wire::kLastListenerPort)
      listener_slots_before_.emplace(name, port - wire::kFirstListenerPort);
  listeners_ = column_of(listener_slots_before_);
  for (const auto& [key, addresses] : previous.virtual_addresses)
    virtual_used_.insert(addresses.begin(), addresses.end());
}

SlotBook::Column SlotBook::column_of(const Map& previous) {
  Column out;
  for (const auto& [name, slot] : previous) out.used.insert(slot);
  return out;
}

std::optional<std::uint32_t> SlotBook::give(std::string_view name, const Map& previous,
                                            Map& current, Column& column, std::size_t bound) {
  if (const auto at = current.find(name); at != current.end()) return at->second;
  std::uint32_t slot = 0;
  if (const auto at = previous.find(name); at != previous.end() && at->second < bound) {
    slot = at->second;
  } else {
    while (column.used.contains(column.next)) ++column.next;
    slot = column.next;
    if (slot >= bound) return std::nullopt;
    column.used.insert(slot);
  }
  current.emplace(name, slot);
  return slot;
}

std::optional<std::uint32_t> SlotBook::port(std::string_view name) {
  return give(name, previous_->ports, current_.ports, ports_, wire::kMaxPorts);
}
std::optional<std::uint32_t> SlotBook::segment(std::string_view name) {
  return give(name, previous_->segments, current_.segments, segments_, wire::kMaxSegments);
}
std::optional<std::uint32_t> SlotBook::device(std::string_view name) {
  return give(name, previous_->devices, current_.devices, devices_, wire::kMaxDevices);
}
std::optional<std::uint32_t> SlotBook::conduit(std::string_view name) {
  return give(name, previous_->conduits, current_.conduits, conduits_, wire::kMaxConduits);
}
std::optional<std::uint32_t> SlotBook::rule(std::string_view key) {
  return give(key, previous_->rules, current_.rules, rules_, wire::kMaxRules);
}

std::optional<std::uint16_t> SlotBook::listener_port(std::string_view conduit) {
  constexpr std::size_t kBound = wire::kLastListenerPort - wire::kFirstListenerPort + 1;
  const auto slot = give(conduit, listener_slots_before_, listener_slots_, listeners_, kBound);
  if (!slot) return std::nullopt;
  const auto port = static_cast<std::uint16_t>(wire::kFirstListenerPort + *slot);
  current_.listener_ports.insert_or_assign(std::string(conduit), port);
  return port;
}

std::optional<IpAddress> SlotBook::virtual_address(const std::string& segment,
                                                   const std::string& name, IpVersion version,
                                                   const std::vector<IpPrefix>& ranges) {
  const auto fits = [&](const IpAddress& a) {
    return a.version() == version && !is_unfortunate(a) &&
           std::any_of(ranges.begin(), ranges.end(), [&](const auto& r) { return r.contains(a); });
  };
  const std::pair key(segment, name);
  std::vector<IpAddress>& given = current_.virtual_addresses[key];
  for (const IpAddress& a : given)
    if (a.version() == version) return a;
  if (const auto at = previous_->virtual_addresses.find(key);
      at != previous_->virtual_addresses.end())
    for (const IpAddress& a : at->second)
      if (fits(a)) return given.emplace_back(a);
  for (const IpPrefix& range : ranges) {
    if (range.version() != version) continue;
    IpAddress& next = virtual_next_.try_emplace(range.first(), range.first()).first->second;
    while (range.contains(next)) {
      const IpAddress candidate = next;
      next = to_address(to_number(next) + 1);
      if (is_unfortunate(candidate) || !virtual_used_.insert(candidate).second) continue;
      return given.emplace_back(candidate);
    }
  }
  return std::nullopt;
}

}  // namespace sallyport::compile
