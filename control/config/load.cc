#include "control/config/load.h"

#include <fmt/format.h>

#include "control/config/conduits.h"
#include "control/config/fields.h"
#include "control/config/review.h"
#include "control/config/tree.h"
#include "control/config/values.h"
#include "policy/base/mtu.h"
#include "policy/model/names.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxDeviceText = 200;

std::string label(const Fields& fields, std::string_view key) {
  return fmt::format("{}: '{}'", fields.what(), key);
}

model::Port read_port(const std::string& name, model::Position at, const Node& node,
                      Problems& problems) {
  model::Port out{name, {}, at};
  Fields fields(node, "port " + quote(name), {"device"}, problems);
  constexpr std::string_view kHint = "\"0000:01:00.0\" or \"net_af_xdp0,iface=eth1\"";
  out.device = fields.word("device", fields.usable(), kHint).value_or("");
  if (!out.device.empty() && !model::is_plain_text(out.device, kMaxDeviceText))
    problems.add(fields.at("device"), "bad-device",
                 label(fields, "device") + " is no PCI address and no DPDK device arguments",
                 std::string(kHint));
  return out;
}

std::uint16_t read_services(Fields& fields) {
  constexpr std::string_view kWords[] = {"dhcp", "dns", "ntp", "ping"};
  constexpr model::Service kBits[] = {model::kDhcp, model::kDns, model::kNtp, model::kPing};
  unsigned services = 0;
  for (const Node* item : fields.list("services")) {
    const auto text = scalar(*item, label(fields, "services"), "dns", fields.problems());
    if (!text) continue;
    unsigned bit = 0;
    for (std::size_t i = 0; i < std::size(kWords); ++i)
      if (*text == kWords[i]) bit = kBits[i];
    if (bit == 0)
      fields.problems().add(
          item->at, "unknown-service",
          fmt::format("{}: the gateway has no service '{}'", fields.what(), quote(*text)),
          "dhcp, dns, ntp or ping");
    services |= bit;
  }
  return static_cast<std::uint16_t>(services);
}

model::Segment read_segment(const std::string& name, model::Position at, const Node& node,
                            Problems& problems) {
  model::Segment out;
  out.name = name;
  out.at = at;
  Fields fields(
      node, "segment " + quote(name),
      {"ports", "role", "address", "gateway", "services", "mac", "isolated", "napt44", "mtu"},
      problems);
  if (!fields.usable()) return out;
  // Its namespace would be the one that holds the ports.
  if (name == "ports")
    problems.add(at, "reserved-name", "no segment can be called 'ports'", "another name");
  fields.require("ports", "[lan1]");
  for (const Node* item : fields.list("ports"))
    if (auto member = read_member(*item, label(fields, "ports"), problems))
      out.members.push_back(std::move(*member));
  if (const auto role = fields.choice("role", {"devices", "uplink", "management"}))
    out.role = static_cast<model::Role>(*role);
  fields.require("address", "[10.20.0.1/24, \"fd00:20::1/64\"]");
  for (const Node* item : fields.list("address"))
    if (const auto address = read_interface(*item, label(fields, "address"), problems))
      out.addresses.push_back(*address);
  for (const Node* item : fields.list("gateway"))
    if (const auto address = read_address(*item, label(fields, "gateway"), problems))
      out.gateways.push_back(*address);
  out.services = read_services(fields);
  if (const Node* mac = fields.find("mac"))
    out.mac = read_mac(*mac, label(fields, "mac"), problems);
  out.isolated = fields.yes_no("isolated").value_or(false);
  out.napt44 = fields.yes_no("napt44").value_or(false);
  out.mtu = static_cast<std::uint16_t>(
      fields.number("mtu", kLeastMtu, kMostMtu, "mtu: 1400, in bytes of IP").value_or(kMostMtu));
  return out;
}

