// What the pipeline itself answers about a packet that ends in the gateway: to its sender, who is
// bound and whom policy lets through. Nobody else learns that there is a gateway.
#include "dataplane/pipeline.h"
#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/pieces.h"
#include "dataplane/stages/reset.h"

namespace sallyport::dataplane {

// Mid-stream TCP of an allowed direct conduit: for a while after a start it is told so, that it may
// come back at once; afterwards it is not worth an answer.
void Pipeline::refused(Packet&& packet, Drop reason, bool would_allow, Instant now) noexcept {
  const PacketMeta& meta = packet.meta();
  if (reason == Drop::kMidStream && would_allow && now - started_ < kRestartGrace &&
      meta.origin == Origin::kWire && police_.pass(PuntClass::kReset, meta, now)) {
    answer(meta, make_reset(pool_, packet), Builtin::kRestartReset, now);
  }
  drop(std::move(packet), reason, now);
}

// Bound and allowed, and yet it ends here: its sender is told why, nobody else.
void Pipeline::troubled(Packet&& packet, Trouble trouble, std::uint16_t mtu, Instant now) noexcept {
  const PacketMeta& meta = packet.meta();
  const Headers& h = meta.headers;
  const SegmentInfo* segment = tables_->segment(meta.segment);
  // A stack takes nothing that bears its own address.
  const IpAddress* own = meta.origin == Origin::kHostStack ? &h.destination
                         : segment == nullptr              ? nullptr
                                                           : segment->host_address(h.version());
  if (own != nullptr && police_.pass(PuntClass::kReport, meta, now)) {
    // Of a datagram that came in fragments, what came: the first of them.
    const Pieces came = meta.largest_fragment != 0 ? dataplane::cut(packet, pool_) : Pieces{};
    const Packet& quoted = came.count != 0 ? came.packets.front() : packet;
    answer(meta, make_report(pool_, quoted, *own, trouble, mtu), Builtin::kReport, now);
  }
  drop(std::move(packet), trouble == Trouble::kTooBig ? Drop::kTooBig : Drop::kTtlExpired, now);
}

// To whoever sent what was `asked`, by the way that it came. Nothing if there is nothing `made`.
void Pipeline::answer(const PacketMeta& asked, Packet&& made, Builtin rule, Instant now) noexcept {
  const SegmentInfo* segment = tables_->segment(asked.segment);
  if (!made || segment == nullptr) return;
  made.meta().segment = asked.segment;
  const bool wire = asked.origin == Origin::kWire;
  const Exit exit = wire ? Exit{Exit::Kind::kPort, asked.port, asked.segment}
                         : Exit{Exit::Kind::kHostStack, kNoPort, asked.segment};
  Allowed allowed = EnforcePolicy::by_builtin(std::move(made), rule, exit);
  EnforcePolicy::address_to(
      allowed, exit.port,
      wire ? LinkAddress{asked.headers.source_mac, segment->mac, asked.headers.vlan}
           : LinkAddress{segment->mac, kFixedMac, 0});
  exits_.originate(std::move(allowed), now);
}

}  // namespace sallyport::dataplane
