#include "dataplane/stages/classify.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::dataplane {
namespace {

using std::chrono::seconds;
constexpr MaySilent kUdpSilence = {wire::Silence::kOpen, usual(TimeoutClass::kUdp),
                                   Duration::max()};
constexpr MaySilent kEchoSilence = {wire::Silence::kOpen, usual(TimeoutClass::kIcmp),
                                    Duration::max()};
constexpr std::size_t kMaxNamesPerAddress = 8;

bool opens(const Headers& h) {
  switch (h.message) {
    case Message::kTcp:
      return tcp_flags_open(h.tcp_flags);
    case Message::kUdp:
    case Message::kEchoRequest:
      return true;
    default:
      return false;
  }
}

// NAPT44: who goes out through an uplink that has it; the gateway itself needs none.
bool leaves_mapped(const Flow& flow, const SegmentInfo& to) {
  return to.napt44 && flow.client.is_v4() && (flow.flags & (kClientIsHost | kServerIsHost)) == 0 &&
         flow.at_client.segment() != to.slot;
}

// Who answers: the terminator's listener, a host stack, a device, or a host beyond an uplink.
std::optional<Drop> set_server(Opening& opening, const decide::Verdict& verdict,
                               const Tables& tables, bool from_host) {
  Flow& flow = opening.flow;
  const decide::Location& to = verdict.destination;
  opening.stand_in = IpAddress();
  flow.stand_in_port = flow.at_server.port;
  SegmentSlot in = to.segment;
  if (verdict.decision.kind() == wire::RuleKind::Terminate) {
    in = flow.at_client.segment();
    const SegmentInfo* segment = tables.segment(in);
    const IpAddress* host =
        segment == nullptr ? nullptr : segment->host_address(flow.client.version());
    if (host == nullptr || from_host) return Drop::kDefaultDeny;
    opening.stand_in = *host;
    flow.stand_in_port = verdict.decision.listener_port();
    flow.flags |= kServerIsHost;
  } else if (to.is_gateway()) {
    flow.flags |= kServerIsHost;
  }
  flow.at_server.live((flow.flags & kServerIsHost) == 0 && to.is_device() ? to.device : kNoDevice,
                      in);
  const SegmentInfo* segment = tables.segment(in);
  if (segment == nullptr) return Drop::kMartianDestination;
  if (from_host && (flow.flags & kServerIsHost) != 0) return Drop::kHairpin;
  if (!leaves_mapped(flow, *segment)) return std::nullopt;
  const IpAddress* own = segment->host_address(IpVersion::k4);
  if (own == nullptr) return Drop::kMartianSource;
  flow.flags |= kMapped;
  opening.stand_in = *own;
  flow.stand_in_port = 0;  // until flow/port_mappings.h gives one
  return std::nullopt;
}

// The host stack has other ports than those that stand for inside endpoints. (Of two equal echo
// identifiers to one server the flow table refuses the second.)
bool takes_nat_port(const Headers& h, const SegmentInfo* segment) {
  return segment != nullptr && segment->napt44 && h.source.is_v4() &&
         h.protocol != IpProtocol::kIcmp && wire::is_nat_port(h.source_port);
}

// What bind said of the sender (stages/bind.cc), asked of an end of a flow after a swap.
bool lives_there(const IpAddress& address, const FlowEnd& end, const Tables& tables) {
  const DeviceSlot device = end.device();
  const SegmentSlot segment = end.segment();
  const decide::Classifier& classifier = tables.classifier();
  if (device != kNoDevice) {
    const wire::Device* home = classifier.device(device);
    return home != nullptr && home->segment() == segment && classifier.owns(device, address);
  }
  const SegmentInfo* info = tables.segment(segment);
  const decide::Location place = classifier.locate(address);
  return info != nullptr && !info->devices_only() && place.segment == segment &&
         !place.is_gateway();
}

bool ends_live_there(const Flow& flow, const Tables& tables) {
  // Only the gateway itself stands in for a server.
  return ((flow.flags & kClientIsHost) != 0 || lives_there(flow.client, flow.at_client, tables)) &&
         ((flow.flags & kServerIsHost) != 0 || lives_there(flow.server, flow.at_server, tables));
}

void set_routed(Flow& flow, const Tables& tables) {
  const auto routed = [&](const FlowEnd& end, const IpAddress& address) {
    if (end.device() != kNoDevice) return false;
    const SegmentInfo* in = tables.segment(end.segment());
    return in != nullptr && !in->devices_only() && !in->on_link(address);
  };
  unsigned flags = flow.flags & ~(kServerRouted | kClientRouted);
  if (routed(flow.at_server, flow.server)) flags |= kServerRouted;
  if (routed(flow.at_client, flow.client)) flags |= kClientRouted;
  flow.flags = static_cast<std::uint8_t>(flags);
}

// Would it be mapped now, and to the same address?
bool leaves_as_before(const Flow& flow, const IpAddress& stood, const Tables& tables) {
  const SegmentInfo* to = tables.segment(flow.at_server.segment());
  if (to == nullptr || leaves_mapped(flow, *to) != flow.mapped()) return false;
  const IpAddress* own = to->host_address(IpVersion::k4);
  return !flow.mapped() || (own != nullptr && *own == stood);
}

}  // namespace

