#include "dataplane/stages/neighbours.h"

#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/neighbour_frames.h"
#include "dataplane/stages/parse.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint8_t kArpRequest = 1;
constexpr std::uint8_t kArpReply = 2;
constexpr std::uint8_t kNdSolicitation = 135;
constexpr std::uint8_t kNdAdvertisement = 136;
constexpr std::uint8_t kRouterSolicitedFlags = 0xc0;
constexpr std::uint8_t kSolicitedFlag = 0x40;

bool is_question(const Headers& h) {
  return h.message == Message::kNeighbourSolicitation ||
         (h.message == Message::kArp && h.arp_operation == kArpRequest);
}
// Whose MAC the message is about.
const IpAddress& subject(const Headers& h) {
  if (h.message == Message::kArp) return is_question(h) ? h.destination : h.source;
  return h.nd_target;
}
Drop unanswered(const Headers& h) {
  return h.message == Message::kArp ? Drop::kArpUnanswered : Drop::kNdUnanswered;
}
static_assert(kMaxWorkers <= NeighbourTable::kMostAskers);

Notice notice_of(Notice::Kind kind, const Neighbour& n) {
  Notice out;
  out.kind = kind;
  out.segment = n.segment;
  out.address = n.address;
  return out;
}
Notice where(const Neighbour& n) {
  Notice out = notice_of(Notice::Kind::kIsAt, n);
  out.port = n.port;
  out.vlan = n.vlan;
  out.mac = n.mac;
  return out;
}
Drop unsolicited(const Headers& h) {
  return h.message == Message::kArp ? Drop::kArpUnsolicited : Drop::kNdUnsolicited;
}

}  // namespace

void Neighbours::receive(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                         Instant now) noexcept {
  if (packet.headers().is_for_router()) {
    for_router(std::move(packet), segment, now);
  } else if (packet.meta().origin == Origin::kHostStack) {
    from_host(std::move(packet), segment, tables, now);
  } else {
    from_wire(std::move(packet), segment, tables, now);
  }
}

void Neighbours::punt(BoundPacket&& packet, const SegmentInfo& segment, PuntClass kind,
                      Builtin rule, Instant now) noexcept {
  const Headers& h = packet.headers();
  if (!police_.pass(kind, packet.meta(), now)) {
    return exits_.drop({std::move(packet).release(), Drop::kHostStackPoliced}, now);
  }
  const LinkAddress link{h.destination_mac.is_group() ? h.destination_mac : segment.mac,
                         h.source_mac, 0};
  Allowed allowed = EnforcePolicy::by_builtin(std::move(packet).release(), rule,
                                              {Exit::Kind::kHostStack, kNoPort, segment.slot});
  EnforcePolicy::address_to(allowed, kNoPort, link);
  exits_.send(std::move(allowed), now);
}

// A host of an uplink has another router; the gateway's own stack has nobody to say this to.
void Neighbours::for_router(BoundPacket&& packet, const SegmentInfo& segment,
                            Instant now) noexcept {
  const bool from_stack = packet.meta().origin == Origin::kHostStack;
  if (from_stack || !segment.devices_only()) {
    return exits_.drop(
        {std::move(packet).release(), from_stack ? Drop::kHostStackDenied : Drop::kIcmpType}, now);
  }
  const bool question = packet.headers().message == Message::kRouterSolicitation;
  punt(std::move(packet), segment, PuntClass::kRouter,
       question ? Builtin::kRouterQuestion : Builtin::kMulticastReport, now);
}

void Neighbours::from_wire(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                           Instant now) noexcept {
  const Headers& h = packet.headers();
  if (!is_question(h)) return learn(std::move(packet), segment, now);
  if (segment.owns(subject(h))) {
    return punt(std::move(packet), segment, PuntClass::kNeighbour, Builtin::kNeighbourHost, now);
  }
  if (!may_proxy(packet, segment, tables)) {
    const Drop reason = unanswered(h);
    return exits_.drop({std::move(packet).release(), reason}, now);
  }
  const Exit back{Exit::Kind::kPort, packet.meta().port, segment.slot};
  const std::uint16_t vlan = h.vlan;
  answer(std::move(packet), segment, segment.mac, Builtin::kNeighbourProxy, back, vlan, now);
}

