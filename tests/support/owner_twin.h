// Whose packet is it? Obviously correct and slow: the rules of dataplane/owner.h read from the
// model, by looking through lists. Of conduits it understands those that this file's users write: a
// terminated one has one port, and is dialled at listed addresses (or the gateway's own).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/tables.h"
#include "policy/model/model.h"

namespace sallyport::testing {

class OwnerTwin {
 public:
  OwnerTwin(const model::Gateway& gateway, const dataplane::Tables& tables, std::size_t workers)
      : gateway_(gateway), tables_(tables), workers_(workers) {}

  // Of a packet that has ports, or of one that has none (a fragment).
  std::size_t with_ports(const IpAddress& source, std::uint16_t source_port,
                         const IpAddress& destination, std::uint16_t destination_port,
                         IpProtocol protocol) const {
    if (is_mapped_end(destination, destination_port)) return whose_share(destination_port);
    if (is_mapped_end(source, source_port)) return whose_share(source_port);
    if (terminated(source, destination, destination_port, protocol)) return 0;
    if (terminated(destination, source, source_port, protocol)) return 0;
    return by_addresses(source, destination).value_or(kAnywhere);
  }
  // Nothing: neither end is anybody's, and any worker may have it who always does.
  std::optional<std::size_t> by_addresses(const IpAddress& a, const IpAddress& b) const {
    if (segment_owning(a) != nullptr || segment_owning(b) != nullptr) return 0;
    const auto first = slot_of(a), second = slot_of(b);
    if (!first && !second) return std::nullopt;
    return std::min(first.value_or(UINT32_MAX), second.value_or(UINT32_MAX)) % workers_;
  }
  static constexpr std::size_t kAnywhere = SIZE_MAX;

 private:
  const model::Segment* segment_owning(const IpAddress& address) const {
    for (const model::Segment& segment : gateway_.segments)
      for (const model::InterfaceAddress& own : segment.addresses)
        if (own.address == address) return &segment;
    return nullptr;
  }
  std::optional<std::uint32_t> slot_of(const IpAddress& address) const {
    for (const model::Device& device : gateway_.devices)
      for (const IpAddress& own : device.addresses)
        if (own == address)
          for (std::uint32_t slot = 0; slot < gateway_.devices.size(); ++slot)
            if (tables_.view().device_name(slot) == device.name) return slot;
    return std::nullopt;
  }
  bool is_mapped_end(const IpAddress& address, std::uint16_t port) const {
    const model::Segment* segment = segment_owning(address);
    return segment != nullptr && segment->napt44 && address.is_v4() && port >= 10240 &&
           port <= 32767;
  }
  // Counted out: as many ports for each, what is left over for the last.
  std::size_t whose_share(std::uint16_t port) const {
    const std::size_t each = (32767 - 10240 + 1) / workers_;
    std::size_t worker = 0;
    for (std::size_t next = 10240 + each; worker + 1 < workers_ && port >= next; next += each)
      ++worker;
    return worker;
  }
  bool is_end(const model::End& end, const IpAddress& address) const {
    if (const auto* device = std::get_if<model::DeviceEnd>(&end)) {
      for (const model::Device& one : gateway_.devices)
        if (one.name == device->device)
          return std::ranges::find(one.addresses, address) != one.addresses.end();
    }
    if (const auto* literal = std::get_if<model::AddressEnd>(&end))
      return std::ranges::find(literal->addresses, address) != literal->addresses.end();
    if (const auto* segment = std::get_if<model::SegmentEnd>(&end))
      return std::ranges::any_of(segment->prefixes,
                                 [&](const IpPrefix& p) { return p.contains(address); });
    return false;
  }
  bool terminated(const IpAddress& client, const IpAddress& server, std::uint16_t port,
                  IpProtocol protocol) const {
    return std::ranges::any_of(gateway_.conduits, [&](const model::Conduit& c) {
      if (!c.terminate || c.service.protocol != protocol || !is_end(c.from, client)) return false;
      const model::Terminate& t = *c.terminate;
      return t.side == model::Side::kOutbound
                 ? c.service.ports.first == port && is_end(c.to, server)
                 : t.listen_address == server && t.listen_port == port;
    });
  }

  const model::Gateway& gateway_;
  const dataplane::Tables& tables_;
  std::size_t workers_;
};

}  // namespace sallyport::testing
