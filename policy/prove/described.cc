#include "policy/prove/described.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::prove {
namespace {

using wire::RuleKind;

// Held apart from the compiler's constant of the same meaning.
constexpr std::int32_t kGraceDays = 30;

Ranges parsed(std::initializer_list<std::pair<const char*, const char*>> pairs) {
  std::vector<Range> out;
  for (const auto& [first, last] : pairs)
    out.emplace_back(number_of(*IpAddress::parse(first)), number_of(*IpAddress::parse(last)));
  return tidy(std::move(out));
}

// RFC 6890: what a forwarder may carry.
Ranges forwardable() {
  return parsed({{"1.0.0.0", "126.255.255.255"},
                 {"128.0.0.0", "169.253.255.255"},
                 {"169.255.0.0", "223.255.255.255"},
                 {"64:ff9b::", "64:ff9b::ffff:ffff"},
                 {"2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                 {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}});
}

std::vector<IpPrefix> virtual_ranges(const model::Gateway& gateway) {
  if (!gateway.virtual_ranges.empty()) return gateway.virtual_ranges;
  return {*IpPrefix::parse("198.18.0.0/15"), *IpPrefix::parse("fd53:414c:4c59::/64")};
}

}  // namespace

Described::Described(const model::Gateway& gateway, std::optional<std::int32_t> today,
                     const wire::SnapshotView& snapshot, std::vector<std::string>& faults)
    : gateway_(gateway), today_(today) {
  for (const model::Segment& s : gateway.segments) segment_names_.emplace(s.name, &s);
  for (const model::Device& d : gateway.devices) {
    device_names_.emplace(d.name, &d);
    for (const IpAddress& a : d.addresses) devices_.emplace(number_of(a), &d);
  }
  place_segments();
  read_virtual(snapshot, faults);
  judge_virtual(faults);
  for (const model::Conduit& c : gateway.conduits)
    if (enforced(c)) describe(c);
  for (const model::Segment& s : gateway.segments) describe_services(s);
}

bool Described::enforced(const model::Conduit& c) const {
  if (!c.review || !c.review->stands) return false;
  if (!today_ || c.review->expires_day == 0) return true;
  const bool grace = gateway_.review_rules.on_expiry == model::OnExpiry::kAlert;
  return *today_ <= c.review->expires_day + (grace ? kGraceDays : 0);
}

const model::Segment* Described::route(IpVersion version) const {
  for (const model::Segment& s : gateway_.segments)
    for (const IpAddress& g : s.gateways)
      if (g.version() == version) return &s;
  return nullptr;
}

void Described::place_segments() {
  std::vector<Range> taken;  // by no uplink
  std::vector<Range> dead;   // network and broadcast addresses
  for (const IpPrefix& p : virtual_ranges(gateway_)) taken.push_back(range_of(p));
  const Ranges virtual_space = tidy(taken);
  std::map<const model::Segment*, std::vector<Range>> raw;
  for (const model::Segment& s : gateway_.segments) {
    for (const model::InterfaceAddress& a : s.addresses) {
      const Range subnet = range_of(a.subnet);
      taken.push_back(subnet);
      raw[&s].push_back(subnet);
      own_[&s] = sum(own_[&s], single(a.address));
      if (!a.address.is_v4() || a.subnet.length() >= 31) continue;
      dead.emplace_back(subnet.first, subnet.first);
      dead.emplace_back(subnet.second, subnet.second);
    }
  }
  const Ranges rest = without(forwardable(), tidy(taken));
  for (const IpVersion v : {IpVersion::k4, IpVersion::k6}) {
    const model::Segment* uplink = route(v);
    if (uplink == nullptr) continue;
    const Ranges part = of_version(rest, v);
    raw[uplink].insert(raw[uplink].end(), part.begin(), part.end());
  }
  for (const model::Segment& s : gateway_.segments) {
    Ranges all = common(tidy(raw[&s]), forwardable());
    hosts_[&s] = without(without(without(all, virtual_space), tidy(dead)), own_[&s]);
    for (const Range& r : hosts_[&s]) territory_.emplace_back(r, &s);
    for (const Range& r : own_[&s]) territory_.emplace_back(r, &s);
  }
  std::sort(territory_.begin(), territory_.end());
}

const model::Segment* Described::segment_of(Number number) const {
  const auto at =
      std::upper_bound(territory_.begin(), territory_.end(), number,
                       [](Number n, const auto& entry) { return n < entry.first.first; });
  if (at == territory_.begin() || std::prev(at)->first.second < number) return nullptr;
  return std::prev(at)->second;
}

DescribedPlace Described::place(Number number) const {
  DescribedPlace out;
  out.is_virtual = holds(virtual_used_, number);
  out.segment = segment_of(number);
  if (out.segment != nullptr) out.gateway = holds(own_.at(out.segment), number);
  if (const auto at = devices_.find(number); at != devices_.end()) out.device = at->second;
  return out;
}

std::vector<Number> Described::place_boundaries() const {
  std::vector<Number> out;
  const auto edges = [&](const Range& r) {
    out.push_back(r.first);
    if (r.second != ~Number{0}) out.push_back(r.second + 1);
  };
  for (const auto& [range, segment] : territory_) edges(range);
  for (const auto& [number, device] : devices_) edges({number, number});
  for (const Range& r : virtual_used_) edges(r);
  return out;
}

const DescribedTermination* Described::termination(const model::Conduit& c) const {
  const auto at = terminations_.find(&c);
  return at == terminations_.end() ? nullptr : &at->second;
}

// Each (segment, name) has its own addresses, inside the virtual ranges, and nobody else has them.
void Described::read_virtual(const wire::SnapshotView& snapshot, std::vector<std::string>& faults) {
  std::map<Number, std::pair<std::string, std::string>> owners;
  for (const wire::Conduit* c : *snapshot.root().conduits()) {
    const std::string asked(wire::text(c->name_asked()));
    if (asked.empty()) continue;
    const std::pair key(std::string(wire::text(snapshot.segment(c->name_segment())->name())),
                        asked);
    for (const wire::Address* a : *c->virtual_addresses()) {
      const IpAddress address = wire::to_ip(*a);
      const auto ranges = virtual_ranges(gateway_);
      const bool inside = std::any_of(ranges.begin(), ranges.end(),
                                      [&](const IpPrefix& p) { return p.contains(address); });
      const auto owner = owners.emplace(number_of(address), key).first;
      if (!inside || owner->second != key)
        faults.push_back(fmt::format("virtual address {} of {} in {} {}", address.to_string(),
                                     asked, key.first,
                                     inside ? "is another name's too" : "is outside its ranges"));
      virtual_[key] = sum(virtual_[key], single(address));
      virtual_used_ = sum(virtual_used_, single(address));
    }
  }
}

// A name that is asked for is answered in every IP version in which its askers can be served.
void Described::judge_virtual(std::vector<std::string>& faults) const {
  for (const model::Conduit& c : gateway_.conduits) {
    const auto asked = question(c);
    if (!asked) continue;
    const Ranges& own = own_.at(segment_names_.at(asked->first));
    const auto given = virtual_.find(*asked);
    for (const IpVersion v : {IpVersion::k4, IpVersion::k6}) {
      if (of_version(own, v).empty()) continue;
      if (given != virtual_.end() && !of_version(given->second, v).empty()) continue;
      faults.push_back(fmt::format("{} has no virtual IPv{} address in {}", asked->second,
                                   v == IpVersion::k4 ? 4 : 6, asked->first));
    }
  }
}

Described::EndRanges Described::end(const model::End& e) const {
  EndRanges out;
  if (const auto* d = std::get_if<model::DeviceEnd>(&e)) {
    if (d->device == model::kGatewayName) {
      out.is_gateway = true;
    } else if (const auto at = device_names_.find(d->device); at != device_names_.end()) {
      Ranges& part = out.by_segment[segment_names_.at(at->second->segment)];
      for (const IpAddress& a : at->second->addresses) part = sum(part, single(a));
    }
  } else if (const auto* s = std::get_if<model::SegmentEnd>(&e)) {
    const auto at = segment_names_.find(s->segment);
    if (at == segment_names_.end()) return out;
    Ranges chosen = hosts_.at(at->second);
    if (!s->prefixes.empty()) {
      std::vector<Range> prefixes;
      for (const IpPrefix& p : s->prefixes) prefixes.push_back(range_of(p));
      chosen = common(chosen, tidy(std::move(prefixes)));
    }
    out.by_segment[at->second] = std::move(chosen);
  } else if (const auto* l = std::get_if<model::AddressEnd>(&e)) {
    for (const IpAddress& a : l->addresses) {
      const DescribedPlace where = place(number_of(a));
      if (where.segment == nullptr) continue;
      Ranges& part = (where.gateway ? out.gateway : out.by_segment)[where.segment];
      part = sum(part, single(a));
    }
  } else if (const auto* n = std::get_if<model::NameEnd>(&e)) {
    out.name = n->name;
  }
  return out;
}

// One box for each transport. `port_override` 0: the service's ports.
void Described::add(const model::Conduit& c, RuleKind kind, const Ranges& source,
                    const Ranges& destination, const std::string& name,
                    std::uint16_t port_override) {
  const auto put = [&](std::uint8_t protocol, PortRange ports, IpVersion version, bool both) {
    const Ranges from = both ? source : of_version(source, version);
    const Ranges to = both ? destination : of_version(destination, version);
    if (from.empty() || (to.empty() && name.empty())) return;
    boxes_.push_back({&c, c.name, kind, from, to, name, {protocol, ports}});
  };
  if (c.service.protocol == IpProtocol::kIcmp || c.service.protocol == IpProtocol::kIcmp6) {
    put(1, {8, 8}, IpVersion::k4, false);
    put(58, {128, 128}, IpVersion::k6, false);
    return;
  }
  const PortRange ports =
      port_override == 0 ? c.service.ports : PortRange{port_override, port_override};
  put(static_cast<std::uint8_t>(c.service.protocol), ports, IpVersion::k4, true);
}

void Described::describe(const model::Conduit& c) {
  const EndRanges from = end(c.from);
  const EndRanges to = end(c.to);
  if (c.terminate || c.inspect.modbus) {
    describe_terminated(c, from, to);
  } else {
    describe_direct(c, from, to);
  }
}

void Described::describe_direct(const model::Conduit& c, const EndRanges& from,
                                const EndRanges& to) {
  Ranges destinations;
  for (const auto& [segment, part] : to.by_segment) destinations = sum(destinations, part);
  Ranges sources;
  for (const auto& [segment, part] : from.by_segment) sources = sum(sources, part);
  if (from.is_gateway) {
    note_resolvers(c, to);
    for (const auto& [segment, part] : to.by_segment)
      add(c, RuleKind::HostService, own_.at(segment), part, {}, 0);
    if (to.name.empty()) return;
    Ranges own;
    for (const IpVersion v : {IpVersion::k4, IpVersion::k6})
      if (const model::Segment* uplink = route(v)) own = sum(own, own_.at(uplink));
    add(c, RuleKind::HostService, own, {}, to.name, 0);
  } else if (to.is_gateway) {
    for (const auto& [segment, part] : from.by_segment)
      if (own_.contains(segment)) add(c, RuleKind::HostService, part, own_.at(segment), {}, 0);
  } else {
    add(c, RuleKind::Direct, sources, destinations, to.name, 0);
  }
}

void Described::describe_services(const model::Segment& segment) {
  if (!own_.contains(&segment)) return;
  const auto offer = [&](const char* service, std::uint8_t protocol, std::uint16_t port,
                         std::optional<IpVersion> only) {
    const Ranges from = only ? of_version(hosts_.at(&segment), *only) : hosts_.at(&segment);
    const Ranges to = only ? of_version(own_.at(&segment), *only) : own_.at(&segment);
    if (from.empty() || to.empty()) return;
    boxes_.push_back({nullptr,
                      fmt::format("builtin:{}:{}", service, segment.name),
                      RuleKind::HostService,
                      from,
                      to,
                      {},
                      {protocol, {port, port}}});
  };
  if ((segment.services & model::kDns) != 0) {
    offer("dns", 6, 53, std::nullopt);
    offer("dns", 17, 53, std::nullopt);
  }
  if ((segment.services & model::kNtp) != 0) offer("ntp", 17, 123, std::nullopt);
  if ((segment.services & model::kPing) != 0) {
    offer("ping", 1, 8, IpVersion::k4);
    offer("ping", 58, 128, IpVersion::k6);
  }
}

}  // namespace sallyport::prove
