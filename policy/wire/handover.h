// The memory that dataplane and terminator share: two single-producer single-consumer rings of
// 32-byte records in one sealed memfd (fixed size, cannot grow or shrink) that sallyport-setup
// makes. Each side treats the other as hostile: indices are read once and reduced modulo the ring,
// records are copied out before they are judged, and nothing that a record says can make in-flight
// exceed a conduit's bound (design: dataplane <-> terminator).
//
// Layout: Header | dataplane-to-terminator slots | terminator-to-dataplane slots. Each index has
// its own cache line; an index is written by one side only and its reader keeps its own copy of its
// own index (never believes the shared one).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "policy/base/net.h"

namespace sallyport::wire {

inline constexpr std::size_t kHandoverSlots = 4096;  // per direction, a power of two

enum class HandoverKind : std::uint8_t {
  kNone = 0,
  kCreditGranted = 1,   // dataplane: connection `id` of `conduit` may start its handshake;
                        // generation is this grant's
  kCreditReturned = 2,  // terminator: its handshake ended; outcome in `detail` (HandoverOutcome)
};

enum class HandoverOutcome : std::uint8_t {
  kEstablished = 0,
  kFailed = 1,
  kTimedOut = 2,
  kNoShow = 3
};

struct HandoverRecord {
  HandoverKind kind = HandoverKind::kNone;
  std::uint8_t detail = 0;
  std::uint16_t reserved = 0;
  std::uint32_t conduit = 0;     // rule slot
  std::uint32_t generation = 0;  // of the grant; a return counts only for the same one
  std::uint32_t reserved2 = 0;
  std::uint64_t id = 0;  // connection_id() below
  std::uint64_t value = 0;
};
static_assert(sizeof(HandoverRecord) == 32 && std::is_trivially_copyable_v<HandoverRecord>);

struct alignas(64) HandoverIndex {
  std::atomic<std::uint32_t> value;
  std::uint8_t padding[60];
};
static_assert(sizeof(HandoverIndex) == 64 && std::atomic<std::uint32_t>::is_always_lock_free);

struct HandoverRing {
  HandoverIndex head;  // written by the producer
  HandoverIndex tail;  // written by the consumer
  HandoverRecord slots[kHandoverSlots];
};
struct HandoverMemory {
  HandoverRing to_terminator;
  HandoverRing to_dataplane;
};

// One side's view of one ring. Not thread-safe: one producer thread, one consumer thread.
class HandoverProducer {
 public:
  // `ring` must outlive this object. Starts at the ring's current head.
  explicit HandoverProducer(HandoverRing& ring)
      : ring_(&ring), head_(ring.head.value.load(std::memory_order_relaxed)) {}
  // False (and nothing written) when the consumer is kHandoverSlots behind, or claims to be ahead.
  bool push(const HandoverRecord& record) noexcept;

 private:
  HandoverRing* ring_;
  std::uint32_t head_;
};

class HandoverConsumer {
 public:
  explicit HandoverConsumer(HandoverRing& ring)
      : ring_(&ring), tail_(ring.head.value.load(std::memory_order_acquire)) {
    ring.tail.value.store(tail_, std::memory_order_release);
  }
  // False when empty. A producer index out of range (hostile) makes the ring resynchronise:
  // skipped, never read past.
  bool pop(HandoverRecord& out) noexcept;

 private:
  HandoverRing* ring_;
  std::uint32_t tail_;
};

// What both sides call a leg-A connection: a 64-bit mix of the client's address and port and the
// listener's port.
std::uint64_t connection_id(const IpAddress& client, std::uint16_t client_port,
                            std::uint16_t listener_port) noexcept;

}  // namespace sallyport::wire
