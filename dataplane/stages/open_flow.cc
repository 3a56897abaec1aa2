#include "dataplane/stages/open_flow.h"

namespace sallyport::dataplane {

bool OpenFlow::carries(ConstBytes frame, const PlainFrame& plain, Flow& flow,
                       Direction from) noexcept {
  const PlainTransport transport = plain_tcp(frame, plain);
  return transport.right && tcp_only_carries(flow.tcp, transport.tcp_flags) &&
         tcp_carry(flow.tcp,
                   tcp_carried(frame.data() + plain.l4, plain.end - plain.l4 - transport.header,
                               transport.tcp_flags),
                   from);
}

bool OpenFlow::still_good(ConstBytes frame, const PlainFrame& plain, Flow& flow,
                          const Burst& burst) const noexcept {
  return plausible(frame, plain) &&
         allowed_by(flow, flows_.stand_in(flow), burst.tables, names_, burst.now);
}

// As Bind::run_by_flow() asks of an end that is no device.
bool OpenFlow::from_outside(LinkEnds seen, std::uint32_t from, const Tables& tables) noexcept {
  const SegmentInfo* in = tables.segment(segment_of(from));
  const auto port = static_cast<PortSlot>(seen.sender);
  const auto vlan = static_cast<std::uint16_t>(seen.receiver);
  const std::uint64_t mac = seen.sender >> 16;
  const bool good = device_of(from) == kNoDevice && in != nullptr && !in->devices_only() &&
                    seen.receiver >> 16 == mac_word(in->mac) && mac != mac_word(in->mac) &&
                    mac != mac_word(kFixedMac) && mac != 0 && (mac & 1) == 0 &&
                    in->has_member(port, vlan);
  if (good) outsider_ = {seen.sender, seen.receiver, in->slot, in->mtu, from};
  return good;
}

// What Neighbours::resolve() would send to at once, without a question.
const DeviceLink* OpenFlow::next_hop(std::uint32_t to, const IpAddress& address,
                                     const Burst& burst) noexcept {
  const SegmentInfo* out = burst.tables.segment(segment_of(to));
  if (device_of(to) != kNoDevice || out == nullptr || out->devices_only()) return nullptr;
  const std::optional<IpAddress>& gateway = address.is_v4() ? out->gateway4 : out->gateway6;
  const bool near = out->on_link(address);
  if (!near && !gateway) return nullptr;
  if (near && neighbour_.home == to && near_ == address) return &neighbour_;
  const IpAddress& hop = near ? address : *gateway;
  const Neighbour* n = neighbours_.find(segment_of(to), hop);
  if (n == nullptr || n->state != Neighbour::State::kKnown || burst.now >= n->expires ||
      burst.now >= n->due)
    return nullptr;
  if (near) near_ = address;
  DeviceLink& link = near ? neighbour_ : router(address.version());
  link = {mac_word(n->mac) << 16 | n->port, mac_word(out->mac) << 16 | n->vlan, out->slot, out->mtu,
          to};
  return &link;
}

}  // namespace sallyport::dataplane
