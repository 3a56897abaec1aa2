// Handshakes in flight towards the terminator: one credit per new connection of a Terminate rule,
// never more of them than the rule's bound, whatever the ring says. A credit comes back when the
// terminator returns it (same connection, same generation) or when kReclaimAfter has passed.
// design §2 "dataplane <-> terminator", §6.
//
// The terminator is hostile here: a return that matches no grant is counted and does nothing.
// Thread: one worker. No allocation after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "dataplane/cache_line.h"
#include "dataplane/headers.h"
#include "dataplane/telemetry/counters.h"
#include "policy/base/units.h"
#include "policy/wire/handover.h"

namespace sallyport::dataplane {

class Credits {
 public:
  static constexpr std::size_t kBuckets = 1024;
  static constexpr std::size_t kWays = 8;
  // The terminator's handshake timeout (10 s) and 5 s more.
  static constexpr Duration kReclaimAfter = std::chrono::seconds(15);
  static constexpr std::uint32_t kDefaultInFlight = 64;

  explicit Credits(Counters& counters);

  // `memory` outlives this object or the next attach(). Without a ring grants still count.
  void attach(wire::HandoverMemory* memory) noexcept;
  // False when the rule's bound (0 = kDefaultInFlight) or the table is full. The same connection
  // asking again keeps its place under a new generation.
  bool grant(RuleSlot rule, std::uint32_t bound, std::uint64_t connection, Instant now) noexcept;
  // Would grant() say yes now?
  bool has_room(RuleSlot rule, std::uint32_t bound, std::uint64_t connection) const noexcept;
  // Takes returns from the ring and reclaims what is overdue; bounded work per call.
  void poll(Instant now) noexcept;
  bool any_granted() const noexcept { return granted_ > 0; }
  std::uint32_t in_flight(RuleSlot rule) const noexcept {
    return rule < in_flight_.size() ? in_flight_[rule] : 0;
  }

 private:
  struct Grant {
    std::uint64_t connection = 0;
    Instant expires;
    RuleSlot rule = 0;
    std::uint32_t generation = 0;  // 0 = free
  };
  std::span<const Grant> ways(std::uint64_t connection) const noexcept;
  const Grant* find(std::uint64_t connection) const noexcept;
  Grant* find(std::uint64_t connection) noexcept {
    return const_cast<Grant*>(std::as_const(*this).find(connection));
  }
  void release(Grant& grant) noexcept;

  Counters& counters_;
  LineVector<Grant> grants_;
  LineVector<std::uint32_t> in_flight_;  // by rule slot
  std::optional<wire::HandoverProducer> to_terminator_;
  std::optional<wire::HandoverConsumer> from_terminator_;
  std::uint32_t generation_ = 0;
  std::size_t granted_ = 0;  // over all rules
  std::size_t sweep_ = 0;
};

}  // namespace sallyport::dataplane
