// Both legs of terminated and relayed conduits as the model describes them, and what the terminator
// must be told. docs/design/0002-compiled-policy.md says what the legs mean.
#include <algorithm>

#include "policy/prove/described.h"

namespace sallyport::prove {
namespace {

using wire::RuleKind;

constexpr std::size_t kMaxResolvers = 16;

bool is_side(const model::Conduit& c, model::Side side) {
  return c.terminate.has_value() && c.terminate->side == side;
}

}  // namespace

void Described::describe_terminated(const model::Conduit& c, const EndRanges& from,
                                    const EndRanges& to) {
  auto told = server_of(c, to);
  if (!told) return;  // nobody is let in to a server that has no address
  for (const auto& [segment, part] : from.by_segment) told->listen_segments.insert(segment->name);
  describe_leg_a(c, from, to);
  describe_leg_b(c, *told);
  terminations_.emplace(&c, *std::move(told));
}

// Which server, and from whose host stack it is reached.
std::optional<DescribedTermination> Described::server_of(const model::Conduit& c,
                                                         const EndRanges& to) const {
  DescribedTermination out;
  out.server_port = c.service.ports.first;
  if (is_side(c, model::Side::kOutbound)) {
    out.server_port = c.terminate->server_port;
    out.server_name = c.terminate->server_name;
    if (c.terminate->server_address) out.server_addresses = {*c.terminate->server_address};
  } else if (const auto* device = std::get_if<model::DeviceEnd>(&c.to)) {
    out.server_addresses = device_names_.at(device->device)->addresses;
  } else if (const auto* literal = std::get_if<model::AddressEnd>(&c.to)) {
    out.server_addresses = literal->addresses;
  } else {
    out.server_name = to.name;
  }
  const model::Segment* where = nullptr;
  if (!out.server_addresses.empty()) {
    where = segment_of(number_of(out.server_addresses.front()));
  } else if (!out.server_name.empty()) {
    where = route(IpVersion::k4);
    if (where == nullptr) where = route(IpVersion::k6);
  }
  if (where == nullptr) return std::nullopt;
  out.server_segment = where->name;
  return out;
}

void Described::describe_leg_a(const model::Conduit& c, const EndRanges& from,
                               const EndRanges& to) {
  const bool listens = is_side(c, model::Side::kInbound);
  for (const auto& [segment, clients] : from.by_segment) {
    if (!own_.contains(segment)) continue;
    Ranges dialled;
    if (listens) {
      dialled =
          c.terminate->listen_gateway ? own_.at(segment) : single(*c.terminate->listen_address);
    } else if (!to.name.empty()) {
      const auto at = virtual_.find({segment->name, to.name});
      if (at != virtual_.end()) dialled = at->second;
    } else {
      for (const auto& [where, part] : to.by_segment) dialled = sum(dialled, part);
      for (const auto& [where, part] : to.gateway) dialled = sum(dialled, part);
    }
    for (const IpVersion v : {IpVersion::k4, IpVersion::k6})
      if (!of_version(own_.at(segment), v).empty())
        add(c, RuleKind::Terminate, of_version(clients, v), of_version(dialled, v), {},
            listens ? c.terminate->listen_port : 0);
  }
}

void Described::describe_leg_b(const model::Conduit& c, const DescribedTermination& told) {
  const auto own = own_.find(segment_names_.at(told.server_segment));
  if (own == own_.end()) return;
  Ranges servers;
  for (const IpAddress& a : told.server_addresses) servers = sum(servers, single(a));
  const std::string name = servers.empty() ? told.server_name : std::string();
  add(c, RuleKind::LegB, own->second, servers, name, told.server_port);
}

// A name that clients ask for, in whichever segment they are.
std::optional<std::pair<std::string, std::string>> Described::question(
    const model::Conduit& c) const {
  const auto* name = std::get_if<model::NameEnd>(&c.to);
  const bool dials = c.inspect.modbus || c.terminate;
  if (name == nullptr || !dials || is_side(c, model::Side::kInbound) || !enforced(c))
    return std::nullopt;
  for (const auto& [segment, part] : end(c.from).by_segment)
    if (own_.contains(segment)) return std::pair(segment->name, name->name);
  return std::nullopt;
}

// Whom the terminator may ask is whom the gateway has a conduit to.
void Described::note_resolvers(const model::Conduit& c, const EndRanges& to) {
  const bool ported =
      c.service.protocol == IpProtocol::kTcp || c.service.protocol == IpProtocol::kUdp;
  if (!ported || !c.service.ports.contains(53)) return;
  for (const auto& [segment, part] : to.by_segment)
    for (const Range& range : part)
      for (Number n = range.first; n <= range.second && resolvers_.size() < kMaxResolvers; ++n) {
        const IpAddress address = address_of(n);
        if (std::find(resolvers_.begin(), resolvers_.end(), address) == resolvers_.end())
          resolvers_.push_back(address);
      }
}

}  // namespace sallyport::prove
