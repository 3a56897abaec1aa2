// Handshakes in flight of one conduit, and the dataplane's grants for them. Each admitted
// connection holds one Credit until its handshake ends; a Credit gives itself back exactly once,
// whatever way the session ends, so at any time
//     admitted == established + failed + timed_out + in flight.
//
// Bounded twice: by the conduit's `inflight` here, and by the dataplane's grants, which it reclaims
// by itself. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "policy/base/units.h"
#include "policy/os/memfd.h"
#include "policy/wire/handover.h"

namespace sallyport::terminator {

struct AdmissionCounts {
  std::uint64_t admitted = 0;
  std::uint64_t established = 0;
  std::uint64_t failed = 0;
  std::uint64_t timed_out = 0;
  std::uint32_t in_flight = 0;
};

// The terminator's end of the handover ring.
class HandoverEnd {
 public:
  // Forgets every grant of an older ring.
  void attach(os::Mapping memory, std::uint32_t generation);
  bool attached() const { return static_cast<bool>(memory_); }

  // Takes in what the dataplane granted; gives back grants nobody came for within `patience`.
  void poll(Instant now, Duration patience);
  // The grant for this connection, if there is one. It is then the caller's to return.
  std::optional<wire::HandoverRecord> claim(std::uint64_t connection);
  void give_back(const wire::HandoverRecord& grant, wire::HandoverOutcome outcome);

  std::uint64_t granted() const { return granted_; }
  std::uint64_t lost_returns() const { return lost_returns_; }

 private:
  struct Waiting {
    wire::HandoverRecord record;
    Instant since;
  };
  os::Mapping memory_;
  std::optional<wire::HandoverConsumer> from_dataplane_;
  std::optional<wire::HandoverProducer> to_dataplane_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  std::uint64_t granted_ = 0;
  std::uint64_t lost_returns_ = 0;
};

class Credit {
 public:
  Credit() = default;
  // `counts` and `handover` outlive the credit.
  Credit(AdmissionCounts& counts, HandoverEnd& handover, std::optional<wire::HandoverRecord> grant);
  Credit(Credit&& other) noexcept { *this = std::move(other); }
  Credit& operator=(Credit&& other) noexcept;
  Credit(const Credit&) = delete;
  Credit& operator=(const Credit&) = delete;
  // A session that just goes away has failed.
  ~Credit() { settle(wire::HandoverOutcome::kFailed); }

  // The first call counts, later ones do nothing.
  void settle(wire::HandoverOutcome outcome) noexcept;

 private:
  AdmissionCounts* counts_ = nullptr;
  HandoverEnd* handover_ = nullptr;
  std::optional<wire::HandoverRecord> grant_;
};

}  // namespace sallyport::terminator
