// An open flow's packet that has nothing to do but to go on: bound, tracked, counted and sent in
// one piece, without its headers being written down. Nearly all of a plant's traffic is this.
//
// It only ever says yes. A packet that it does not take is as it came, and so is its flow; the
// stages then judge it one by one (pipeline.cc) and name what is wrong. What it takes, they take
// too, to the same port with the same bytes, and leave the same flow and counts behind:
// tests/unit/dataplane/open_flow_test.cc plays the same traffic to both. Whoever watches packets
// (VerdictObserver) watches them on that way.
//
// Taken: TCP that only carries data within an established flow, and UDP, between enrolled devices
// or hosts beyond an uplink, also behind NAPT44. Of a flow that was last held good under other
// tables, what still_allowed() says. Thread: the worker.
#pragma once

#include "dataplane/exits.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/neighbour_table.h"
#include "dataplane/stages/classify.h"
#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/learn_names.h"
#include "dataplane/stages/parse_plain.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

class OpenFlow {
 public:
  // What is the same for a whole burst.
  struct Burst {
    const Tables& tables;
    Instant now;
    FlowTime tick;  // FlowTime::at(now)
  };

  OpenFlow(FlowTable& flows, const DynamicNames& names, NeighbourTable& neighbours, Exits& exits,
           Volumes& volumes)
      : flows_(flows), names_(names), neighbours_(neighbours), exits_(exits), volumes_(volumes) {}

  // Before the packets of a burst: nothing is remembered of those before.
  void begin_burst() noexcept {
    for (DeviceLink& router : routers_) router.home = kNobody;
    outsider_.home = neighbour_.home = kNobody;
  }
  // `packet` came from a wire whole; `plain` is true of it, and `match` of `plain.key`.
  [[gnu::always_inline]] bool send_on(Packet& packet, const PlainFrame& plain, FlowMatch match,
                                      const Burst& burst) noexcept {
    Flow& flow = *match.flow;
    const Tables& tables = burst.tables;
    if ((flow.flags & kNotHere) != 0) [[unlikely]]
      return false;

    const std::uint32_t from = flow.from(match.direction).home();
    const std::uint32_t to = flow.to(match.direction).home();
    PacketMeta& meta = packet.meta();
    const MutableBytes frame = packet.bytes();
    const auto link = fixed<kEthernetSize>(frame, 0);
    const LinkEnds seen{field<std::uint64_t, 6>(link) << 16 | meta.port,
                        field<std::uint64_t, 0>(link) << 16 | plain.vlan};
    // Who sends it, as Bind::run_by_flow() asks.
    const DeviceLink& sender = tables.device_link(device_of(from));
    if (!shows(seen, sender, from) && !shows(seen, outsider_, from) &&
        !from_outside(seen, from, tables)) [[unlikely]]
      return false;
    if (flow.checked != tables.mark() && !still_good(frame, plain, flow, burst)) [[unlikely]]
      return false;
    // Where it goes.
    const DeviceLink* receiver = &tables.device_link(device_of(to));
    if (receiver->home != to) {
      receiver = &router(plain.version);
      if (receiver->home != to || !flow.routed(match.direction)) {
        // Only the gateway itself stands in for a server.
        receiver = next_hop(
            to, match.direction == Direction::kFromClient ? flow.server : flow.client, burst);
        if (receiver == nullptr) [[unlikely]]
          return false;
      }
    }
    TxPort* const port = exits_.own_port(receiver->port());
    if (port == nullptr || plain.ttl <= 1 || plain.end - plain.l3 > receiver->mtu) [[unlikely]]
      return false;
    // The one branch that nothing predicts.
    const bool tcp = plain.key.protocol == IpProtocol::kTcp;
    if (!(tcp ? carries(frame, plain, flow, match.direction) : is_datagram(frame, plain, flow)))
        [[unlikely]]
      return false;

    flows_.set_deadline(flow, burst.tick.after(open_silence(flow, tables)), standing(flow, tcp));
    ++flow.packets[static_cast<std::size_t>(match.direction)];
    volumes_.came(segment_of(from), frame.size());
    meta.segment = segment_of(from);
    meta.device = device_of(from);
    meta.bare = true;
    meta.stages = kSeen;
    if (flow.mapped()) {
      meta.stages |= stage_bit(Stage::kRewrite);
      const bool from_client = match.direction == Direction::kFromClient;
      const IpAddress& becomes = from_client ? flows_.stand_in(flow) : flow.client;
      rewrite_ipv4(
          frame.data(), {plain.l3, plain.l4, plain.end, plain.key.protocol}, from_client,
          static_cast<std::uint32_t>(becomes.words()[1] >> 32),
          from_client ? static_cast<std::uint16_t>(flow.stand_in_port) : flow.at_client.port);
    }
    lower_ttl(frame, plain.l3, plain.version);
    relink(packet, plain.l3, plain.end, receiver->own >> 16, receiver->gateway >> 16,
           receiver->vlan());
    exits_.put(*port,
               EnforcePolicy::by_flow(std::move(packet), flow,
                                      {Exit::Kind::kPort, receiver->port(), segment_of(to)}),
               burst.now);
    return true;
  }

