#include "tests/support/policy/reference_policy.h"

#include <algorithm>
#include <array>

namespace sallyport::testing {
namespace {

bool in(const char* prefix, const IpAddress& a) { return IpPrefix::parse(prefix)->contains(a); }

bool forwardable(const IpAddress& a) {
  if (a.is_v4())
    return !in("0.0.0.0/8", a) && !in("127.0.0.0/8", a) && !in("169.254.0.0/16", a) &&
           !in("224.0.0.0/4", a) && !in("240.0.0.0/4", a);
  return in("2000::/3", a) || in("fc00::/7", a) || in("64:ff9b::/96", a);
}

bool service_holds(const model::ServiceSpec& s, const ReferencePacket& p) {
  if (s.protocol == IpProtocol::kIcmp || s.protocol == IpProtocol::kIcmp6)
    return p.source.is_v4() ? p.protocol == 1 && p.port == 8 : p.protocol == 58 && p.port == 128;
  return p.protocol == static_cast<std::uint8_t>(s.protocol) && s.ports.contains(p.port);
}

bool has(const std::vector<IpAddress>& list, const IpAddress& a) {
  return std::find(list.begin(), list.end(), a) != list.end();
}

bool is_terminated(const model::Conduit& c) {
  return c.terminate.has_value() || c.inspect.modbus.has_value();
}
bool is_inbound(const model::Conduit& c) {
  return c.terminate && c.terminate->side == model::Side::kInbound;
}
bool is_outbound(const model::Conduit& c) {
  return c.terminate && c.terminate->side == model::Side::kOutbound;
}
bool is_gateway(const model::End& end) {
  const auto* device = std::get_if<model::DeviceEnd>(&end);
  return device != nullptr && device->device == model::kGatewayName;
}

}  // namespace

const model::Segment* ReferencePolicy::segment(const std::string& name) const {
  for (const model::Segment& s : gateway_.segments)
    if (s.name == name) return &s;
  return nullptr;
}
const model::Device* ReferencePolicy::device(const std::string& name) const {
  for (const model::Device& d : gateway_.devices)
    if (d.name == name) return &d;
  return nullptr;
}
const model::Segment* ReferencePolicy::route(IpVersion version) const {
  for (const model::Segment& s : gateway_.segments)
    for (const IpAddress& g : s.gateways)
      if (g.version() == version) return &s;
  return nullptr;
}

ReferencePlace ReferencePolicy::place(const IpAddress& a) const {
  ReferencePlace out;
  for (const auto& [key, addresses] : virtual_)
    if (has(addresses, a)) out.is_virtual = true;
  std::vector<IpPrefix> ranges = gateway_.virtual_ranges;
  if (ranges.empty())
    ranges = {*IpPrefix::parse("198.18.0.0/15"), *IpPrefix::parse("fd53:414c:4c59::/64")};
  if (std::any_of(ranges.begin(), ranges.end(), [&](const auto& r) { return r.contains(a); }))
    return out;
  for (const model::Segment& s : gateway_.segments) {
    for (const model::InterfaceAddress& i : s.addresses) {
      if (i.address == a)
        return {.segment = &s, .gateway = true, .is_virtual = false, .device = {}};
    }
  }
  if (!forwardable(a)) return out;
  for (const model::Segment& s : gateway_.segments) {
    for (const model::InterfaceAddress& i : s.addresses) {
      if (!i.subnet.contains(a)) continue;
      if (a.is_v4() && i.subnet.length() < 31 && (a == i.subnet.first() || a == i.subnet.last()))
        return out;
      out.segment = &s;
      for (const model::Device& d : gateway_.devices)
        if (has(d.addresses, a)) out.device = &d;
      return out;
    }
  }
  out.segment = route(a.version());
  return out;
}

// Hosts only: the gateway's own addresses are meant by its name and by listeners, nothing else.
bool ReferencePolicy::end_holds(const model::End& end, const IpAddress& a) const {
  const ReferencePlace where = place(a);
  if (where.segment == nullptr || where.gateway) return false;
  if (const auto* d = std::get_if<model::DeviceEnd>(&end)) {
    const model::Device* found = device(d->device);
    return found != nullptr && has(found->addresses, a);
  }
  if (const auto* s = std::get_if<model::SegmentEnd>(&end)) {
    if (where.segment->name != s->segment) return false;
    return s->prefixes.empty() || std::any_of(s->prefixes.begin(), s->prefixes.end(),
                                              [&](const auto& p) { return p.contains(a); });
  }
  if (const auto* l = std::get_if<model::AddressEnd>(&end)) return has(l->addresses, a);
  return false;
}

bool ReferencePolicy::is_named(const ReferencePacket& p, const std::string& name) const {
  const ReferencePlace to = place(p.destination);
  return to.segment != nullptr && to.segment->role == model::Role::kUplink && !to.gateway &&
         to.device == nullptr && std::find(p.names.begin(), p.names.end(), name) != p.names.end();
}

bool ReferencePolicy::gateway_speaks_from(const ReferencePacket& p,
                                          const model::Segment* where) const {
  const ReferencePlace from = place(p.source);
  return where != nullptr && from.gateway && from.segment == where;
}

bool ReferencePolicy::direct(const model::Conduit& c, const ReferencePacket& p) const {
  if (!service_holds(c.service, p)) return false;
  const auto* named = std::get_if<model::NameEnd>(&c.to);
  if (is_gateway(c.from)) {
    if (named != nullptr)
      return is_named(p, named->name) && place(p.source).gateway &&
             (place(p.source).segment == route(IpVersion::k4) ||
              place(p.source).segment == route(IpVersion::k6));
    return end_holds(c.to, p.destination) && gateway_speaks_from(p, place(p.destination).segment);
  }
  if (!end_holds(c.from, p.source)) return false;
  if (is_gateway(c.to)) {
    const ReferencePlace to = place(p.destination);
    return to.gateway && to.segment == place(p.source).segment;
  }
  return named != nullptr ? is_named(p, named->name) : end_holds(c.to, p.destination);
}

bool ReferencePolicy::leg_a(const model::Conduit& c, const ReferencePacket& p) const {
  if (p.protocol != static_cast<std::uint8_t>(c.service.protocol)) return false;
  if (!end_holds(c.from, p.source)) return false;
  const model::Segment* clients = place(p.source).segment;
  const bool answerable =
      std::any_of(clients->addresses.begin(), clients->addresses.end(),
                  [&](const auto& i) { return i.address.version() == p.source.version(); });
  if (!answerable) return false;
  // Nobody is let in to a server that has no address.
  if (const auto* d = std::get_if<model::DeviceEnd>(&c.to);
      d != nullptr && !is_outbound(c) && device(d->device)->addresses.empty())
    return false;
  if (is_inbound(c)) {
    if (p.port != c.terminate->listen_port) return false;
    if (!c.terminate->listen_gateway) return p.destination == *c.terminate->listen_address;
    const ReferencePlace to = place(p.destination);
    return to.gateway && to.segment == clients;
  }
  if (!c.service.ports.contains(p.port)) return false;
  if (const auto* named = std::get_if<model::NameEnd>(&c.to)) {
    const auto at = virtual_.find({clients->name, named->name});
    return at != virtual_.end() && has(at->second, p.destination);
  }
  if (const auto* list = std::get_if<model::AddressEnd>(&c.to))
    return has(list->addresses, p.destination);
  return end_holds(c.to, p.destination);
}

bool ReferencePolicy::leg_b(const model::Conduit& c, const ReferencePacket& p) const {
  if (p.protocol != static_cast<std::uint8_t>(c.service.protocol)) return false;
  if (p.port != (is_outbound(c) ? c.terminate->server_port : c.service.ports.first)) return false;
  std::vector<IpAddress> servers;
  std::string name;
  if (is_outbound(c)) {
    name = c.terminate->server_name;
    if (c.terminate->server_address) servers = {*c.terminate->server_address};
  } else if (const auto* d = std::get_if<model::DeviceEnd>(&c.to)) {
    servers = device(d->device)->addresses;
    if (servers.empty()) return false;
  } else if (const auto* l = std::get_if<model::AddressEnd>(&c.to)) {
    servers = l->addresses;
  } else if (const auto* n = std::get_if<model::NameEnd>(&c.to)) {
    name = n->name;
  }
  if (!servers.empty())
    return has(servers, p.destination) && gateway_speaks_from(p, place(servers.front()).segment);
  const model::Segment* uplink = route(IpVersion::k4);
  if (uplink == nullptr) uplink = route(IpVersion::k6);
  return is_named(p, name) && gateway_speaks_from(p, uplink);
}

std::optional<std::string> ReferencePolicy::service(const ReferencePacket& p) const {
  const ReferencePlace from = place(p.source);
  const ReferencePlace to = place(p.destination);
  if (from.segment == nullptr || from.gateway || !to.gateway || to.segment != from.segment)
    return std::nullopt;
  const std::uint16_t offered = to.segment->services;
  const bool ported = p.protocol == 6 || p.protocol == 17;
  if ((offered & model::kDns) != 0 && ported && p.port == 53)
    return "builtin:dns:" + to.segment->name;
  if ((offered & model::kNtp) != 0 && p.protocol == 17 && p.port == 123)
    return "builtin:ntp:" + to.segment->name;
  const bool echo =
      p.source.is_v4() ? p.protocol == 1 && p.port == 8 : p.protocol == 58 && p.port == 128;
  if ((offered & model::kPing) != 0 && echo) return "builtin:ping:" + to.segment->name;
  return std::nullopt;
}

std::vector<ReferenceVerdict> ReferencePolicy::permitting(const ReferencePacket& p) const {
  std::vector<ReferenceVerdict> out;
  for (const model::Conduit& c : gateway_.conduits) {
    if (!c.review || !c.review->stands) continue;
    const bool host = is_gateway(c.from) || is_gateway(c.to);
    if (!is_terminated(c) && direct(c, p))
      out.push_back({true, c.name, host ? "host" : "direct", {}});
    if (is_terminated(c) && leg_a(c, p)) out.push_back({true, c.name, "leg-a", {}});
  }
  if (const auto name = service(p)) out.push_back({true, *name, "host", {}});
  for (const model::Conduit& c : gateway_.conduits)
    if (c.review && c.review->stands && is_terminated(c) && leg_b(c, p))
      out.push_back({true, c.name, "leg-b", {}});
  return out;
}

ReferenceVerdict ReferencePolicy::judge(const ReferencePacket& p) const {
  const auto deny = [](const char* reason) { return ReferenceVerdict{false, {}, {}, reason}; };
  if (p.source.version() != p.destination.version()) return deny("ip-version");
  const ReferencePlace from = place(p.source);
  const ReferencePlace to = place(p.destination);
  if (p.from_host_stack) {
    if (!from.gateway || from.segment != p.ingress) return deny("host-stack-denied");
  } else {
    if (from.segment == nullptr && !from.is_virtual) return deny("martian-source");
    if (p.sender != nullptr && from.device != p.sender) return deny("spoofed-source");
    if (p.sender == nullptr && (from.segment != p.ingress || from.gateway))
      return deny("reverse-path");
  }
  if (to.segment == nullptr && !to.is_virtual) return deny("martian-destination");
  if (from.device != nullptr && from.device == to.device) return deny("hairpin");
  const auto all = permitting(p);
  if (!all.empty()) return all.front();
  if (p.from_host_stack) return deny("host-stack-denied");
  return deny(to.gateway && p.port >= 40000 && p.port <= 49151 ? "listener-port" : "default-deny");
}

}  // namespace sallyport::testing