model::Device read_device(const std::string& name, model::Position at, const Node& node,
                          Problems& problems) {
  model::Device out;
  out.name = name;
  out.at = at;
  Fields fields(node, "device " + quote(name), {"segment", "port", "mac", "address", "slaac"},
                problems);
  if (!fields.usable()) return out;
  if (name == model::kGatewayName)
    problems.add(at, "reserved-name", "'gateway' is the gateway itself, not a device",
                 "another name");
  out.segment = fields.word("segment", true, "the name of a segment").value_or("");
  if (const Node* port = fields.require("port", "lan1"))
    out.where = read_member(*port, label(fields, "port"), problems).value_or(model::Member{});
  if (const Node* mac = fields.require("mac", "\"02:00:00:00:20:05\""))
    out.mac = read_mac(*mac, label(fields, "mac"), problems).value_or(MacAddress{});
  fields.require("address", "[10.20.0.5]");
  for (const Node* item : fields.list("address"))
    if (const auto address = read_address(*item, label(fields, "address"), problems))
      out.addresses.push_back(*address);
  out.slaac_follow = fields.choice("slaac", {"follow", "off"}) == std::optional<std::size_t>(0);
  return out;
}

// Each entry of one of the four sections, with its name checked.
template <class T, class Read>
void read_section(Fields& top, std::string_view key, std::string_view one, std::size_t max_name,
                  Read read, std::vector<T>& out) {
  const Node* section = top.find(key);
  if (section == nullptr || section->kind == NodeKind::kNull) return;
  if (section->kind != NodeKind::kMapping) {
    top.problems().add(section->at, "wrong-type", fmt::format("'{}' is not a mapping", key),
                       fmt::format("{}: one line per {}, 'name: {{ ... }}'", key, one));
    return;
  }
  for (std::size_t i = 0; i < section->items.size(); ++i) {
    const auto& [name, at] = section->keys[i];
    if (!check_name(name, max_name, one, at, top.problems())) continue;
    out.push_back(read(name, at, section->items[i], top.problems()));
  }
}

std::vector<IpPrefix> read_virtual_ranges(Fields& top) {
  std::vector<IpPrefix> out;
  for (const Node* item : top.list("virtual-range"))
    if (const auto prefix = read_prefix(*item, "'virtual-range'", top.problems()))
      out.push_back(*prefix);
  if (top.find("virtual-range") != nullptr) return out;
  // RFC 2544's benchmarking range: routed nowhere, so no real server can hide behind it.
  for (const std::string_view text : {"198.18.0.0/15", "fd53:414c:4c59::/64"})
    out.push_back(*IpPrefix::parse(text));
  return out;
}

}  // namespace

std::expected<model::Gateway, model::Diagnostics> load_config(std::string_view text) {
  Problems problems;
  model::Gateway out;
  const auto tree = parse_tree(text, problems);
  if (tree) {
    Fields top(*tree, "the configuration",
               {"version", "ports", "segments", "devices", "conduits", "virtual-range", "control"},
               problems);
    if (top.usable()) {
      top.require("version", "1");
      top.number("version", 1, 1, "1");
      top.require("ports", "{ lan1: { device: \"net_af_xdp0,iface=eth1\" } }");
      top.require("segments", "{ field: { ports: [lan1], address: [10.20.0.1/24] } }");
      read_section(top, "ports", "port", model::kMaxShortName, read_port, out.ports);
      read_section(top, "segments", "segment", model::kMaxShortName, read_segment, out.segments);
      read_section(top, "devices", "device", model::kMaxLongName, read_device, out.devices);
      read_section(top, "conduits", "conduit", model::kMaxLongName, read_conduit, out.conduits);
      out.virtual_ranges = read_virtual_ranges(top);
      if (const Node* node = top.find("control")) out.review_rules = read_control(*node, problems);
    }
  } else if (problems.empty()) {
    problems.add({1, 1}, "empty-file", "the file says nothing", "version: 1");
  }
  if (!problems.empty()) return std::unexpected(problems.take());
  return out;
}

}  // namespace sallyport::control
