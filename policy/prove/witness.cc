#include "policy/prove/witness.h"

#include <algorithm>

namespace sallyport::prove {
namespace {

constexpr std::uint16_t kSourcePort = 40000;
constexpr std::uint16_t kAnyPort = 7;  // of a packet that is about its sender only
constexpr std::uint8_t kUdp = 17;

}  // namespace

std::optional<explain::Question> Witnesses::between(JointId source, JointId destination,
                                                    std::uint8_t protocol,
                                                    std::uint16_t port) const {
  const JointClass& from = joint_.sources()[source];
  const JointClass& to = joint_.destinations()[destination];
  explain::Question out;
  out.tuple.protocol = protocol;
  out.tuple.source_port = kSourcePort;
  out.tuple.destination_port = port;
  const auto send = [&](const Example& sender, const IpAddress& target) {
    out.tuple.source = address_of(sender.number);
    out.tuple.destination = target;
    const decide::Location place = classifier_.locate(out.tuple.source);
    out.segment = place.segment;
    out.origin = place.is_gateway() ? decide::Origin::kHostStack : decide::Origin::kWire;
    return out;
  };
  for (const auto& sender : from.examples) {
    if (!sender || !sender->speaks) continue;
    if (!to.name.empty()) {
      out.names = {to.name};
      if (const auto host = some_named_host(from.compiled, protocol, port, from.v4))
        if (const auto target = apart(address_of(sender->number), *host))
          return send(*sender, *target);
      continue;
    }
    const decide::Decision decision =
        classifier_.decide(from.compiled, to.compiled, protocol, port);
    for (const auto& target : to.examples) {
      if (!target) continue;
      const bool itself = sender->device < wire::kGatewayHost && sender->device == target->device;
      // What is let through must also arrive: at somebody, or at the terminator.
      const bool lost =
          decision.allowed() && decision.kind() != wire::RuleKind::Terminate && !target->speaks;
      if (itself || lost) continue;
      if (const auto host = apart(address_of(sender->number), address_of(target->number)))
        return send(*sender, *host);
    }
  }
  return std::nullopt;
}

std::optional<IpAddress> Witnesses::apart(const IpAddress& source, const IpAddress& target) const {
  if (source != target) return target;
  const Number next = number_of(target) + 1;
  const bool same = !std::ranges::binary_search(joint_.starts(), next) &&
                    address_of(next).is_v4() == target.is_v4();
  return same ? std::optional(address_of(next)) : std::nullopt;
}

// Some host beyond an uplink stands for what the name will be; one that is denied by its address
// alone, so that the name decides.
std::optional<IpAddress> Witnesses::some_named_host(std::uint32_t source_class,
                                                    std::uint8_t protocol, std::uint16_t port,
                                                    bool v4) const {
  std::optional<IpAddress> out;
  for (const Number n : joint_.starts()) {
    const IpAddress address = address_of(n);
    const decide::Location place = classifier_.locate(address);
    if (address.is_v4() != v4 || !classifier_.may_be_named(place)) continue;
    out = address;
    if (!classifier_.decide(source_class, place.destination_class, protocol, port).allowed()) break;
  }
  return out;
}

std::optional<explain::Question> Witnesses::of_conduit(const model::Conduit& conduit) const {
  for (const bool leg_b : {false, true}) {
    for (const DescribedBox& box : described_.boxes()) {
      if (box.conduit != &conduit || (box.kind == wire::RuleKind::LegB) != leg_b) continue;
      for (const JointId source : joint_.sources_of(box)) {
        for (const JointId destination : joint_.destinations_of(box)) {
          const JointClass& to = joint_.destinations()[destination];
          if (to.name.empty() && to.v4 != joint_.sources()[source].v4) continue;
          if (auto found =
                  between(source, destination, box.transport.protocol, box.transport.ports.first))
            return found;
        }
      }
    }
  }
  return std::nullopt;
}

IpAddress Witnesses::neighbour_of(const IpAddress& source, std::uint16_t segment) const {
  if (const wire::Address* own = view_.host_address(segment, source.version()))
    if (wire::to_ip(*own) != source) return wire::to_ip(*own);
  // Anything that is somewhere: the packet is about its source.
  return source.is_v4() ? IpAddress::v4(0x08080808) : *IpAddress::parse("2001:db8::8");
}

explain::Question Witnesses::frame(const IpAddress& source, std::uint16_t segment) const {
  explain::Question out;
  out.segment = segment;
  out.tuple = {.source = source,
               .destination = neighbour_of(source, segment),
               .protocol = kUdp,
               .source_port = kSourcePort,
               .destination_port = kAnyPort};
  return out;
}

std::optional<explain::Question> Witnesses::from(const IpAddress& address,
                                                 const DescribedPlace& should) const {
  const decide::Location place = classifier_.locate(address);
  std::uint16_t segment = place.segment;
  bool host_stack = place.is_gateway();
  if (view_.segment(segment) == nullptr) {
    const wire::Segment* meant =
        should.segment == nullptr ? nullptr : view_.segment(std::string_view(should.segment->name));
    if (meant == nullptr) return std::nullopt;
    segment = meant->slot();
    host_stack = should.gateway;
  }
  explain::Question out = frame(address, segment);
  if (host_stack) {
    out.origin = decide::Origin::kHostStack;
  } else if (should.device != nullptr && !place.is_device()) {
    // The device that should have it sends it.
    const wire::Port* port = view_.port(std::string_view(should.device->where.port));
    if (port == nullptr) return std::nullopt;
    out.port = port->slot();
    out.vlan = should.device->where.vlan;
    out.mac = should.device->mac;
  }
  return out;
}

std::optional<explain::Question> Witnesses::of_device(const model::Device& device) const {
  const wire::Port* port = view_.port(std::string_view(device.where.port));
  const wire::Segment* segment = view_.segment(std::string_view(device.segment));
  if (port == nullptr || segment == nullptr) return std::nullopt;
  explain::Question out =
      frame(device.addresses.empty() ? device.mac.link_local() : device.addresses.front(),
            segment->slot());
  out.port = port->slot();
  out.vlan = device.where.vlan;
  out.mac = device.mac;
  return out;
}

std::optional<explain::Question> Witnesses::of_slot(std::uint32_t slot) const {
  const wire::Device* device = classifier_.device(slot);
  if (device == nullptr) return std::nullopt;
  const MacAddress mac = wire::to_mac(device->mac());
  const IpAddress source = device->address_count() == 0
                               ? mac.link_local()
                               : wire::to_ip(view_.device_addresses()[device->first_address()]);
  explain::Question out = frame(source, device->segment());
  out.port = device->port();
  out.vlan = device->vlan();
  out.mac = mac;
  return out;
}

std::optional<explain::Question> Witnesses::on_wire(std::string_view port_name, std::uint16_t vlan,
                                                    std::string_view segment_name) const {
  constexpr MacAddress kStranger({0x02, 0xff, 0xff, 0xff, 0xff, 0xff});
  const wire::Port* port = view_.port(port_name);
  const wire::Segment* segment = view_.segment(segment_name);
  if (port == nullptr || segment == nullptr) return std::nullopt;
  explain::Question out = frame(kStranger.link_local(), segment->slot());
  out.port = port->slot();
  out.vlan = vlan;
  out.mac = kStranger;
  return out;
}

}  // namespace sallyport::prove