// Only for the far end of a conduit, in either direction: whoever is dialled must be able to
// answer.
bool Neighbours::may_proxy(const BoundPacket& question, const SegmentInfo& segment,
                           const Tables& tables) const noexcept {
  const Headers& h = question.headers();
  if (h.source.is_unspecified() || subject(h) == h.source) return false;
  const decide::Location asker = tables.locate_sender(question.meta().device, h.source);
  const decide::Location asked = tables.classifier().locate(subject(h));
  if (asked.nowhere()) return false;
  if (asked.is_device()) {
    const wire::Device* device = tables.classifier().device(asked.device);
    if (device == nullptr || asked.device == question.meta().device) return false;
    // It hears the question itself, unless its switch keeps the two apart.
    if (device->port() == question.meta().port && device->vlan() == h.vlan && !segment.isolated) {
      return false;
    }
  } else if (asked.segment == segment.slot && !segment.devices_only()) {
    // A host of an uplink answers for itself, unless the gateway listens on its behalf.
    return tables.terminates_at(asked);
  }
  return tables.conducts(asker, asked) || tables.conducts(asked, asker);
}

void Neighbours::from_host(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                           Instant now) noexcept {
  const Headers& h = packet.headers();
  if (!is_question(h)) return host_answer(std::move(packet), segment, tables, now);
  // Duplicate address detection must stay unanswered, or the stack would give its address up.
  if (h.source.is_unspecified() || segment.owns(subject(h))) {
    const Drop reason = unanswered(h);
    return exits_.drop({std::move(packet).release(), reason}, now);
  }
  answer(std::move(packet), segment, kFixedMac, Builtin::kNeighbourTap,
         {Exit::Kind::kHostStack, kNoPort, segment.slot}, 0, now);
}

void Neighbours::host_answer(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                             Instant now) noexcept {
  const Headers h = packet.headers();
  const bool arp = h.message == Message::kArp;
  if (h.link_layer != segment.mac || !segment.owns(subject(h)) || h.destination.is_multicast() ||
      h.destination_mac.is_group()) {
    return exits_.drop({std::move(packet).release(), Drop::kHostStackDenied}, now);
  }
  Allowed allowed = EnforcePolicy::by_builtin(std::move(packet).release(), Builtin::kNeighbourHost,
                                              {Exit::Kind::kPort, kNoPort, segment.slot});
  if (segment.devices_only()) {
    // To the device's port and configured MAC, whatever the stack believes.
    DeviceSlot slot = tables.classifier().locate(h.destination).device;
    if (!arp && h.destination.is_link_local()) {
      slot = tables.device_by_link_local(segment.slot, h.destination);
    }
    if (arp && h.destination.is_unspecified()) {
      slot = tables.classifier().device_by_mac(h.destination_mac);
    }
    const DeviceLink& link = tables.device_link(slot);
    if (link.segment != segment.slot)
      return exits_.refuse(std::move(allowed), Drop::kHostStackDenied, now);
    EnforcePolicy::address_to(allowed, link);
    return exits_.send(std::move(allowed), now);
  }
  if (h.destination_mac == kFixedMac) {
    return resolve(std::move(allowed), segment, h.destination, now);
  }
  // The asker's own MAC, from its question. Which of several ports it stands behind is not known.
  for (std::size_t i = 1; i < segment.members.size(); ++i) {
    Packet copy = pool_.copy_of(allowed.bytes());
    if (!copy) break;
    copy.meta().headers = allowed.meta().headers;
    Allowed twin = EnforcePolicy::by_builtin(std::move(copy), Builtin::kNeighbourHost,
                                             {Exit::Kind::kPort, kNoPort, segment.slot});
    EnforcePolicy::address_to(twin, segment.members[i].port(),
                              {h.destination_mac, segment.mac, segment.members[i].vlan()});
    exits_.originate(std::move(twin), now);
  }
  if (segment.members.empty()) return exits_.refuse(std::move(allowed), Drop::kPortDown, now);
  EnforcePolicy::address_to(allowed, segment.members[0].port(),
                            {h.destination_mac, segment.mac, segment.members[0].vlan()});
  exits_.send(std::move(allowed), now);
}

