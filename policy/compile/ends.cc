#include "policy/compile/ends.h"

#include <fmt/format.h>

#include "policy/model/names.h"

namespace sallyport::compile {
namespace {

// Dispatches over the four forms of an end.
class Resolver {
 public:
  Resolver(const PlanInput& input, const model::Conduit& conduit, std::string_view which,
           Report& report)
      : input_(input), conduit_(conduit), which_(which), report_(report) {}

  std::optional<ResolvedEnd> operator()(const model::DeviceEnd& end) {
    ResolvedEnd out;
    if (end.device == model::kGatewayName) {
      out.gateway = true;
      return out;
    }
    const auto index = find(input_.directory.devices, end.device);
    if (!index)
      return wrong("unknown-device", fmt::format("there is no device {}", end.device),
                   suggest(input_.directory.devices, end.device));
    const model::Device& device = input_.gateway.devices[*index];
    const auto segment = find(input_.directory.segments, device.segment);
    if (!segment) return std::nullopt;  // reported with the device
    AddressSet addresses;
    for (const IpAddress& a : device.addresses) addresses = addresses.unite(AddressSet::of(a));
    if (addresses.empty())
      report_.warn(conduit_.at, "device-without-address",
                   fmt::format("conduit {}: device {} has no address, so nothing matches",
                               conduit_.name, device.name));
    out.hosts.emplace(*segment, std::move(addresses));
    return out;
  }

  std::optional<ResolvedEnd> operator()(const model::SegmentEnd& end) {
    const auto segment = find(input_.directory.segments, end.segment);
    if (!segment)
      return wrong("unknown-segment", fmt::format("there is no segment {}", end.segment),
                   suggest(input_.directory.segments, end.segment));
    const AddressSet& all = input_.geography.hosts(*segment);
    ResolvedEnd out;
    if (end.prefixes.empty()) {
      out.hosts.emplace(*segment, all);
      return out;
    }
    AddressSet chosen;
    for (const IpPrefix& prefix : end.prefixes) {
      const AddressSet part = AddressSet::of(prefix).intersect(all);
      if (part.empty())
        return wrong("prefix-off-segment",
                     fmt::format("no host of segment {} is in {}", end.segment, prefix.to_string()),
                     "write addresses of that segment, or another segment");
      chosen = chosen.unite(part);
    }
    out.hosts.emplace(*segment, std::move(chosen));
    return out;
  }

  std::optional<ResolvedEnd> operator()(const model::AddressEnd& end) {
    ResolvedEnd out;
    if (end.addresses.empty())
      return wrong("no-address", "no address is given", "write at least one address");
    for (const IpAddress& address : end.addresses) {
      const Place place = input_.geography.place(to_number(address));
      if (!place.segment)
        return wrong("address-nowhere",
                     fmt::format("{} is in no segment's subnet and no uplink leads there",
                                 address.to_string()),
                     "correct the address, or give an uplink a `gateway:` for its IP version");
      AddressSet& set = (place.gateway ? out.own : out.hosts)[*place.segment];
      set = set.unite(AddressSet::of(address));
    }
    return out;
  }

  std::optional<ResolvedEnd> operator()(const model::NameEnd& end) {
    if (which_ == "from")
      return wrong(
          "name-as-source", fmt::format("{} is a DNS name", end.name),
          "sources are devices, segments or addresses; a name says nothing about a source");
    if (!model::is_host_name(end.name))
      return wrong("bad-host-name", fmt::format("\"{}\" is no DNS name", end.name),
                   "write lower-case labels separated by dots, or `address:` for an address");
    ResolvedEnd out;
    out.name = end.name;
    return out;
  }

 private:
  std::optional<ResolvedEnd> wrong(const char* code, const std::string& what, std::string hint) {
    report_.error(conduit_.at, code,
                  fmt::format("conduit {}: `{}`: {}", conduit_.name, which_, what),
                  std::move(hint));
    return std::nullopt;
  }

  const PlanInput& input_;
  const model::Conduit& conduit_;
  std::string_view which_;
  Report& report_;
};

constexpr std::size_t kShown = 4;

template <class List>
std::string joined(const List& list) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& item : list) {
    if (shown == kShown) return fmt::format("{} and {} more", out, list.size() - kShown);
    if (shown++ > 0) out += ", ";
    out += item.to_string();
  }
  return out;
}

struct EndText {
  std::string operator()(const model::DeviceEnd& e) const { return e.device; }
  std::string operator()(const model::SegmentEnd& e) const {
    return e.prefixes.empty() ? e.segment : fmt::format("{} {}", e.segment, joined(e.prefixes));
  }
  std::string operator()(const model::AddressEnd& e) const { return joined(e.addresses); }
  std::string operator()(const model::NameEnd& e) const { return e.name; }
};

std::string service_text(const model::ServiceSpec& service) {
  if (service.protocol == IpProtocol::kIcmp || service.protocol == IpProtocol::kIcmp6)
    return "icmp-echo";
  const std::string_view protocol = to_string(service.protocol);
  return service.ports.first == service.ports.last
             ? fmt::format("{}/{}", protocol, service.ports.first)
             : fmt::format("{}/{}-{}", protocol, service.ports.first, service.ports.last);
}

}  // namespace

AddressSet ResolvedEnd::all_hosts() const {
  AddressSet out;
  for (const auto& [segment, set] : hosts) out = out.unite(set);
  return out;
}
AddressSet ResolvedEnd::everything() const {
  AddressSet out = all_hosts();
  for (const auto& [segment, set] : own) out = out.unite(set);
  return out;
}

std::optional<ResolvedEnd> resolve(const PlanInput& input, const model::Conduit& conduit,
                                   const model::End& end, std::string_view which, Report& report) {
  return std::visit(Resolver(input, conduit, which, report), end);
}

std::string summary_of(const model::Conduit& conduit) {
  return fmt::format("{} -> {} {}", std::visit(EndText{}, conduit.from),
                     std::visit(EndText{}, conduit.to), service_text(conduit.service));
}

}  // namespace sallyport::compile
