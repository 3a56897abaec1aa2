// The packet path of one worker: every stage, every table, and the order in which a packet meets
// them (pipeline.cc reads top to bottom). The same object runs in the daemon, in the trace tests
// and under the fuzzer; only who feeds it differs.
//
// Default-deny: without tables every packet ends as no-snapshot. Tables are lent (set_tables) and
// must stay until others were set. Thread: one, the worker; no allocation, lock, log, system call
// or exception per packet; memory is taken by the constructor.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <utility>

#include "dataplane/crew.h"
#include "dataplane/exits.h"
#include "dataplane/flow/credits.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/stages/bind.h"
#include "dataplane/stages/dhcp.h"
#include "dataplane/stages/fragments.h"
#include "dataplane/stages/learn_names.h"
#include "dataplane/stages/neighbours.h"
#include "dataplane/stages/open_flow.h"
#include "dataplane/stages/police.h"
#include "dataplane/stages/report.h"
#include "dataplane/tables.h"
#include "dataplane/telemetry/counters.h"
#include "dataplane/telemetry/events.h"

namespace sallyport::dataplane {

struct PipelineOptions {
  std::uint32_t flows = 65536;
  std::array<std::uint64_t, 2> hash_secret{};
  PortShare nat_ports;  // this worker's
  Instant now;          // also the moment of start for kRestartGrace
  // Nothing: it is alone, and every packet its.
  std::optional<Crew> crew;
};

class alignas(kCacheLine) Pipeline {
 public:
  // For so long after a start, flows that the restart forgot are reset rather than ignored.
  static constexpr Duration kRestartGrace = std::chrono::seconds(120);

  // `datagrams` is make_datagram_pool()'s.
  Pipeline(const PipelineOptions& options, PacketPool& pool, PacketPool& datagrams, Events& events);

  // At most so many frames at once.
  static constexpr std::size_t kMaxBurst = kBurst;

  // Frames from a port's wire, or out of a segment's host stack. Those of a burst that are flows'
  // go on together, in their order, after the others.
  void from_port(PortSlot port, std::span<Packet> burst, Instant now) noexcept;
  void from_port(PortSlot port, Packet&& packet, Instant now) noexcept {
    from_port(port, std::span(&packet, 1), now);
  }
  void from_host(SegmentSlot segment, std::span<Packet> burst, Instant now) noexcept;
  void from_host(SegmentSlot segment, Packet&& packet, Instant now) noexcept {
    from_host(segment, std::span(&packet, 1), now);
  }
  // What other workers have handed over, a burst of each. Returns how many packets. Call once per
  // poll.
  std::size_t take_over(Instant now) noexcept;
  // Ageing, repeated questions, credits, re-checking flows after a swap. Call once per poll.
  void housekeeping(Instant now) noexcept;
  // Housekeeping has something in hand that wants its next call within half a millisecond; else
  // ten do.
  bool unfinished() const noexcept {
    return recheck_ > 0 || flows_.behind() || credits_.any_granted();
  }
  // Once per poll, after everything: until then packets wait for their burst to be full.
  void flush(Instant now) noexcept { exits_.flush(now); }

  // nullptr = deny everything. Flows stay; each is held against the new tables at its next packet,
  // or by housekeeping within 1 s.
  void set_tables(const Tables* tables) noexcept;
  const Tables* tables() const noexcept { return tables_; }

  Exits& exits() noexcept { return exits_; }
  FlowTable& flows() noexcept { return flows_; }
  const PortMappings& mappings() const noexcept { return mappings_; }
  Credits& credits() noexcept { return credits_; }
  DynamicNames& names() noexcept { return names_.names(); }
  NeighbourTable& neighbours() noexcept { return neighbours_.table(); }
  const Counters& counters() const noexcept { return counters_; }
  const Volumes& volumes() const noexcept { return volumes_; }
  std::uint64_t events_lost() const noexcept { return events_.lost(); }

 private:
  // Packets that wait for the flow table's memory, where the caller has them.
  struct Waiting {
    PlainFrame frame;
    FlowTable::Looking looking;
    Packet* packet = nullptr;
  };
  // Of one that no flow is likely to take: what policy says of it, if its link tells who sends it
  // and it is plausible().
  struct Beginning {
    std::optional<LinkSender> sender;
    WorkerSlot owner = 0;  // of several; whose it is decides
    decide::Verdict verdict;
  };
  // Did a port's last burst bring senders whom nobody enrolled, or under nobody's address? Then the
  // next one's are looked for before flows, which cannot be theirs. A hint: what becomes of a
  // packet does not depend on it.
  class Intruders {
   public:
    void begin_burst(PortSlot port) noexcept {
      port_ = port % seen_.size();
      expected_ = std::exchange(seen_[port_], false);
    }
    bool expected() const noexcept { return expected_; }
    void note(Drop reason) noexcept {
      seen_[port_] |= reason == Drop::kUnknownDevice || reason == Drop::kSpoofedSource;
    }

