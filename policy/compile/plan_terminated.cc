// Both legs of terminated and relayed conduits (design: termination).
//
// Leg A, rule Terminate: client -> what it dials, rewritten by the dataplane to the ingress
// segment's host address and the conduit's listener port. Leg B, rule LegB: host address of the
// server's segment -> the server.
#include <fmt/format.h>

#include <algorithm>

#include "policy/compile/planner.h"
#include "policy/model/names.h"

namespace sallyport::compile {
namespace {

using wire::RuleKind;

bool ends_in(const model::Conduit& conduit, const auto* form) {
  return std::holds_alternative<std::remove_cvref_t<decltype(*form)>>(conduit.to);
}
bool to_segment(const model::Conduit& c) {
  return ends_in(c, static_cast<const model::SegmentEnd*>(nullptr));
}
bool to_device(const model::Conduit& c) {
  return ends_in(c, static_cast<const model::DeviceEnd*>(nullptr));
}

model::Side side_of(const model::Conduit& c) {
  if (c.terminate) return c.terminate->side;
  return to_device(c) ? model::Side::kInbound : model::Side::kOutbound;
}

bool is_inbound_listener(const model::Conduit& c) {
  return c.terminate && c.terminate->side == model::Side::kInbound;
}

std::uint16_t dialled_port(const model::Conduit& c) {
  return is_inbound_listener(c) ? c.terminate->listen_port : c.service.ports.first;
}

}  // namespace

bool Planner::terminable(const Work& work) {
  const model::Conduit& c = work.conduit;
  const auto refuse = [&](const char* code, const std::string& what, std::string hint) {
    error(c, code, what, std::move(hint));
    return false;
  };
  if (work.from.gateway)
    return refuse("terminate-own-traffic", "the gateway's own traffic is not terminated",
                  "remove `terminate` and `inspect`; the gateway's programs speak TLS themselves");
  if (work.to.gateway)
    return refuse("terminate-own-service", "a service of the gateway itself is not terminated",
                  "remove `terminate` and `inspect`, or name the device that serves");
  if (to_segment(c))
    return refuse("terminate-without-server", "`to` is a whole segment, which is no server",
                  "write one device, one address or one name");
  const bool ported =
      c.service.protocol == IpProtocol::kTcp || c.service.protocol == IpProtocol::kUdp;
  if (!ported || c.service.ports.first != c.service.ports.last)
    return refuse("terminate-one-port", "a terminated conduit carries one TCP or UDP port",
                  "write one conduit for each port");
  if (c.inspect.modbus && c.service.protocol != IpProtocol::kTcp)
    return refuse("inspect-protocol", "Modbus is inspected over TCP only", "write `tcp/502`");
  return !c.terminate || check_terminate(c, *c.terminate);
}

bool Planner::check_terminate(const model::Conduit& c, const model::Terminate& t) {
  const auto refuse = [&](const char* code, const std::string& what, std::string hint) {
    error(c, code, what, std::move(hint));
    return false;
  };
  for (const std::string* credential : {&t.client_ca, &t.certificate, &t.server_ca})
    if (!credential->empty() && !model::is_plain_text(*credential, model::kMaxLongName))
      return refuse("bad-credential-name", "a certificate's or CA's name has no valid form",
                    "write the name under which it was stored, 63 characters at most");
  if (t.side == model::Side::kOutbound) {
    if (!model::is_host_name(t.server_name))
      return refuse("terminate-server-name", "the server has no name to verify",
                    "write `server: { name: ..., port: ... }`");
    if (t.server_port == 0)
      return refuse("terminate-server-port", "the server has no port", "write `server: { port }`");
    if (t.server_ca.empty())
      return refuse("terminate-server-ca", "nothing says who may vouch for the server",
                    "write `server-ca: ...`");
    return true;
  }
  if (t.listen_port == 0)
    return refuse("terminate-listen-port", "the listener has no port",
                  "write `listen: { address: gateway, port: ... }`");
  if (t.certificate.empty())
    return refuse("terminate-certificate", "the listener has no certificate",
                  "write `certificate: ...`");
  if (t.client_auth != model::ClientAuth::kNone && t.client_ca.empty())
    return refuse("terminate-client-ca", "clients show certificates but no CA is named",
                  "write `client-ca: ...`");
  if (t.listen_gateway) return true;
  if (!t.listen_address)
    return refuse("terminate-listen-address", "the listener has no address",
                  "write `address: gateway` or an address that clients dial");
  if (!input_.geography.place(to_number(*t.listen_address)).segment)
    return refuse("address-nowhere",
                  fmt::format("{} is in no segment's subnet and no uplink leads there",
                              t.listen_address->to_string()),
                  "correct the address");
  return true;
}

bool Planner::set_server(Work& work, PlannedTermination& termination,
                         const std::vector<IpAddress>& addresses) {
  std::optional<std::size_t> segment;
  for (const IpAddress& address : addresses) {
    const Place place = input_.geography.place(to_number(address));
    if (!place.segment || place.gateway || (segment && *segment != *place.segment)) {
      error(work.conduit, "bad-server",
            fmt::format("{} is not a host of the server's one segment", address.to_string()),
            "write addresses of one server that is not the gateway");
      return false;
    }
    segment = place.segment;
  }
  if (!segment) return false;
  termination.server_segment = *segment;
  termination.server_addresses = addresses;
  return true;
}

void Planner::find_server(Work& work, PlannedTermination& t) {
  const model::Conduit& c = work.conduit;
  t.server_port = c.service.ports.first;
  std::string name;
  std::vector<IpAddress> addresses;
  if (c.terminate && c.terminate->side == model::Side::kOutbound) {
    t.server_port = c.terminate->server_port;
    name = c.terminate->server_name;
    if (c.terminate->server_address) addresses = {*c.terminate->server_address};
  } else if (const auto* device = std::get_if<model::DeviceEnd>(&c.to)) {
    const auto index = find(input_.directory.devices, device->device);
    if (index) addresses = input_.gateway.devices[*index].addresses;
  } else if (const auto* literal = std::get_if<model::AddressEnd>(&c.to)) {
    addresses = literal->addresses;
  } else if (const auto* named = std::get_if<model::NameEnd>(&c.to)) {
    name = named->name;
  }
  t.server_name = name;
  if (!addresses.empty()) {
    if (set_server(work, t, addresses)) work.planned.termination = t;
    return;
  }
  if (name.empty()) return;  // a device without an address, reported as such
  auto route = input_.geography.default_route(IpVersion::k4);
  if (!route) route = input_.geography.default_route(IpVersion::k6);
  if (!route) {
    error(c, "no-uplink", fmt::format("no uplink leads to {}", name),
          "give an uplink a `gateway:`");
    return;
  }
  t.server_segment = *route;
  work.planned.termination = t;
}

AddressSet Planner::virtual_addresses(Work& work, std::size_t segment) {
  const model::Conduit& c = work.conduit;
  const model::Segment& where = input_.gateway.segments[segment];
  if (!work.planned.name_asked.empty() && work.planned.name_segment != segment) {
    error(c, "name-in-two-segments", "clients of two segments ask for one terminated name",
          "write one conduit for each segment");
    return {};
  }
  if ((where.services & model::kDns) == 0)
    report_.warn(c.at, "name-without-resolver",
                 fmt::format("conduit {}: segment {} offers no dns, so nobody answers for {}",
                             c.name, where.name, work.to.name),
                 "add `dns` to the segment's services");
  work.planned.name_asked = work.to.name;
  work.planned.name_segment = segment;
  if (!work.planned.enforced) return {};
  virtual_names_.emplace(std::pair(segment, work.to.name), &c);
  AddressSet out;
  for (const IpVersion version : {IpVersion::k4, IpVersion::k6}) {
    if (input_.geography.own(segment).of_version(version).empty()) continue;
    const auto address = slots_.virtual_address(where.name, work.to.name, version,
                                                virtual_ranges_of(input_.gateway));
    if (!address) {
      error(c, "virtual-range-full",
            fmt::format("no virtual IPv{} address is left", version == IpVersion::k4 ? 4 : 6),
            "set a larger `virtual-range` for both IP versions");
      continue;
    }
    work.planned.virtual_addresses.push_back(*address);
    out = out.unite(AddressSet::of(*address));
  }
  return out;
}

AddressSet Planner::dialled(Work& work, std::size_t segment) {
  const model::Conduit& c = work.conduit;
  if (is_inbound_listener(c))
    return c.terminate->listen_gateway ? input_.geography.own(segment)
                                       : AddressSet::of(*c.terminate->listen_address);
  return work.to.name.empty() ? work.to.everything() : virtual_addresses(work, segment);
}

// Two conduits that claim the same (segment, address, port) are an error when one of them is a
// listener of the gateway's; of two that devices dial, disjoint clients tell which is meant.
void Planner::claim_listener(const Work& work, std::size_t segment, const AddressSet& addresses,
                             std::uint16_t port) {
  if (!work.planned.enforced) return;
  const model::Conduit& c = work.conduit;
  for (const AddressRange& range : addresses.ranges()) {
    for (AddressNumber n = range.first; n <= range.last; ++n) {
      const Place place = input_.geography.place(n);
      if (place.gateway && port >= wire::kFirstListenerPort && port <= wire::kLastListenerPort)
        error(c, "listener-ports",
              fmt::format("ports {} to {} of the gateway are the terminator's",
                          wire::kFirstListenerPort, wire::kLastListenerPort),
              "listen on a port outside that range");
      if (place.gateway && to_address(n).is_v4()) check_nat_ports(c, segment, {port, port});
      const auto [at, fresh] = listeners_.emplace(std::tuple(segment, n, c.service.protocol, port),
                                                  Claim{&c, is_inbound_listener(c)});
      if (fresh || (!at->second.inbound && !is_inbound_listener(c))) continue;
      error(c, "listener-claimed",
            fmt::format("{} port {} in segment {} already belongs to conduit {} (line {})",
                        to_address(n).to_string(), port, input_.gateway.segments[segment].name,
                        at->second.conduit->name, at->second.conduit->at.line),
            "listen on another port or address");
    }
  }
}

void Planner::plan_leg_a(Work& work, const PlannedTermination& t) {
  const std::uint16_t port = dialled_port(work.conduit);
  PlannedRule& rule =
      add_rule(work, RuleKind::Terminate, {{work.conduit.service.protocol, {port, port}}});
  rule.listener_port = t.listener_port;
  for (const auto& [segment, clients] : work.from.hosts) {
    const AddressSet& own = input_.geography.own(segment);
    if (own.empty()) {
      error(work.conduit, "segment-without-address",
            fmt::format("the gateway has no address on segment {}, so nobody can be answered",
                        input_.gateway.segments[segment].name),
            "give the segment an `address`");
      continue;
    }
    const AddressSet target = dialled(work, segment);
    // The rewritten packet needs a host address of its own version.
    for (const IpVersion version : {IpVersion::k4, IpVersion::k6})
      if (!own.of_version(version).empty())
        add_box(rule, clients.of_version(version), target.of_version(version));
    claim_listener(work, segment, target, port);
  }
}

void Planner::plan_leg_b(Work& work, const PlannedTermination& t) {
  PlannedRule& rule = add_rule(work, RuleKind::LegB,
                               {{work.conduit.service.protocol, {t.server_port, t.server_port}}});
  const AddressSet& own = input_.geography.own(t.server_segment);
  if (own.empty()) {
    error(work.conduit, "segment-without-address",
          fmt::format("the gateway has no address on segment {}, so it cannot reach the server",
                      input_.gateway.segments[t.server_segment].name),
          "give the segment an `address`");
    return;
  }
  if (t.server_addresses.empty()) {
    add_named_box(rule, own, t.server_name);
    return;
  }
  AddressSet servers;
  for (const IpAddress& a : t.server_addresses) servers = servers.unite(AddressSet::of(a));
  add_box(rule, own, servers);
}

void Planner::plan_terminated(Work& work) {
  if (!terminable(work)) return;
  const model::Conduit& c = work.conduit;
  PlannedTermination t;
  t.side = side_of(c);
  t.tls_listener = is_inbound_listener(c);
  t.tls_server = c.terminate && c.terminate->side == model::Side::kOutbound;
  for (const auto& [segment, clients] : work.from.hosts) t.listen_segments.push_back(segment);
  if (work.planned.enforced) {
    const auto port = slots_.listener_port(c.name);
    if (!port) {
      error(c, "too-complex", "no listener port is left",
            "apply the removal of other terminated conduits first");
      return;
    }
    t.listener_port = *port;
  }
  find_server(work, t);
  if (!work.planned.termination) return;
  t = *work.planned.termination;
  plan_leg_a(work, t);
  plan_leg_b(work, t);
  check_plaintext(work, !t.tls_listener, !t.tls_server, t.server_segment);
  if (!work.planned.enforced) work.planned.termination.reset();
}

}  // namespace sallyport::compile
