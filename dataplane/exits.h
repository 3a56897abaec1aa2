// The three ways out of the pipeline: a port, a segment's host stack, or the end with one named
// reason. Counts all of them, keeps drop records, and tells an observer (capture, tests).
//
// Thread: the worker. Everything is preallocated.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "dataplane/allowed.h"
#include "dataplane/dpdk/port.h"
#include "dataplane/tap/host_stack_port.h"
#include "dataplane/telemetry/counters.h"
#include "dataplane/telemetry/drop_records.h"
#include "dataplane/telemetry/stages.h"
#include "dataplane/telemetry/volumes.h"

namespace sallyport::dataplane {

struct PlainFrame;
class Refused;
struct TurnedAway;

// Sees what becomes of each packet, before it is gone. Called on the worker.
class VerdictObserver {
 public:
  VerdictObserver() = default;
  VerdictObserver(const VerdictObserver&) = delete;
  VerdictObserver& operator=(const VerdictObserver&) = delete;
  virtual ~VerdictObserver() = default;
  virtual void arrived(Packet& packet, Instant now) noexcept = 0;
  // Its headers are known, its bytes still as they came. Returns its number if it is only now of
  // interest, else 0.
  virtual std::uint64_t parsed(const ParsedPacket& /*packet*/, Instant /*now*/) noexcept {
    return 0;
  }
  virtual void ended(const Packet& packet, Drop reason) noexcept = 0;
  virtual void left(const Allowed& allowed) noexcept = 0;
  // Permitted, and waits for its next hop's MAC.
  virtual void waits(const Allowed& /*allowed*/) noexcept {}
  // The packet of this number is another worker's to judge, whose observer sees it arrive again.
  virtual void handed_over(std::uint64_t /*number*/) noexcept {}
};

// To the worker whose exit it is.
using PermittedRing = SpscRing<std::optional<Allowed>>;

class Exits {
 public:
  static constexpr std::size_t kMaxSlots = 256;

  Exits(Counters& counters, Volumes& volumes);

  [[gnu::noinline]] void drop(Dropped&& gone, Instant now) noexcept;
  // What volumes and drop() note of a plain frame that ends here, whose headers nobody wrote down
  // and whom nobody observes.
  void turn_away(Packet&& packet, const PlainFrame& plain, Refused refused, Instant now) noexcept;
  // The same of up to kBurst of them, whose records' memory is asked for together.
  void turn_away(std::span<const TurnedAway> gone, Instant now) noexcept;
  // This worker's way to a port; nullptr if it has none.
  TxPort* own_port(PortSlot slot) noexcept {
    if (slot >= kMaxSlots || !ports_.data()[slot].present()) return nullptr;
    return &ports_.data()[slot];
  }
  // What send() does with a flow's whole packet for this port, where nobody observes.
  [[gnu::always_inline]] void put(TxPort& port, Allowed&& allowed, Instant now) noexcept {
    if (port.full()) [[unlikely]]
      flush_port(port, now);
    volumes_.left(allowed);
    port.send(std::move(allowed));
  }
  // To its exit; dropped with a reason if that is absent or full.
  void send(Allowed&& allowed, Instant now) noexcept;
  // The same for a frame that the gateway made itself.
  void originate(Allowed&& allowed, Instant now) noexcept {
    ++counters_.originated;
    send(std::move(allowed), now);
  }
  // Permitted, but it cannot be done.
  void refuse(Allowed&& allowed, Drop reason, Instant now) noexcept {
    drop({std::move(allowed.packet_), reason}, now);
  }
  // It stays in the gateway until its next hop is known; `false` when it goes on.
  void hold(const Allowed& allowed) noexcept {
    ++counters_.held;
    if (observer_ != nullptr) observer_->waits(allowed);
  }
  void resume() noexcept { --counters_.held; }
  // To the worker whose it is; dropped if that does not take it.
  void hand_over(Packet&& packet, PacketRing& to, Instant now) noexcept;
  // What another worker has permitted and shown, by an exit that only this one has.
  void send_for_other(Allowed&& allowed, Instant now) noexcept;
  // A message to the gateway itself that has done its work.
  void consume(Packet&& packet) noexcept {
    ++counters_.consumed;
    packet.reset();
  }
  // Hands what was collected to the drivers, and the buffers of what was dropped to their pools.
  void flush(Instant now) noexcept;

  void attach_port(PortSlot slot, PortDriver& driver);
  // Another worker alone may send by this port, or to host stacks. The ring outlives this object.
  void reach_port(PortSlot slot, PermittedRing& ring);
  void reach_host_stacks(PermittedRing& ring) { stacks_elsewhere_ = &ring; }
  void attach_host_stack(SegmentSlot segment, HostStackRings& rings);
  void detach_host_stack(SegmentSlot segment) noexcept;
  HostStackPort& host_stack(SegmentSlot segment) noexcept { return host_stacks_[segment]; }
  std::span<TxPort> ports() noexcept { return ports_; }
  // Segments that have a host stack.
  std::span<const SegmentSlot> present_stacks() const noexcept { return present_stacks_; }
  // Host stacks that got a packet since the last call: the TAP thread must be woken.
  bool take_host_stack_pending() noexcept { return std::exchange(host_stack_pending_, false); }

  // Where the pieces of datagrams come from; without it they are dropped.
  void cut_into(PacketPool& pool) noexcept { pieces_ = &pool; }
  void observe(VerdictObserver* observer) noexcept { observer_ = observer; }
  VerdictObserver* observer() noexcept { return observer_; }
  const DropRecords& drop_records() const noexcept { return records_; }
  // Which revision drops are written down under.
  void note_revision(std::uint64_t revision) noexcept { revision_ = revision; }

 private:
  [[gnu::noinline]] void to_other(PermittedRing* ring, Allowed&& allowed, Drop otherwise,
                                  Instant now) noexcept;
  void note(const Packet& packet, Refused refused) noexcept;
  DropExample example_of(const Packet& packet, const PlainFrame& plain) const noexcept;
  void to_port(TxPort& port, Allowed&& allowed, Instant now) noexcept;
  [[gnu::noinline]] void send_in_pieces(TxPort& port, Allowed&& whole, Instant now) noexcept;
  [[gnu::noinline]] void flush_port(TxPort& port, Instant now) noexcept;
  static constexpr std::size_t kDropRecords = 8192;
  LineVector<TxPort> ports_;
  LineVector<HostStackPort> host_stacks_;
  LineVector<PortSlot> present_ports_;  // sorted, as are the stacks
  LineVector<SegmentSlot> present_stacks_;
  LineVector<PermittedRing*> ports_elsewhere_;
  PermittedRing* stacks_elsewhere_ = nullptr;
  Counters& counters_;
  Volumes& volumes_;
  DropRecords records_;
  struct Recording {
    DropKey key;
    std::uint64_t hash = 0;
  };
  std::array<Recording, kBurst> drops_;  // of a burst
  PacketBin gone_;
  PacketPool* pieces_ = nullptr;
  VerdictObserver* observer_ = nullptr;
  std::uint64_t revision_ = 0;
  bool host_stack_pending_ = false;
};

}  // namespace sallyport::dataplane
