#include "dataplane/pipeline.h"

#include "dataplane/stages/bind.h"
#include "dataplane/stages/clamp_mss.h"
#include "dataplane/stages/classify.h"
#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/icmp_error.h"
#include "dataplane/stages/pieces.h"
#include "dataplane/stages/rewrite.h"
#include "policy/decide/plausible.h"

namespace sallyport::dataplane {
namespace {

inline bool fits(const Packet& packet, const SegmentInfo& out) {
  const Headers& h = packet.meta().headers;
  return h.end - h.l3 <= out.mtu;
}

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options, PacketPool& pool, PacketPool& datagrams,
                   Events& events)
    : pool_(pool),
      events_(events),
      crew_(options.crew),
      mappings_(options.hash_secret, options.nat_ports),
      flows_(options.flows, options.hash_secret, options.now, &mappings_),
      names_(counters_, crew_ ? &*crew_ : nullptr),
      neighbours_(pool, exits_, police_, crew_ ? &*crew_ : nullptr),
      dhcp_(exits_, police_),
      started_(options.now),
      next_tick_(options.now),
      housekept_(options.now),
      fragments_(pool, datagrams, exits_, counters_) {
  exits_.cut_into(pool);
}

// --- flow table ---------------------------------------------------------------------------------

[[gnu::flatten]] void Pipeline::looked_up(ParsedPacket&& packet, FlowMatch match,
                                          Instant now) noexcept {
  if (match) {
    if (auto bound = Bind::run_by_flow(packet, match, *tables_)) {
      volumes_.came(bound->meta().segment, bound->bytes().size());
      return flow_packet(*std::move(bound), match, now);
    }
  }
  by_sender(std::move(packet), &match, now);
}

// --- bind, and what is not a flow --------------------------------------------------------------

// `match`, if it is known already, is what the flow table says of it.
void Pipeline::by_sender(ParsedPacket&& packet, const FlowMatch* match, Instant now) noexcept {
  const std::size_t size = packet.bytes().size();
  auto bound = Bind::run(std::move(packet), *tables_, events_, now);
  // A flow that is here is here because it is this worker's.
  if (crew_ && bound && (match == nullptr || !*match))
    if (const auto owner = other_owner(*bound))
      return hand_over(*std::move(bound), *owner, came_over_, now);
  const PacketMeta& note = bound ? bound->meta() : bound.error().packet.meta();
  if (note.origin == Origin::kWire) volumes_.came(note.segment, size);
  if (!bound) {
    intruders_.note(bound.error().reason);
    return exits_.drop(std::move(bound).error(), now);
  }
  if (bound->headers().is_fragment()) return fragment(*std::move(bound), now);
  this->bound(*std::move(bound), match, now);
}

void Pipeline::bound(BoundPacket&& packet, const FlowMatch* match, Instant now) noexcept {
  const Headers& h = packet.headers();
  const PacketMeta& meta = packet.meta();
  const SegmentInfo* segment = tables_->segment(meta.segment);
  SALLYPORT_CHECK(segment != nullptr);  // bind found it in these very tables
  if (h.is_neighbour() || h.is_for_router()) {
    return neighbours_.receive(std::move(packet), *segment, *tables_, now);
  }
  if (Dhcp::concerns(h, meta.origin, *segment)) {
    return dhcp_.receive(std::move(packet), *segment, *tables_, now);
  }
  if (const auto never = decide::starts_no_flow(h.source, h.destination)) {
    return drop(std::move(packet).release(), *never, now);
  }
  if (h.message == Message::kIcmpError) return icmp_error(std::move(packet), now);
  flow_packet(std::move(packet), match != nullptr ? *match : flows_.find(key_of(h)), now);
}

// A datagram is judged when it is whole, from the beginning. Its sender was bound by each fragment,
// before that took room; it is bound again, as its own.
void Pipeline::fragment(BoundPacket&& packet, Instant now) noexcept {
  const Headers& h = packet.headers();
  if (const auto never = decide::starts_no_flow(h.source, h.destination))
    return drop(std::move(packet).release(), *never, now);
  if (Packet whole = fragments_.add(std::move(packet), now)) datagram(std::move(whole), false, now);
}

// Its pieces met here because of their addresses; now that it has ports it may be another's.
void Pipeline::datagram(Packet&& whole, bool came_over, Instant now) noexcept {
  if (tables_ == nullptr) return drop(std::move(whole), Drop::kNoSnapshot, now);
  auto parsed = Parse::run_datagram(std::move(whole));
  if (!parsed) return exits_.drop(std::move(parsed).error(), now);
  auto sender = Bind::run(*std::move(parsed), *tables_, events_, now);
  if (!sender) return exits_.drop(std::move(sender).error(), now);
  if (crew_)
    if (const auto owner = other_owner(*sender))
      return hand_over(*std::move(sender), *owner, came_over, now);
  bound(*std::move(sender), nullptr, now);
}

// --- flow table: hit ---------------------------------------------------------------------------

void Pipeline::flow_packet(BoundPacket&& packet, const FlowMatch& match, Instant now) noexcept {
  const Headers& h = packet.headers();
  if (!match) return first_packet(std::move(packet), now);
  Flow& flow = *match.flow;
  const bool from_client = match.direction == Direction::kFromClient;
  // An echo's reply goes back, its request goes forth; nothing else has this tuple.
  if ((h.message == Message::kEchoRequest && !from_client) ||
      (h.message == Message::kEchoReply && from_client)) {
    return first_packet(std::move(packet), now);
  }
  if (!still_allowed(flow, flows_.stand_in(flow), *tables_, names_.names(), now)) {
    cut(flow);
    return drop(std::move(packet).release(), Drop::kRevoked, now);
  }
  TcpVerdict verdict = TcpVerdict::kForward;
  if (flow.protocol == IpProtocol::kTcp) {
    verdict = tcp_advance(flow.tcp, tcp_segment(packet.bytes(), h), match.direction);
    if (verdict == TcpVerdict::kReopen) {
      flows_.erase(flow);
      return first_packet(std::move(packet), now);
    }
    if (const auto refused = drop_reason(verdict)) [[unlikely]] {
      // A refused answer to a new SYN ends the flow; nothing that is refused prolongs it.
      const Instant soon = now + kTcpReset;
      if (flow.tcp.state == TcpState::kClosed && flow.deadline > FlowTime::at(soon))
        flows_.set_deadline(flow, soon);
      return drop(std::move(packet).release(), *refused, now);
    }
  }
  if (verdict != TcpVerdict::kForwardAlone) [[likely]] {
    const Duration silent = silence(flow, *tables_);
    const bool doubtful = verdict == TcpVerdict::kForwardDoubtful;
    flows_.set_deadline(flow, now + (doubtful ? std::min(silent, kTcpTransitory) : silent));
  }
  forward(std::move(packet).release(), flow, match.direction, now);
}

// --- flow table: miss --------------------------------------------------------------------------

void Pipeline::first_packet(BoundPacket&& packet, Instant now) noexcept {
  const decide::Verdict verdict = judge(packet, *tables_, names_.names(), now);
  first_packet(std::move(packet), verdict, now);
}

void Pipeline::first_packet(BoundPacket&& packet, const decide::Verdict& verdict,
                            Instant now) noexcept {
  Opening& opening = flows_.draft();
  const auto denied = classify(packet, verdict, *tables_, now, opening);
  const Flow& opened = opening.flow;
  Packet raw = std::move(packet).release();
  raw.meta().stages |= stage_bit(Stage::kClassify);
  if (denied) return refused(std::move(raw), denied->reason, denied->would_allow, now);

  if ((opened.flags & kServerIsHost) != 0 && raw.meta().origin == Origin::kWire) {
    raw.meta().stages |= stage_bit(Stage::kAdmit);
    if (!police_.pass(PuntClass::kNewFlow, raw.meta(), now)) {
      return drop(std::move(raw), Drop::kHostStackPoliced, now);
    }
  }
  // A damaged SYN costs no credit; transit is not checked, its receiver does that (design §4).
  if ((opened.flags & kServerIsHost) != 0 && !transport_sum_right(raw))
    return drop(std::move(raw), Drop::kBadTransportChecksum, now);
  const auto flow = place(opening, verdict.decision.kind(), now);
  if (!flow) return drop(std::move(raw), flow.error(), now);
  ++counters_.flows_made;
  forward(std::move(raw), **flow, Direction::kFromClient, now);
}

// A place in the flow table, a credit if the rule terminates, a port if the flow leaves mapped; or
// nothing of it.
std::expected<Flow*, Drop> Pipeline::place(Opening& opening, wire::RuleKind kind,
                                           Instant now) noexcept {
  Flow& opened = opening.flow;
  Flow* gives_way = nullptr;
  if (flows_.full()) {
    const auto found = flows_.gives_way(opened.at_client.device(), silent_for(*tables_, now));
    if (!found) return std::unexpected(found.error());
    gives_way = *found;
  }
  if (kind == wire::RuleKind::Terminate &&
      !credits_.grant(
          opened.rule, tables_->classifier().rule(opened.rule)->inflight(),
          wire::connection_id(opened.client, opened.at_client.port, opened.target_port()), now)) {
    return std::unexpected(Drop::kAdmissionFull);
  }
  if (opened.mapped()) {
    const auto port = mappings_.take(opened);
    if (!port) {
      events_.add(Event::no_port(port.error(), opened.at_client.device(), opened.client, now));
      return std::unexpected(port.error());
    }
    opened.stand_in_port = *port;
  }
  if (gives_way != nullptr) {
    flows_.erase(*gives_way);
    ++counters_.flows_displaced;
  }
  if (Flow* flow = flows_.insert(opening)) return flow;
  if (opened.mapped()) mappings_.release(opened);
  return std::unexpected(Drop::kFlowTableFull);
}

// --- out ---------------------------------------------------------------------------------------

void Pipeline::forward(Packet&& packet, Flow& flow, Direction direction, Instant now) noexcept {
  PacketMeta& meta = packet.meta();
  const bool from_client = direction == Direction::kFromClient;
  const bool to_stack = (flow.flags & (from_client ? kServerIsHost : kClientIsHost)) != 0;
  meta.stages |= stage_bit(Stage::kFlow);
  ++flow.packets[static_cast<std::size_t>(direction)];
  const FlowEnd to = flow.to(direction);
  const SegmentSlot segment = to.segment();
  const SegmentInfo* out = tables_->segment(segment);
  const IpAddress& stood = flows_.stand_in(flow);

  // Before anything of it is changed: its sender may be told.
  if (!to_stack) {
    if (out == nullptr) return drop(std::move(packet), Drop::kMartianDestination, now);
    meta.stages |= stage_bit(Stage::kForward);
    if (meta.origin == Origin::kWire && meta.headers.ttl <= 1) [[unlikely]]
      return troubled(std::move(packet), Trouble::kHopLimit, 0, now);
    if (!fits(packet, *out) && !leaves_in_pieces(packet, out->mtu)) [[unlikely]]
      return troubled(std::move(packet), Trouble::kTooBig, out->mtu, now);
  }
  // A host stack judges the sum of what it is given; it must be the sender's, so before rewriting.
  if (to_stack && !transport_sum_right(packet)) {
    return drop(std::move(packet), Drop::kBadTransportChecksum, now);
  }
  if ((meta.headers.tcp_flags & kTcpSyn) != 0) [[unlikely]]
    clamp_mss(packet, std::min(mtu_of(flow.at_client.segment()), mtu_of(flow.at_server.segment())));
  names_.look(packet, flow, flow.target(stood), direction, *tables_, now);
  if (flow.rewritten()) {
    meta.stages |= stage_bit(Stage::kRewrite);
    rewrite(packet, flow, stood, direction);
  }
  if (to_stack) {
    return to_host(
        EnforcePolicy::by_flow(std::move(packet), flow, {Exit::Kind::kHostStack, kNoPort, segment}),
        now);
  }
  if (meta.origin == Origin::kWire) decrement_ttl(packet);
  leave(EnforcePolicy::by_flow(std::move(packet), flow, {Exit::Kind::kPort, kNoPort, segment}),
        *out, to.device(), from_client ? flow.target(stood) : flow.client, now);
}

std::uint16_t Pipeline::mtu_of(SegmentSlot slot) const noexcept {
  const SegmentInfo* segment = tables_->segment(slot);
  return segment == nullptr ? kLeastMtu : segment->mtu;
}

// To the device's own port, VLAN and MAC; beyond an uplink to the next hop.
void Pipeline::leave(Allowed&& allowed, const SegmentInfo& segment, DeviceSlot device_slot,
                     const IpAddress& to, Instant now) noexcept {
  if (segment.devices_only()) {
    const DeviceLink& link = tables_->device_link(device_slot);
    if (link.segment != segment.slot)
      return exits_.refuse(std::move(allowed), Drop::kUnknownDevice, now);
    EnforcePolicy::address_to(allowed, link);
    return exits_.send(std::move(allowed), now);
  }
  const std::optional<IpAddress>& gateway = to.is_v4() ? segment.gateway4 : segment.gateway6;
  const bool near = segment.on_link(to);
  if (!near && !gateway) return exits_.refuse(std::move(allowed), Drop::kMartianDestination, now);
  neighbours_.resolve(std::move(allowed), segment, near ? to : *gateway, now);
}

void Pipeline::to_host(Allowed&& allowed, Instant now) noexcept {
  const SegmentInfo* segment = tables_->segment(allowed.exit().segment);
  if (segment == nullptr) return exits_.refuse(std::move(allowed), Drop::kHostStackBusy, now);
  EnforcePolicy::address_to(allowed, kNoPort, {segment->mac, kFixedMac, 0});
  exits_.send(std::move(allowed), now);
}

// --- beside the flows --------------------------------------------------------------------------

void Pipeline::icmp_error(BoundPacket&& packet, Instant now) noexcept {
  const auto found = related_flow(packet, flows_, *tables_);
  Packet raw = std::move(packet).release();
  if (!found ||
      !still_allowed(*found->flow, flows_.stand_in(*found->flow), *tables_, names_.names(), now)) {
    return drop(std::move(raw), Drop::kIcmpUnrelated, now);
  }
  const Flow& flow = *found->flow;
  const IpAddress& stood = flows_.stand_in(flow);
  const FlowEnd to = found->to_client ? flow.at_client : flow.at_server;
  const SegmentSlot segment = to.segment();
  if (found->to_host()) {
    if (!transport_sum_right(raw)) return drop(std::move(raw), Drop::kBadTransportChecksum, now);
    if (!police_.pass(PuntClass::kIcmpError, raw.meta(), now)) {
      return drop(std::move(raw), Drop::kHostStackPoliced, now);
    }
    if (found->translate) {
      raw.meta().stages |= stage_bit(Stage::kRewrite);
      rewrite_error(raw, flow, stood, found->quoted_went());
    }
    return to_host(EnforcePolicy::by_builtin(std::move(raw), Builtin::kIcmpRelated,
                                             {Exit::Kind::kHostStack, kNoPort, segment}),
                   now);
  }
  const SegmentInfo* out = tables_->segment(segment);
  if (out == nullptr) return drop(std::move(raw), Drop::kMartianDestination, now);
  // No error is ever answered (RFC 1812 §4.3.2.7, RFC 4443 §2.4 e).
  if (!fits(raw, *out) && !leaves_in_pieces(raw, out->mtu))
    return drop(std::move(raw), Drop::kTooBig, now);
  if (raw.meta().origin == Origin::kWire && !decrement_ttl(raw)) {
    return drop(std::move(raw), Drop::kTtlExpired, now);
  }
  if (found->translate) {
    if (!transport_sum_right(raw)) return drop(std::move(raw), Drop::kBadTransportChecksum, now);
    raw.meta().stages |= stage_bit(Stage::kRewrite);
    rewrite_error(raw, flow, stood, found->quoted_went());
  }
  leave(EnforcePolicy::by_builtin(std::move(raw), Builtin::kIcmpRelated,
                                  {Exit::Kind::kPort, kNoPort, segment}),
        *out, to.device(), found->to_client ? flow.client : flow.target(stood), now);
}

}  // namespace sallyport::dataplane
