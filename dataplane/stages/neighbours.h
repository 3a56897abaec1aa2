// neighbours: ARP (RFC 826) and neighbour discovery (RFC 4861), and nothing of them forwarded.
//
//   from a wire, question for the gateway's own address  -> the host stack, policed
//   from a device, what it says to its router            -> the host stack, policed
//   from a wire, question for the far end of a conduit   -> answered with the segment's MAC (proxy)
//   from an uplink, answer to our own question           -> learned, held packet released
//   from the host stack, any question                    -> answered with the fixed MAC
//   from the host stack, answer about its own address    -> the one who asked
//   everything else                                      -> dropped by name
//
// resolve() is the sending side: it sends at once to a known next hop, or asks and holds one
// packet. Thread: the worker. Allocation: packets from the pool only.
#pragma once

#include "dataplane/exits.h"
#include "dataplane/flow/neighbour_table.h"
#include "dataplane/stages/police.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

class Neighbours {
 public:
  Neighbours(PacketPool& pool, Exits& exits, Police& police)
      : pool_(pool), exits_(exits), police_(police) {}

  // Neighbour messages, and those that is_for_router(). `segment` is the packet's.
  void receive(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
               Instant now) noexcept;
  // `hop` is on `segment`'s link.
  [[gnu::noinline]] void resolve(Allowed&& allowed, const SegmentInfo& segment,
                                 const IpAddress& hop, Instant now) noexcept;
  // Repeats questions, gives up on those that nobody answers. Call about every 100 ms.
  void tick(const Tables* tables, Instant now) noexcept;
  NeighbourTable& table() noexcept { return table_; }

 private:
  void from_wire(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                 Instant now) noexcept;
  void punt(BoundPacket&& packet, const SegmentInfo& segment, PuntClass kind, Builtin rule,
            Instant now) noexcept;
  void for_router(BoundPacket&& packet, const SegmentInfo& segment, Instant now) noexcept;
  void from_host(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                 Instant now) noexcept;
  void host_answer(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
                   Instant now) noexcept;
  void learn(BoundPacket&& packet, const SegmentInfo& segment, Instant now) noexcept;
  void answer(BoundPacket&& question, const SegmentInfo& segment, const MacAddress& with,
              Builtin rule, const Exit& exit, std::uint16_t vlan, Instant now) noexcept;
  void ask(Neighbour& neighbour, const SegmentInfo& segment, Instant now) noexcept;
  bool may_proxy(const BoundPacket& question, const SegmentInfo& segment,
                 const Tables& tables) const noexcept;

  PacketPool& pool_;
  Exits& exits_;
  Police& police_;
  NeighbourTable table_;
};

}  // namespace sallyport::dataplane