decide::Verdict judge_by_name(const decide::Ingress& ingress, const decide::Tuple& tuple,
                              const Tables& tables, const DynamicNames& names,
                              Instant now) noexcept {
  std::array<std::uint32_t, kMaxNamesPerAddress> classes{};
  std::size_t count = 0;
  names.any_class(tuple.destination, now, [&](std::uint32_t destination_class) {
    classes[count++] = destination_class;
    return count == classes.size();
  });
  return tables.classifier().classify(ingress, tuple, std::span(classes).first(count));
}

decide::Verdict judge(const BoundPacket& packet, const Tables& tables, const DynamicNames& names,
                      Instant now) noexcept {
  const Headers& h = packet.headers();
  const PacketMeta& meta = packet.meta();
  const bool from_host = meta.origin == Origin::kHostStack;
  return judge({meta.segment, from_host ? decide::Origin::kHostStack : decide::Origin::kWire,
                meta.device, meta.source_place},
               {h.source, h.destination, static_cast<std::uint8_t>(h.protocol), h.source_port,
                h.service_port()},
               tables, names, now);
}

std::optional<Denied> classify(const BoundPacket& packet, const decide::Verdict& verdict,
                               const Tables& tables, Instant now, Opening& opening) noexcept {
  const Headers& h = packet.headers();
  const PacketMeta& meta = packet.meta();
  const bool from_host = meta.origin == Origin::kHostStack;
  if (!verdict.decision.allowed()) return Denied{verdict.reason};
  if (!opens(h)) {
    const bool direct = verdict.decision.kind() == wire::RuleKind::Direct;
    const bool tcp = h.message == Message::kTcp;
    return Denied{tcp ? Drop::kMidStream : Drop::kDefaultDeny, tcp && direct};
  }
  static constexpr Flow kBlank;
  Flow& flow = opening.flow;
  std::memcpy(&flow, &kBlank, sizeof flow);
  flow.client = h.source;
  flow.server = h.destination;
  flow.at_client.live(meta.device, meta.segment);
  flow.at_client.port = h.source_port;
  flow.at_server.port = h.destination_port;
  flow.protocol = h.protocol;
  flow.rule = verdict.decision.rule() & Flow::kRuleMask;
  flow.checked = tables.mark();
  if (h.message == Message::kTcp) flow.tcp = tcp_open(tcp_segment(packet.bytes(), h));
  if (from_host) flow.flags |= kClientIsHost;
  if (from_host && takes_nat_port(h, tables.segment(meta.segment)))
    return Denied{Drop::kHostStackDenied};
  if (auto bad = set_server(opening, verdict, tables, from_host)) return Denied{*bad};
  set_routed(flow, tables);
  flow.deadline = FlowTime::at(now + silence(flow, tables));
  return std::nullopt;
}

bool allowed_by(Flow& flow, const IpAddress& stood, const Tables& tables, const DynamicNames& names,
                Instant now) noexcept {
  if (tables.still_stands(flow)) {
    flow.checked = tables.mark();
    return true;
  }
  if (!ends_live_there(flow, tables) || !leaves_as_before(flow, stood, tables)) return false;
  set_routed(flow, tables);
  if (!tables.still_means(flow.rule, flow.checked)) {
    const bool from_host = (flow.flags & kClientIsHost) != 0;
    const decide::Ingress ingress{flow.at_client.segment(),
                                  from_host ? decide::Origin::kHostStack : decide::Origin::kWire,
                                  flow.at_client.device()};
    const bool v6 = flow.client.version() == IpVersion::k6;
    std::uint16_t port = flow.at_server.port;
    if (flow.protocol == IpProtocol::kIcmp || flow.protocol == IpProtocol::kIcmp6) {
      port = v6 ? 128 : 8;
    }
    const decide::Verdict verdict =
        judge(ingress,
              {flow.client, flow.server, static_cast<std::uint8_t>(flow.protocol),
               flow.at_client.port, port},
              tables, names, now);
    Opening again{flow, {}};
    const Flow& as_now = again.flow;
    again.flow.flags = static_cast<std::uint8_t>(flow.flags & ~(kServerIsHost | kMapped));
    if (!verdict.decision.allowed() || set_server(again, verdict, tables, from_host) ||
        again.stand_in != stood || (!flow.mapped() && as_now.stand_in_port != flow.stand_in_port) ||
        as_now.flags != flow.flags || as_now.at_server.home() != flow.at_server.home()) {
      return false;
    }
    flow.rule = verdict.decision.rule() & Flow::kRuleMask;
    // Other times of silence begin now; silent_for() must not take the flow for a long silent one.
    flow.deadline = std::max(flow.deadline, FlowTime::at(now + silence(flow, tables)));
  }
  flow.checked = tables.mark();
  return true;
}

Duration silence(const Flow& flow, const Tables& tables) noexcept {
  const MaySilent& may = flow.protocol == IpProtocol::kTcp   ? tcp_silence(flow.tcp.state)
                         : flow.protocol == IpProtocol::kUdp ? kUdpSilence
                                                             : kEchoSilence;
  const std::uint32_t asked = tables.silence(flow.rule, may.which);
  if (asked == 0) return may.usual;
  const Duration said = seconds(asked);
  return said < may.most ? said : may.most;  // std::min would spill it to the stack
}

}  // namespace sallyport::dataplane
