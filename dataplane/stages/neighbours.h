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
// packet. Of several workers all have a table of their own; the first one asks on the wire, for
// itself and for who tells it to (Notice), and hands the answer on. Thread: the worker. Allocation:
// packets from the pool only.
#pragma once

#include "dataplane/crew.h"
#include "dataplane/exits.h"
#include "dataplane/flow/neighbour_table.h"
#include "dataplane/stages/police.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

class Neighbours {
 public:
  // `crew` is nullptr for a worker that is alone; else it outlives this object.
  Neighbours(PacketPool& pool, Exits& exits, Police& police, const Crew* crew)
      : pool_(pool), exits_(exits), police_(police), crew_(crew) {}

  // Neighbour messages, and those that is_for_router(). `segment` is the packet's.
  void receive(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
               Instant now) noexcept;
  // `hop` is on `segment`'s link.
  [[gnu::noinline]] void resolve(Allowed&& allowed, const SegmentInfo& segment,
                                 const IpAddress& hop, Instant now) noexcept;
  // Of the first worker: another one asks for a next hop. Of the others: its answer.
  void asked_by(WorkerSlot other, const Notice& notice, const Tables& tables, Instant now) noexcept;
  void told(const Notice& notice, const Tables& tables, Instant now) noexcept;
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
  void is_at(Neighbour& neighbour, const Notice& answer, const SegmentInfo& segment,
             Instant now) noexcept;
  void answer(BoundPacket&& question, const SegmentInfo& segment, const MacAddress& with,
              Builtin rule, const Exit& exit, std::uint16_t vlan, Instant now) noexcept;
  void ask(Neighbour& neighbour, const SegmentInfo& segment, Instant now) noexcept;
  bool may_proxy(const BoundPacket& question, const SegmentInfo& segment,
                 const Tables& tables) const noexcept;

  PacketPool& pool_;
  Exits& exits_;
  Police& police_;
  const Crew* crew_;
  NeighbourTable table_;
};

}  // namespace sallyport::dataplane
