#include "control/app/derived.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/model/model.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

std::string text(const flatbuffers::String* string) { return string ? string->str() : ""; }

std::string member_text(const wire::SnapshotView& snapshot, std::uint16_t port,
                        std::uint16_t vlan) {
  const wire::Port* found = snapshot.port(port);
  const std::string name = found ? found->name()->str() : "?";
  return vlan == 0 ? name : fmt::format("{}.{}", name, vlan);
}

const char* role_text(wire::Role role) {
  switch (role) {
    case wire::Role::Devices:
      return "devices";
    case wire::Role::Uplink:
      return "uplink";
    case wire::Role::Management:
      return "management";
  }
  return "devices";
}

json services_json(std::uint16_t services) {
  json out = json::array();
  if ((services & model::kDhcp) != 0) out.push_back("dhcp");
  if ((services & model::kDns) != 0) out.push_back("dns");
  if ((services & model::kNtp) != 0) out.push_back("ntp");
  if ((services & model::kPing) != 0) out.push_back("ping");
  return out;
}

json segment_json(const wire::SnapshotView& snapshot, const wire::Segment& segment) {
  json members = json::array();
  for (const wire::Member& member : snapshot.members())
    if (member.segment() == segment.slot())
      members.push_back(member_text(snapshot, member.port(), member.vlan()));
  json addresses = json::array();
  for (const wire::InterfaceAddress* address : *segment.addresses())
    addresses.push_back(fmt::format("{}/{}", wire::to_ip(address->address()).to_string(),
                                    address->prefix_length()));
  json gateways = json::array();
  for (const wire::Address* gateway : *segment.gateways())
    gateways.push_back(wire::to_ip(*gateway).to_string());
  return {{"name", segment.name()->str()},
          {"slot", segment.slot()},
          {"role", role_text(segment.role())},
          {"mac", wire::to_mac(*segment.mac()).to_string()},
          {"members", members},
          {"addresses", addresses},
          {"gateways", gateways},
          {"services", services_json(segment.services())},
          {"isolated", segment.isolated()},
          {"napt44", segment.napt44()},
          {"mtu", segment.mtu()}};
}

json device_json(const wire::SnapshotView& snapshot, std::uint32_t slot) {
  const wire::Device& device = snapshot.devices()[slot];
  const wire::Segment* segment = snapshot.segment(device.segment());
  json addresses = json::array();
  for (const wire::Address& address :
       snapshot.device_addresses().subspan(device.first_address(), device.address_count()))
    addresses.push_back(wire::to_ip(address).to_string());
  return {{"name", std::string(snapshot.device_name(slot))},
          {"slot", slot},
          {"segment", segment ? segment->name()->str() : "?"},
          {"port", member_text(snapshot, device.port(), device.vlan())},
          {"mac", wire::to_mac(device.mac()).to_string()},
          {"addresses", addresses}};
}

json conduit_json(const wire::Conduit& conduit) {
  const wire::Termination* termination = conduit.termination();
  const char* terminated = termination == nullptr                       ? "no"
                           : termination->side() == wire::Side::Inbound ? "inbound"
                                                                        : "outbound";
  return {{"name", conduit.name()->str()},
          {"slot", conduit.slot()},
          {"summary", text(conduit.summary())},
          {"line", conduit.line()},
          {"column", conduit.column()},
          {"in_force", conduit.reviewed()},
          {"terminated", terminated}};
}

// OVSDB's notation: arrays are sets.
json to_row(json object) {
  for (auto& [key, value] : object.items())
    if (value.is_array()) value = json::array({"set", value});
  return object;
}

