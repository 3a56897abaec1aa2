// bind: who sent this? Behind it, a packet's segment and device are facts.
//
// Device segments: port, VLAN, MAC and address must be one enrolled device's (IPv6: also its MAC's
// link-local address); without an address, only what a host sends before it has one. Uplink: no
// device table, but strict reverse path: a source that lives elsewhere is refused. Host stacks:
// only the gateway's own addresses of that very segment. An enrolled MAC or address on another port
// is the newcomer's fault alone: stolen-identity, and an event that names both ports. 2.4.7.4, RFC
// 3704 §2.2, design §4 "Bind by role".
//
// A flow's packets are bound by their flow: whose its two addresses are was settled under the
// tables in force when it was made or last held against them (stages/classify.h); what each packet
// must still show is that end's port, VLAN and MAC. Whatever does not is bound as any other.
#pragma once

#include <optional>

#include "dataplane/allowed.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/stages/parse_plain.h"
#include "dataplane/tables.h"
#include "dataplane/telemetry/events.h"
#include "dataplane/telemetry/stages.h"

namespace sallyport::dataplane {

class Parse {
 public:
  // The first stage (stages/parse.h), as a step from packet to packet.
  static Outcome<ParsedPacket> run(Packet&& packet) noexcept;
  // Of a frame that parse_plain() took and that is plausible().
  static ParsedPacket describe(Packet&& packet, const PlainFrame& plain) noexcept {
    PacketMeta& meta = packet.meta();
    meta.stages |= stage_bit(Stage::kParse);
    dataplane::describe(packet.bytes(), plain, meta.headers);
    return ParsedPacket(std::move(packet));
  }
  // A ParsedPacket that was put down as what it is made of.
  static ParsedPacket again(Packet&& packet) noexcept {
    SALLYPORT_CHECK((packet.meta().stages & stage_bit(Stage::kParse)) != 0);
    return ParsedPacket(std::move(packet));
  }
  // The same for a datagram made of fragments, whose transport sum must be right: what was put
  // together wrongly is nobody's word (design §4).
  static Outcome<ParsedPacket> run_datagram(Packet&& packet) noexcept;
};

// Who sends a plain frame, told by its link. Only Bind makes one.
struct LinkSender {
  SegmentSlot segment;
  DeviceSlot device;

 private:
  friend class Bind;
  LinkSender(SegmentSlot of_segment, DeviceSlot of_device) noexcept
      : segment(of_segment), device(of_device) {}
};
// Of a plain frame that ends here: whose it was, and why. Without a device of its sender's it is
// kNoDevice. One word, because it is handed on as one: what was written as three the processor
// would wait for.
class Refused {
 public:
  Refused(DeviceSlot device, SegmentSlot segment, Drop reason) noexcept
      : word_(device | std::uint64_t{segment} << 32 | static_cast<std::uint64_t>(reason) << 48) {}
  DeviceSlot device() const noexcept { return static_cast<DeviceSlot>(word_); }
  SegmentSlot segment() const noexcept { return static_cast<SegmentSlot>(word_ >> 32); }
  Drop reason() const noexcept { return static_cast<Drop>(word_ >> 48); }

 private:
  std::uint64_t word_;
};

// Such a frame and its packet, both alive until the burst ends.
struct TurnedAway {
  Packet* packet = nullptr;
  const PlainFrame* plain = nullptr;
  Refused refused{kNoDevice, kNoSegment, Drop::kDefaultDeny};
};

class Bind {
 public:
  static Outcome<BoundPacket> run(ParsedPacket&& parsed, const Tables& tables, Events& events,
                                  Instant now) noexcept;
  // Of a frame that parse_plain() took, from this port's wire: an enrolled device that shows its
  // own link and one of its listed addresses, and the gateway's MAC as destination. `at` is then
  // what Classifier::locate() says of the source. Nothing says nothing; then run() settles it.
  static std::optional<LinkSender> by_link(ConstBytes frame, const PlainFrame& plain, PortSlot port,
                                           const Tables& tables, decide::Location& at) noexcept;
  // The packet whose sender is that one.
  static BoundPacket sent_by(ParsedPacket&& parsed, const LinkSender& sender) noexcept {
    return note(std::move(parsed).release(), sender.segment, sender.device, decide::kNoPlace);
  }
  // Of such a frame: is its sender surely nobody, or an enrolled device under nobody's address? It
  // only ever says yes, where the parser takes the frame and run() says the same without an event;
  // and no flow is bound so.
  static std::optional<Refused> refuses(ConstBytes frame, const PlainFrame& plain, PortSlot port,
                                        const Tables& tables) noexcept;
  // By the flow that the packet's headers name. Nothing, and `parsed` as it was, when that does
  // not settle it; then run() says why.
  static std::optional<BoundPacket> run_by_flow(ParsedPacket& parsed, const FlowMatch& match,
                                                const Tables& tables) noexcept;

 private:
  static BoundPacket note(Packet&& packet, SegmentSlot segment, DeviceSlot device,
                          decide::Place place) noexcept {
    PacketMeta& meta = packet.meta();
    meta.stages |= stage_bit(Stage::kBind);
    meta.segment = segment;
    meta.device = device;
    meta.source_place = place;
    return BoundPacket(std::move(packet));
  }
};

}  // namespace sallyport::dataplane
