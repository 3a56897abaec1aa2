#include "control/reconcile/host_plan.h"

#include <algorithm>

namespace sallyport::control {
namespace {

using wire::SetupOp;
using wire::SetupRequest;

constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ without its NUL

SetupRequest address_request(SetupOp op, std::string_view name, const IpAddress& address,
                             std::uint8_t length) {
  SetupRequest request = setup_request(op, name);
  request.address = address.bytes();
  request.prefix_length = length;
  return request;
}

SetupRequest neighbour_request(SetupOp op, std::string_view name, const IpAddress& address,
                               const MacAddress& mac) {
  SetupRequest request = address_request(op, name, address, 0);
  // A deletion names the address alone; setup refuses fields that it does not read.
  if (op == SetupOp::kNeighbourSet) request.mac = mac.bytes();
  return request;
}

void add_stack(const std::string& name, const HostStack* from, const HostStack& to,
               std::vector<SetupRequest>& out) {
  if (from == nullptr || from->mac != to.mac) {
    SetupRequest create = setup_request(SetupOp::kSegmentCreate, name);
    create.mac = to.mac.bytes();
    out.push_back(create);
  }
  // One that was there before control came may have any.
  if (from == nullptr || from->mtu != to.mtu) {
    SetupRequest mtu = setup_request(SetupOp::kMtuSet, name);
    mtu.value = to.mtu;
    out.push_back(mtu);
  }
  for (const auto& [address, length] : to.addresses) {
    if (from != nullptr) {
      const auto had = from->addresses.find(address);
      if (had != from->addresses.end() && had->second == length) continue;
      if (had != from->addresses.end())
        out.push_back(address_request(SetupOp::kAddressDelete, name, address, had->second));
    }
    out.push_back(address_request(SetupOp::kAddressAdd, name, address, length));
  }
  for (const auto& [address, mac] : to.neighbours) {
    if (from != nullptr) {
      const auto had = from->neighbours.find(address);
      if (had != from->neighbours.end() && had->second == mac) continue;
    }
    out.push_back(neighbour_request(SetupOp::kNeighbourSet, name, address, mac));
  }
  for (const IpAddress& router : to.routers)
    if (from == nullptr || !from->routers.contains(router))
      out.push_back(address_request(SetupOp::kRouteDefaultSet, name, router, 0));
}

void remove_from_stack(const std::string& name, const HostStack& from, const HostStack& to,
                       std::vector<SetupRequest>& out) {
  for (const IpAddress& router : from.routers) {
    // Setting a family's default route replaced the old one; only its disappearance is a removal.
    const bool replaced = std::any_of(to.routers.begin(), to.routers.end(), [&](const auto& other) {
      return other.is_v4() == router.is_v4();
    });
    if (!replaced) out.push_back(address_request(SetupOp::kRouteDefaultDelete, name, router, 0));
  }
  for (const auto& [address, mac] : from.neighbours)
    if (!to.neighbours.contains(address))
      out.push_back(neighbour_request(SetupOp::kNeighbourDelete, name, address, mac));
  for (const auto& [address, length] : from.addresses)
    if (!to.addresses.contains(address))
      out.push_back(address_request(SetupOp::kAddressDelete, name, address, length));
}

}  // namespace

SetupRequest setup_request(SetupOp op, std::string_view name) {
  SetupRequest request;
  request.op = op;
  std::copy_n(name.begin(), std::min(name.size(), request.name.size() - 1), request.name.begin());
  return request;
}

std::string kernel_interface(std::string_view device) {
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string_view::npos) return {};
  std::string_view name = device.substr(at + kKey.size());
  name = name.substr(0, name.find(','));
  const bool fine = !name.empty() && name.size() <= kMaxInterfaceName && name != "." &&
                    name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                    });
  return fine ? std::string(name) : std::string();
}

HostPlan host_plan(const wire::SnapshotView& snapshot) {
  HostPlan plan;
  std::map<std::uint16_t, HostStack*> by_slot;
  for (const wire::Segment* segment : *snapshot.root().segments()) {
    HostStack& stack = plan.stacks[segment->name()->str()];
    stack.slot = segment->slot();
    stack.mac = wire::to_mac(*segment->mac());
    stack.mtu = segment->mtu();
    for (const wire::InterfaceAddress* address : *segment->addresses())
      stack.addresses[wire::to_ip(address->address())] = address->prefix_length();
    for (const wire::Address* router : *segment->gateways())
      stack.routers.insert(wire::to_ip(*router));
    by_slot[segment->slot()] = &stack;
  }
  for (const wire::Device& device : snapshot.devices()) {
    const auto stack = by_slot.find(device.segment());
    if (device.valid() == 0 || stack == by_slot.end()) continue;
    const MacAddress mac = wire::to_mac(device.mac());
    const auto addresses =
        snapshot.device_addresses().subspan(device.first_address(), device.address_count());
    for (const wire::Address& entry : addresses) {
      const IpAddress address = wire::to_ip(entry);
      stack->second->neighbours[address] = mac;
      // A device with an IPv6 address also speaks from its link-local one (design.md §4).
      if (!address.is_v4()) stack->second->neighbours[mac.link_local()] = mac;
    }
  }
  for (const wire::Port* port : *snapshot.root().ports())
    if (std::string name = kernel_interface(port->device()->str()); !name.empty())
      plan.interfaces.insert(std::move(name));
  return plan;
}

std::vector<SetupRequest> additions(const HostPlan& from, const HostPlan& to) {
  std::vector<SetupRequest> out;
  for (const auto& [name, stack] : to.stacks) {
    const auto had = from.stacks.find(name);
    add_stack(name, had == from.stacks.end() ? nullptr : &had->second, stack, out);
  }
  for (const std::string& name : to.interfaces)
    if (!from.interfaces.contains(name)) out.push_back(setup_request(SetupOp::kPortTake, name));
  return out;
}

std::vector<SetupRequest> removals(const HostPlan& from, const HostPlan& to) {
  std::vector<SetupRequest> out;
  for (const auto& [name, stack] : from.stacks) {
    const auto kept = to.stacks.find(name);
    if (kept == to.stacks.end()) {
      out.push_back(setup_request(SetupOp::kSegmentDelete, name));
    } else {
      remove_from_stack(name, stack, kept->second, out);
    }
  }
  for (const std::string& name : from.interfaces) {
    if (to.interfaces.contains(name)) continue;
    out.push_back(setup_request(SetupOp::kPortDown, name));
    out.push_back(setup_request(SetupOp::kPortRelease, name));
  }
  return out;
}

}  // namespace sallyport::control