void Neighbours::learn(BoundPacket&& packet, const SegmentInfo& segment, Instant now) noexcept {
  const Headers& h = packet.headers();
  Neighbour* n = segment.devices_only() ? nullptr : table_.find(segment.slot, subject(h));
  // An answer is addressed to who asked; an advertisement also says that it is one.
  const bool answer = segment.owns(h.destination) && (h.nd_solicited || h.message == Message::kArp);
  const bool asked = answer && n != nullptr && n->questions > 0;
  if (!asked) {
    const Drop reason = unsolicited(h);
    return exits_.drop({std::move(packet).release(), reason}, now);
  }
  Notice found;
  found.mac = h.link_layer.is_zero() ? h.source_mac : h.link_layer;
  found.port = packet.meta().port;
  found.vlan = h.vlan;
  exits_.consume(std::move(packet).release());
  is_at(*n, found, segment, now);
  if (n->askers == 0) return;
  crew_->each_other([&](WorkerSlot other) {
    if ((n->askers >> other & 1) != 0) static_cast<void>(crew_->tell(other, where(*n)));
  });
  n->askers = 0;
}

void Neighbours::is_at(Neighbour& n, const Notice& answer, const SegmentInfo& segment,
                       Instant now) noexcept {
  n.state = Neighbour::State::kKnown;
  n.questions = 0;
  n.mac = answer.mac;
  n.port = answer.port;
  n.vlan = answer.vlan;
  n.due = now + NeighbourTable::kFresh;
  n.expires = now + NeighbourTable::kLife;
  if (!n.held) return;
  Allowed held = std::move(*n.held);
  n.held.reset();
  exits_.resume();
  EnforcePolicy::address_to(held, n.port, {n.mac, segment.mac, n.vlan});
  exits_.send(std::move(held), now);
}

void Neighbours::told(const Notice& notice, const Tables& tables, Instant now) noexcept {
  const SegmentInfo* segment = tables.segment(notice.segment);
  Neighbour* n = table_.find(notice.segment, notice.address);
  if (segment != nullptr && n != nullptr && n->questions > 0) is_at(*n, notice, *segment, now);
}

void Neighbours::asked_by(WorkerSlot other, const Notice& notice, const Tables& tables,
                          Instant now) noexcept {
  const SegmentInfo* segment = tables.segment(notice.segment);
  if (segment == nullptr || segment->devices_only()) return;
  Neighbour* n = table_.find(notice.segment, notice.address);
  if (n != nullptr && n->state == Neighbour::State::kKnown && now < n->due) {
    static_cast<void>(crew_->tell(other, where(*n)));
    return;
  }
  if (n == nullptr) n = table_.add(notice.segment, notice.address, now);
  if (n == nullptr) return;
  n->askers = static_cast<std::uint8_t>(n->askers | 1U << other);
  if (now >= n->due) ask(*n, *segment, now);
}

void Neighbours::answer(BoundPacket&& question, const SegmentInfo& segment, const MacAddress& with,
                        Builtin rule, const Exit& exit, std::uint16_t vlan, Instant now) noexcept {
  const Headers h = question.headers();
  NeighbourFrame space;
  const NeighbourParty from{with, subject(h)};
  const NeighbourParty to{h.source_mac, h.source};
  const std::uint8_t flags =
      exit.kind == Exit::Kind::kPort ? kRouterSolicitedFlags : kSolicitedFlag;
  Packet reply = pool_.copy_of(
      h.message == Message::kArp ? write_arp(space, kArpReply, from, to)
                                 : write_nd(space, kNdAdvertisement, flags, from, to, subject(h)));
  if (!reply || parse_frame(reply.bytes(), reply.meta().headers))
    return exits_.drop({std::move(question).release(), Drop::kNoBuffer}, now);
  exits_.consume(std::move(question).release());
  reply.meta().segment = segment.slot;
  Allowed allowed = EnforcePolicy::by_builtin(std::move(reply), rule, exit);
  EnforcePolicy::address_to(allowed, exit.port, {to.mac, with, vlan});
  exits_.originate(std::move(allowed), now);
}