std::string dhcp_lines(const wire::SnapshotView& snapshot, const wire::Segment& segment) {
  std::string out;
  for (const wire::InterfaceAddress* entry : *segment.addresses()) {
    const IpAddress address = wire::to_ip(entry->address());
    const auto subnet = IpPrefix::make(address, entry->prefix_length());
    if (!subnet || !address.is_v4()) continue;
    // Only enrolled devices get an address, and only their own.
    out += fmt::format("dhcp-range={},static,{},12h\n", subnet->first().to_string(),
                       IpAddress::v4(entry->prefix_length() == 0
                                         ? 0
                                         : ~std::uint32_t{0} << (32 - entry->prefix_length()))
                           .to_string());
  }
  if (!out.empty()) out += "dhcp-authoritative\n";
  for (const wire::Device& device : snapshot.devices()) {
    if (device.valid() == 0 || device.segment() != segment.slot()) continue;
    for (const wire::Address& entry :
         snapshot.device_addresses().subspan(device.first_address(), device.address_count()))
      if (const IpAddress address = wire::to_ip(entry); address.is_v4())
        out += fmt::format("dhcp-host={},{}\n", wire::to_mac(device.mac()).to_string(),
                           address.to_string());
  }
  return out;
}

std::string dns_lines(const wire::SnapshotView& snapshot, const wire::Segment& segment) {
  std::string out;
  for (const wire::Conduit* conduit : *snapshot.root().conduits()) {
    const std::string name = text(conduit->name_asked());
    if (name.empty() || !conduit->reviewed() || conduit->name_segment() != segment.slot()) continue;
    for (const wire::Address* address : *conduit->virtual_addresses())
      out += fmt::format("host-record={},{}\n", name, wire::to_ip(*address).to_string());
  }
  for (const wire::Address* resolver : *snapshot.root().resolvers())
    out += fmt::format("server={}\n", wire::to_ip(*resolver).to_string());
  return out;
}

}  // namespace

std::map<std::string, Rows> derived_tables(const wire::SnapshotView& snapshot) {
  std::map<std::string, Rows> out;
  const std::pair<const char*, const char*> tables[] = {
      {"Port", "ports"}, {"Segment", "segments"}, {"Device", "devices"}, {"Conduit", "conduits"}};
  for (const auto& [table, what] : tables) {
    Rows& rows = out[table];
    for (const json& entry : shown(snapshot, what)) rows[entry["name"]] = to_row(entry);
  }
  return out;
}

json shown(const wire::SnapshotView& snapshot, std::string_view what) {
  json out = json::array();
  if (what == "ports") {
    for (const wire::Port* port : *snapshot.root().ports())
      out.push_back({{"name", port->name()->str()},
                     {"slot", port->slot()},
                     {"device", port->device()->str()}});
  } else if (what == "segments") {
    for (const wire::Segment* segment : *snapshot.root().segments())
      out.push_back(segment_json(snapshot, *segment));
  } else if (what == "devices") {
    for (std::uint32_t slot = 0; slot < snapshot.devices().size(); ++slot)
      if (snapshot.devices()[slot].valid() != 0) out.push_back(device_json(snapshot, slot));
  } else if (what == "conduits") {
    for (const wire::Conduit* conduit : *snapshot.root().conduits())
      out.push_back(conduit_json(*conduit));
  } else {
    return nullptr;
  }
  return out;
}

std::map<std::string, std::string> dnsmasq_configs(const wire::SnapshotView& snapshot) {
  std::map<std::string, std::string> out;
  for (const wire::Segment* segment : *snapshot.root().segments()) {
    const bool dns = (segment->services() & model::kDns) != 0;
    const bool dhcp = (segment->services() & model::kDhcp) != 0;
    if (!dns && !dhcp) continue;
    std::string text = fmt::format(
        "# Segment {}, revision {}: written by sallyport-control at each change.\n"
        "interface=tap0\nbind-dynamic\nexcept-interface=lo\nno-resolv\nno-hosts\nno-poll\n",
        segment->name()->str(), snapshot.revision());
    if (!dns) text += "port=0\n";
    if (dns) text += dns_lines(snapshot, *segment);
    if (dhcp) text += dhcp_lines(snapshot, *segment);
    out[segment->name()->str()] = std::move(text);
  }
  return out;
}

}  // namespace sallyport::control