   private:
    std::array<bool, wire::kMaxPorts> seen_{};
    std::size_t port_ = 0;
    bool expected_ = false;
  };
  // Each to its end, or among those that wait.
  [[gnu::noinline]] void enter(std::span<Packet> burst, Instant now) noexcept;
  [[gnu::noinline]] bool enter_described(Packet& packet, PlainFrame& frame, Instant now) noexcept;
  // By the general parser, and before an observer's eyes; nothing if that was its end.
  [[gnu::noinline]] std::optional<ParsedPacket> parse(Packet&& packet, Instant now) noexcept;
  template <class Next>
  void described(Packet& packet, const PlainFrame& frame, Instant now, Next next) noexcept;
  [[gnu::noinline]] void hear(Instant now) noexcept;
  // True if its end was known at once: somebody that bind surely refuses.
  [[gnu::noinline]] bool turned_away(Packet& packet, const PlainFrame& frame, Instant now) noexcept;
  [[gnu::noinline]] std::size_t judge_crossed(PacketRing& crossed, Instant now) noexcept;
  std::optional<WorkerSlot> other_owner(const BoundPacket& packet) const noexcept;
  [[gnu::noinline]] void hand_over(BoundPacket&& packet, WorkerSlot owner, bool came_over,
                                   Instant now) noexcept;
  [[gnu::noinline]] void hand_over(Packet& packet, const PlainFrame& frame,
                                   const LinkSender& sender, WorkerSlot owner,
                                   Instant now) noexcept;
  bool is_mine(const Flow& flow) const noexcept;
  [[gnu::noinline]] void flow_packets(Instant now) noexcept;
  [[gnu::noinline]] void looked_up(ParsedPacket&& packet, FlowMatch match, Instant now) noexcept;
  [[gnu::noinline]] void by_sender(ParsedPacket&& packet, const FlowMatch* match,
                                   Instant now) noexcept;
  // What the beginnings of a burst need of memory is asked for together.
  [[gnu::noinline]] void ask_ahead(std::span<const Waiting> burst, Instant now) noexcept;
  static bool asked_ahead(const Waiting& waiting) noexcept {
    return waiting.looking.likely == nullptr && !waiting.frame.described;
  }
  Beginning& beginning_of(const Waiting& waiting) noexcept {
    return beginnings_.data()[&waiting - waiting_.data()];
  }
  bool is_mine(const Beginning& beginning) const noexcept {
    return !crew_ || beginning.owner == crew_->self();
  }
  void locate(const Waiting& waiting, Beginning& out) const noexcept;
  void decide(const Waiting& waiting, Beginning& located, Instant now) noexcept;
  // A plain frame of no flow: what policy says becomes of it, or its end.
  [[gnu::noinline]] void begins(const Waiting& waiting, Instant now) noexcept;
  // The same of all others.
  [[gnu::noinline]] void flowless(Packet& packet, const PlainFrame& frame, Instant now) noexcept;
  // What bind let in: to its service, its flow or the classifier.
  void bound(BoundPacket&& packet, const FlowMatch* match, Instant now) noexcept;
  [[gnu::noinline]] void fragment(BoundPacket&& packet, Instant now) noexcept;
  void datagram(Packet&& whole, bool came_over, Instant now) noexcept;
  void flow_packet(BoundPacket&& packet, const FlowMatch& match, Instant now) noexcept;
  void first_packet(BoundPacket&& packet, Instant now) noexcept;
  [[gnu::noinline]] void first_packet(BoundPacket&& packet, const decide::Verdict& verdict,
                                      Instant now) noexcept;
  std::expected<Flow*, Drop> place(Opening& opening, wire::RuleKind kind, Instant now) noexcept;
  void forward(Packet&& packet, Flow& flow, Direction direction, Instant now) noexcept;
  [[gnu::noinline]] void icmp_error(BoundPacket&& packet, Instant now) noexcept;
  void refused(Packet&& packet, Drop reason, bool would_allow, Instant now) noexcept;
  std::uint16_t mtu_of(SegmentSlot slot) const noexcept;
  void leave(Allowed&& allowed, const SegmentInfo& segment, DeviceSlot device, const IpAddress& to,
             Instant now) noexcept;
  [[gnu::noinline]] void troubled(Packet&& packet, Trouble trouble, std::uint16_t mtu,
                                  Instant now) noexcept;
  void answer(const PacketMeta& asked, Packet&& made, Builtin rule, Instant now) noexcept;
  [[gnu::noinline]] void to_host(Allowed&& allowed, Instant now) noexcept;
  void recheck_flows(Duration since_last, Instant now) noexcept;
  [[gnu::noinline]] void cut(Flow& flow) noexcept;
  void drop(Packet&& packet, Drop reason, Instant now) noexcept {
    exits_.drop({std::move(packet), reason}, now);
  }

  std::array<Waiting, kMaxBurst> waiting_;  // in whole cache lines, hence first
  std::size_t waiting_count_ = 0;
  std::array<Beginning, kMaxBurst> beginnings_;    // of waiting_, in its places
  std::array<TurnedAway, kMaxBurst> turned_away_;  // of those that policy denied
  std::size_t turned_away_count_ = 0;
  PacketPool& pool_;
  Events& events_;
  const std::optional<Crew> crew_;
  bool came_over_ = false;  // are the packets at hand another worker's that read them?
  Counters counters_;
  Volumes volumes_;
  Exits exits_{counters_, volumes_};
  PortMappings mappings_;
  FlowTable flows_;
  LearnNames names_;
  Police police_;
  Neighbours neighbours_;
  Dhcp dhcp_;
  Credits credits_{counters_};
  OpenFlow open_flow_{flows_, names_.names(), neighbours_.table(), exits_, volumes_};
  const Tables* tables_ = nullptr;
  Instant started_;
  Instant next_tick_;
  Intruders intruders_;
  Instant housekept_;             // when housekeeping() was last called
  std::uint32_t serial_ = 0;      // of the last tables
  std::size_t recheck_ = 0;       // places still to be held against new tables
  std::size_t recheck_at_ = 0;    // the next of them, round the table
  std::size_t recheck_owed_ = 0;  // of them, at the next call whatever the time
  Fragments fragments_;
};

}  // namespace sallyport::dataplane