void Neighbours::resolve(Allowed&& allowed, const SegmentInfo& segment, const IpAddress& hop,
                         Instant now) noexcept {
  Neighbour* n = table_.find(segment.slot, hop);
  if (n != nullptr && n->state == Neighbour::State::kKnown && now < n->expires) {
    if (now >= n->due) ask(*n, segment, now);
    EnforcePolicy::address_to(allowed, n->port, {n->mac, segment.mac, n->vlan});
    return exits_.send(std::move(allowed), now);
  }
  if (n == nullptr) n = table_.add(segment.slot, hop, now);
  if (n == nullptr) return exits_.refuse(std::move(allowed), Drop::kNeighbourTableFull, now);
  n->state = Neighbour::State::kAsking;
  if (n->held) {
    exits_.refuse(std::move(allowed), Drop::kNeighbourPending, now);
  } else {
    n->held.emplace(std::move(allowed));
    exits_.hold(*n->held);
  }
  if (now >= n->due) ask(*n, segment, now);
}

void Neighbours::ask(Neighbour& n, const SegmentInfo& segment, Instant now) noexcept {
  const IpAddress* own = segment.host_address(n.address.version());
  if (n.address.is_link_local() && !n.address.is_v4()) own = &segment.link_local;
  n.due = now + NeighbourTable::kRetry;
  if (n.questions < UINT8_MAX) ++n.questions;
  if (crew_ != nullptr && !crew_->is_first()) {
    static_cast<void>(crew_->tell(kFirstWorker, notice_of(Notice::Kind::kWhoIs, n)));
    return;
  }
  if (own == nullptr) return;
  NeighbourFrame space;
  const NeighbourParty from{segment.mac, *own};
  const ConstBytes frame =
      n.address.is_v4()
          ? write_arp(space, kArpRequest, from, {MacAddress(), n.address})
          : write_nd(space, kNdSolicitation, 0, from, solicited_node(n.address), n.address);
  for (const wire::Member& member : segment.members) {
    Packet packet = pool_.copy_of(frame);
    if (!packet || parse_frame(packet.bytes(), packet.meta().headers)) return;
    packet.meta().segment = segment.slot;
    const MacAddress to = packet.meta().headers.destination_mac;
    Allowed question = EnforcePolicy::by_builtin(std::move(packet), Builtin::kNeighbourQuestion,
                                                 {Exit::Kind::kPort, kNoPort, segment.slot});
    EnforcePolicy::address_to(question, member.port(), {to, segment.mac, member.vlan()});
    exits_.originate(std::move(question), now);
  }
}

void Neighbours::tick(const Tables* tables, Instant now) noexcept {
  for (Neighbour& n : table_.entries()) {
    if (n.state == Neighbour::State::kFree) continue;
    const SegmentInfo* segment = tables == nullptr ? nullptr : tables->segment(n.segment);
    const bool asking = n.state == Neighbour::State::kAsking;
    const bool over = segment == nullptr || (!asking && now >= n.expires) ||
                      (asking && now >= n.due && n.questions >= NeighbourTable::kMaxQuestions);
    if (over) {
      if (n.held) {
        exits_.resume();
        exits_.refuse(std::move(*n.held), Drop::kNeighbourPending, now);
      }
      n = Neighbour{};
    } else if (now >= n.due && (asking || n.questions > 0)) {
      ask(n, *segment, now);
    }
  }
}

}  // namespace sallyport::dataplane