 private:
  // As DeviceLink has them.
  struct LinkEnds {
    std::uint64_t sender;
    std::uint64_t receiver;
  };
  static bool shows(LinkEnds seen, const DeviceLink& link, std::uint32_t home) noexcept {
    return seen.sender == link.own && seen.receiver == link.gateway && link.home == home;
  }
  [[gnu::noinline]] bool from_outside(LinkEnds seen, std::uint32_t from,
                                      const Tables& tables) noexcept;
  DeviceLink& router(IpVersion version) noexcept {
    return routers_[static_cast<std::size_t>(version == IpVersion::k6)];
  }
  // Left as it is if not: the stages cut it. For what is no segment or datagram they do not ask.
  [[gnu::noinline]] bool still_good(ConstBytes frame, const PlainFrame& plain, Flow& flow,
                                    const Burst& burst) const noexcept;
  // nullptr if it is a device or must be asked for. True until the next call.
  [[gnu::noinline]] const DeviceLink* next_hop(std::uint32_t to, const IpAddress& address,
                                               const Burst& burst) noexcept;
  // A segment that only carries something: what it tells is noted, and nothing if it is none.
  // Out of line, for want of registers.
  [[gnu::noinline]] static bool carries(ConstBytes frame, const PlainFrame& plain, Flow& flow,
                                        Direction from) noexcept;
  [[gnu::always_inline]] static bool is_datagram(ConstBytes frame, const PlainFrame& plain,
                                                 const Flow& flow) noexcept {
    return plain_udp(frame, plain).right && !LearnNames::might_concern(flow);
  }
  // What EvictionOrder says of a flow whose packet needs no more.
  static FlowStanding standing(const Flow& flow, bool tcp) noexcept {
    const bool answered = flow.packets[static_cast<std::size_t>(Direction::kFromServer)] != 0;
    const auto open = static_cast<unsigned>(tcp) | static_cast<unsigned>(answered);
    return static_cast<FlowStanding>(static_cast<unsigned>(FlowStanding::kHalfOpen) + open);
  }
  static_assert(static_cast<unsigned>(FlowStanding::kOpen) ==
                static_cast<unsigned>(FlowStanding::kHalfOpen) + 1);
  static constexpr std::uint32_t kNobody = home_of(kNoDevice, kNoSegment);
  // Flows that end in the gateway itself.
  static constexpr unsigned kNotHere = kClientIsHost | kServerIsHost;
  static constexpr std::uint16_t kSeen = stage_bit(Stage::kParse) | stage_bit(Stage::kBind) |
                                         stage_bit(Stage::kFlow) | stage_bit(Stage::kForward);
  FlowTable& flows_;
  const DynamicNames& names_;
  NeighbourTable& neighbours_;
  Exits& exits_;
  Volumes& volumes_;
  // Of a burst's last packet to a router, by its version, of its last one to a host on an uplink's
  // link, and of its last one from beyond an uplink: most go to one of them, and come from one.
  std::array<DeviceLink, 2> routers_;
  DeviceLink neighbour_;
  IpAddress near_;  // the neighbour's
  DeviceLink outsider_;
};

}  // namespace sallyport::dataplane
