#include "policy/compile/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "policy/base/mtu.h"
#include "policy/compile/geography.h"
#include "policy/model/names.h"
#include "policy/wire/tables.h"

namespace sallyport::compile {
namespace {

// The one MAC with which the dataplane answers host stacks (design note 0001).
constexpr MacAddress kWireBehindTaps({0x02, 0x53, 0x50, 0x00, 0x00, 0x01});

template <class Part>
std::map<std::string_view, std::size_t> index_names(const char* what,
                                                    const std::vector<Part>& parts,
                                                    std::size_t max_name, std::size_t bound,
                                                    Report& report) {
  std::map<std::string_view, std::size_t> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    if (!model::is_name(part.name, max_name))
      report.error(part.at, "bad-name", fmt::format("\"{}\" is no name of a {}", part.name, what),
                   fmt::format("write a lower-case letter, then letters, digits and hyphens, "
                               "{} characters at most",
                               max_name));
    const auto [at, fresh] = out.emplace(part.name, i);
    if (!fresh)
      report.error(part.at, "duplicate-name",
                   fmt::format("{} {} is already defined in line {}", what, part.name,
                               parts[at->second].at.line),
                   "give one of the two another name");
  }
  if (parts.size() > bound)
    report.error({}, "too-complex",
                 fmt::format("{} {}s are more than the {} that fit", parts.size(), what, bound),
                 "divide the plant between several gateways");
  return out;
}

// Neither the network nor the broadcast address of an IPv4 subnet (RFC 1122 §3.2.1.3, RFC 3021).
bool usable_in(const IpPrefix& subnet, const IpAddress& address) {
  if (!subnet.contains(address)) return false;
  if (!address.is_v4() || subnet.length() >= 31) return true;
  return address != subnet.first() && address != subnet.last();
}

void check_napt44(const model::Segment& segment, Report& report) {
  if (!segment.napt44) return;
  if (segment.role != model::Role::kUplink)
    report.error(segment.at, "nat-inside",
                 fmt::format("segment {} has `napt44:` but is no uplink", segment.name),
                 "remove `napt44:` or write `role: uplink`");
  if (std::none_of(segment.addresses.begin(), segment.addresses.end(),
                   [](const auto& a) { return a.address.is_v4(); }))
    report.error(
        segment.at, "nat-without-address",
        fmt::format("segment {} has `napt44:` and no IPv4 address to leave by", segment.name),
        "add an IPv4 address to `address:`, or remove `napt44:`");
}

void check_addresses(const model::Segment& segment, Report& report) {
  if (segment.addresses.size() > wire::kMaxAddressesPerSegment)
    report.error(segment.at, "too-complex",
                 fmt::format("segment {} has {} addresses", segment.name, segment.addresses.size()),
                 fmt::format("at most {} fit", wire::kMaxAddressesPerSegment));
  for (const model::InterfaceAddress& a : segment.addresses) {
    if (!is_routable(a.address) || !usable_in(a.subnet, a.address) || a.subnet.length() == 0)
      report.error(segment.at, "bad-address",
                   fmt::format("segment {}: the gateway cannot have {} in {}", segment.name,
                               a.address.to_string(), a.subnet.to_string()),
                   "write a host's address with its subnet's length: 10.20.0.1/24");
  }
  if (!segment.gateways.empty() && segment.role != model::Role::kUplink)
    report.error(segment.at, "next-hop-inside",
                 fmt::format("segment {} has a next hop but is no uplink", segment.name),
                 "remove `gateway:` or write `role: uplink`");
  check_napt44(segment, report);
  if (segment.mtu < kLeastMtu || segment.mtu > kMostMtu)
    report.error(segment.at, "bad-mtu",
                 fmt::format("segment {}: an MTU of {} is not within {} to {}", segment.name,
                             segment.mtu, kLeastMtu, kMostMtu),
                 "write `mtu: 1400`, in bytes of IP, or leave it out");
  unsigned versions[2] = {0, 0};
  for (const IpAddress& g : segment.gateways) {
    const bool reachable =
        std::any_of(segment.addresses.begin(), segment.addresses.end(),
                    [&](const auto& a) { return usable_in(a.subnet, g) && a.address != g; });
    if (!reachable)
      report.error(segment.at, "bad-next-hop",
                   fmt::format("segment {}: next hop {} is no neighbour of the gateway",
                               segment.name, g.to_string()),
                   "write an address of the uplink's own subnet other than the gateway's");
    if (++versions[g.is_v4() ? 0 : 1] == 2)
      report.error(segment.at, "bad-next-hop",
                   fmt::format("segment {} has two next hops of one IP version", segment.name),
                   "keep one for IPv4 and one for IPv6");
  }
}

struct Claim {
  const model::Segment* segment;
  IpPrefix subnet;
};

void check_subnets(const model::Gateway& gateway, Report& report) {
  std::vector<Claim> claims;
  std::set<IpAddress> own;
  const model::Segment* routes[2] = {nullptr, nullptr};
  for (const model::Segment& segment : gateway.segments) {
    for (const model::InterfaceAddress& a : segment.addresses) {
      if (!own.insert(a.address).second)
        report.error(segment.at, "duplicate-address",
                     fmt::format("{} is the gateway's address twice", a.address.to_string()),
                     "write each address once");
      for (const Claim& other : claims) {
        // One segment may have several addresses in one subnet.
        if (!other.subnet.overlaps(a.subnet) ||
            (other.segment == &segment && other.subnet == a.subnet))
          continue;
        report.error(segment.at, "subnet-overlap",
                     fmt::format("{} of segment {} overlaps {} of segment {} (line {})",
                                 a.subnet.to_string(), segment.name, other.subnet.to_string(),
                                 other.segment->name, other.segment->at.line),
                     "give each segment a subnet of its own");
      }
      claims.push_back({&segment, a.subnet});
    }
    for (const IpAddress& g : segment.gateways) {
      const model::Segment*& route = routes[g.is_v4() ? 0 : 1];
      if (route != nullptr && route != &segment)
        report.error(segment.at, "two-default-routes",
                     fmt::format("segments {} and {} (line {}) both lead everywhere", segment.name,
                                 route->name, route->at.line),
                     "keep `gateway:` on one uplink for each IP version");
      route = &segment;
    }
  }
  const auto mapping = std::count_if(gateway.segments.begin(), gateway.segments.end(),
                                     [](const auto& segment) { return segment.napt44; });
  if (std::cmp_greater(mapping, wire::kMaxNatUplinks))
    report.error(gateway.segments.front().at, "too-complex",
                 fmt::format("{} uplinks have `napt44:`", mapping),
                 fmt::format("at most {} fit", wire::kMaxNatUplinks));
  for (const IpPrefix& range : virtual_ranges_of(gateway))
    for (const Claim& claim : claims)
      if (claim.subnet.overlaps(range))
        report.error(claim.segment->at, "virtual-range-overlap",
                     fmt::format("{} of segment {} overlaps the virtual range {}",
                                 claim.subnet.to_string(), claim.segment->name, range.to_string()),
                     "set `virtual-range` to addresses that no host has");
}

void check_members(const model::Gateway& gateway, const Directory& directory, Report& report) {
  std::map<std::pair<std::string_view, std::uint16_t>, const model::Segment*> seen;
  std::size_t count = 0;
  for (const model::Segment& segment : gateway.segments) {
    for (const model::Member& member : segment.members) {
      ++count;
      if (!directory.ports.contains(member.port))
        report.error(segment.at, "unknown-port",
                     fmt::format("segment {}: there is no port {}", segment.name, member.port),
                     suggest(directory.ports, member.port));
      if (member.vlan > 4094)
        report.error(segment.at, "bad-vlan",
                     fmt::format("segment {}: VLAN {} does not exist", segment.name, member.vlan),
                     "write 1 to 4094, or no VLAN for untagged frames");
      const auto [at, fresh] = seen.emplace(
          std::pair<std::string_view, std::uint16_t>(member.port, member.vlan), &segment);
      if (!fresh)
        report.error(segment.at, "port-in-two-segments",
                     fmt::format("port {} VLAN {} already belongs to segment {} (line {})",
                                 member.port, member.vlan, at->second->name, at->second->at.line),
                     "separate the two by VLAN or by port");
    }
  }
  if (count > wire::kMaxMembers)
    report.error({}, "too-complex", fmt::format("{} port memberships", count),
                 fmt::format("at most {} fit", wire::kMaxMembers));
}

void check_place(const model::Device& device, const model::Segment& segment, Report& report) {
  if (segment.role == model::Role::kUplink)
    report.error(device.at, "device-on-uplink",
                 fmt::format("device {} is enrolled on uplink {}", device.name, segment.name),
                 "write the host as `{ segment: ..., source: [...] }` or `{ address: ... }` in the "
                 "conduit instead");
  if (std::find(segment.members.begin(), segment.members.end(), device.where) ==
      segment.members.end())
    report.error(device.at, "device-off-segment",
                 fmt::format("device {}: port {} VLAN {} is not of segment {}", device.name,
                             device.where.port, device.where.vlan, segment.name),
                 "name a port (and VLAN) that the segment lists");
}

using Owners = std::map<IpAddress, std::string>;

void check_device_addresses(const model::Device& device, const model::Segment& segment,
                            Owners& owners, Report& report) {
  if (device.addresses.size() > wire::kMaxAddressesPerDevice)
    report.error(device.at, "too-complex",
                 fmt::format("device {} has {} addresses", device.name, device.addresses.size()),
                 fmt::format("at most {} fit", wire::kMaxAddressesPerDevice));
  for (const IpAddress& address : device.addresses) {
    const bool inside = is_routable(address) &&
                        std::any_of(segment.addresses.begin(), segment.addresses.end(),
                                    [&](const auto& a) { return usable_in(a.subnet, address); });
    if (!inside)
      report.error(device.at, "address-off-subnet",
                   fmt::format("device {}: {} is no host's address in segment {}", device.name,
                               address.to_string(), segment.name),
                   segment.addresses.empty()
                       ? "give the segment an address with a subnet"
                       : fmt::format("write an address in {}",
                                     segment.addresses.front().subnet.to_string()));
    const auto [at, fresh] = owners.emplace(address, fmt::format("device {}", device.name));
    if (!fresh)
      report.error(device.at, "duplicate-address",
                   fmt::format("device {}: {} already belongs to {}", device.name,
                               address.to_string(), at->second),
                   "give each device an address of its own");
  }
}

void check_devices(const model::Gateway& gateway, const Directory& directory, Report& report) {
  std::map<MacAddress, std::string> macs;
  Owners owners;
  macs.emplace(kWireBehindTaps, "the gateway's own plumbing");
  for (const model::Segment& segment : gateway.segments) {
    if (segment.mac) {
      if (segment.mac->is_group() || segment.mac->is_zero())
        report.error(
            segment.at, "bad-mac",
            fmt::format("segment {}: {} is no host's MAC", segment.name, segment.mac->to_string()),
            "write a unicast MAC, or none: one is derived");
      macs.emplace(*segment.mac, fmt::format("the gateway on segment {}", segment.name));
    }
    for (const model::InterfaceAddress& a : segment.addresses)
      owners.emplace(a.address, fmt::format("the gateway on segment {}", segment.name));
  }
  std::size_t addresses = 0;
  for (const model::Device& device : gateway.devices) {
    addresses += device.addresses.size();
    if (device.name == model::kGatewayName)
      report.error(device.at, "reserved-name", "\"gateway\" is the gateway itself",
                   "give the device another name");
    if (device.mac.is_group() || device.mac.is_zero())
      report.error(
          device.at, "bad-mac",
          fmt::format("device {}: {} is no host's MAC", device.name, device.mac.to_string()),
          "write the MAC on the device's label");
    const auto [at, fresh] = macs.emplace(device.mac, fmt::format("device {}", device.name));
    if (!fresh)
      report.error(device.at, "duplicate-mac",
                   fmt::format("device {}: MAC {} already belongs to {}", device.name,
                               device.mac.to_string(), at->second),
                   "one device has one MAC; enrol it once");
    const auto segment = find(directory.segments, device.segment);
    if (!segment) {
      report.error(device.at, "unknown-segment",
                   fmt::format("device {}: there is no segment {}", device.name, device.segment),
                   suggest(directory.segments, device.segment));
      continue;
    }
    check_place(device, gateway.segments[*segment], report);
    check_device_addresses(device, gateway.segments[*segment], owners, report);
  }
  if (addresses > wire::kMaxDeviceAddresses)
    report.error({}, "too-complex", fmt::format("{} device addresses", addresses),
                 fmt::format("at most {} fit", wire::kMaxDeviceAddresses));
}

// Edit distance with insertions, deletions and substitutions.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string suggest(const std::map<std::string_view, std::size_t>& known, std::string_view wrong) {
  if (known.empty()) return "none is defined yet";
  constexpr std::size_t kShown = 8;
  constexpr std::size_t kCompared = 4096;
  std::string_view best;
  std::size_t best_distance = 3;
  std::size_t compared = 0;
  for (const auto& [name, index] : known) {
    if (++compared > kCompared) break;
    if (name.size() > wrong.size() + 2 || wrong.size() > name.size() + 2) continue;
    if (const std::size_t d = distance(name, wrong); d < best_distance) {
      best = name;
      best_distance = d;
    }
  }
  if (!best.empty()) return fmt::format("did you mean {}?", best);
  std::string out = "known are: ";
  std::size_t shown = 0;
  for (const auto& [name, index] : known) {
    if (shown == kShown) return out + ", ...";
    out += shown++ == 0 ? fmt::format("{}", name) : fmt::format(", {}", name);
  }
  return out;
}

Directory check_parts(const model::Gateway& gateway, Report& report) {
  Directory out;
  out.ports = index_names("port", gateway.ports, model::kMaxShortName, wire::kMaxPorts, report);
  out.segments =
      index_names("segment", gateway.segments, model::kMaxShortName, wire::kMaxSegments, report);
  out.devices =
      index_names("device", gateway.devices, model::kMaxLongName, wire::kMaxDevices, report);
  index_names("conduit", gateway.conduits, model::kMaxLongName, wire::kMaxConduits, report);
  for (const model::Port& port : gateway.ports)
    if (!model::is_plain_text(port.device, 255))
      report.error(port.at, "bad-device",
                   fmt::format("port {}: \"{}\" is no device", port.name, port.device),
                   "write a PCI address (0000:01:00.0) or vdev arguments "
                   "(net_af_packet0,iface=eth1)");
  for (const model::Segment& segment : gateway.segments) check_addresses(segment, report);
  check_subnets(gateway, report);
  check_members(gateway, out, report);
  check_devices(gateway, out, report);
  return out;
}

}  // namespace sallyport::compile
