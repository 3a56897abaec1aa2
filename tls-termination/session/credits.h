// Handshakes in flight, and the dataplane's grants for them. Each admitted connection holds one
// Credit; it is settled exactly once, whatever way the session ends, and gives its place back when
// it goes, so at any time
//     admitted == established + failed + timed_out + in flight
// in the books of each conduit (the front's, over all engines) and in those of each engine.
//
// Bounded twice: by the conduit's `inflight` at the front, and by the dataplane's grants, which it
// reclaims by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

#include "policy/base/units.h"
#include "policy/os/memfd.h"
#include "policy/wire/handover.h"

namespace sallyport::terminator {

struct AdmissionCounts {
  std::uint64_t admitted = 0;
  std::uint64_t established = 0;
  std::uint64_t failed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t in_flight = 0;

  void admit() {
    ++admitted;
    ++in_flight;
  }
  void settle(wire::HandoverOutcome outcome);
  bool add_up() const { return admitted == established + failed + timed_out + in_flight; }
};

struct Grant {
  wire::HandoverRecord record;
  std::uint32_t ring = 0;  // which attached ring it came by: a return goes there or nowhere
};

// The terminator's end of the handover ring: one consumer and one producer, so one thread's, the
// front's, however many engines there are.
class HandoverEnd {
 public:
  // Forgets every grant of an older ring.
  void attach(os::Mapping memory);
  bool attached() const { return static_cast<bool>(memory_); }

  // Takes in what the dataplane granted.
  void poll(Instant now);
  // Gives back grants nobody came for within `patience`.
  void expire(Instant now, Duration patience);
  // The grant for this connection, if there is one. It is then the caller's to return.
  std::optional<Grant> claim(std::uint64_t connection);
  void give_back(const Grant& grant, wire::HandoverOutcome outcome);

  std::uint64_t granted() const { return granted_; }
  std::uint64_t lost_returns() const { return lost_returns_; }

 private:
  struct Waiting {
    wire::HandoverRecord record;
    Instant since;
  };
  os::Mapping memory_;
  std::uint32_t ring_ = 0;
  std::optional<wire::HandoverConsumer> from_dataplane_;
  std::optional<wire::HandoverProducer> to_dataplane_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  std::uint64_t granted_ = 0;
  std::uint64_t lost_returns_ = 0;
};

struct Account;

// What the front wants to have back with a connection. Engines carry it and never look into it.
struct Ticket {
  Account* account = nullptr;  // the front's
  std::uint32_t engine = 0;
  std::optional<Grant> grant;
};

// Who is told about the end of a handshake and of a conversation.
class CreditBooks {
 public:
  virtual ~CreditBooks() = default;
  virtual void settled(const Ticket& ticket, wire::HandoverOutcome outcome) noexcept = 0;
  // After settled(); the place is free.
  virtual void left(const Ticket& ticket) noexcept = 0;
};

class Credit {
 public:
  // `books` outlives the credit.
  Credit(CreditBooks& books, const Ticket& ticket) : books_(&books), ticket_(ticket) {}
  Credit(Credit&& other) noexcept
      : books_(std::exchange(other.books_, nullptr)),
        ticket_(other.ticket_),
        settled_(other.settled_) {}
  Credit& operator=(Credit&&) = delete;
  Credit(const Credit&) = delete;
  Credit& operator=(const Credit&) = delete;
  // A session that just goes away has failed.
  ~Credit();

  // The first call counts, later ones do nothing.
  void settle(wire::HandoverOutcome outcome) noexcept;
  bool settled() const { return settled_; }
  const Ticket& ticket() const { return ticket_; }

 private:
  CreditBooks* books_;
  Ticket ticket_;
  bool settled_ = false;
};

}  // namespace sallyport::terminator
