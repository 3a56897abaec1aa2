// The simulator's clock and its pending events: a wheel of slots of 250 us with intrusive lists in
// one pool. Scheduling and firing cost a constant; events beyond the wheel's turn (131 s) wait in
// their slot for the right turn. Events of one slot fire latest-scheduled first; runs with the same
// seed repeat exactly.
#pragma once

#include <cstdint>
#include <vector>

namespace sallyport::storm {

using Slot = std::uint32_t;
inline constexpr Slot kSlotsPerMs = 4;
constexpr Slot ms(double milliseconds) {
  return (static_cast<Slot>(milliseconds * kSlotsPerMs * 2) + 1) / 2;  // rounded
}
constexpr Slot seconds(double s) { return ms(s * 1000); }
constexpr double to_seconds(Slot slot) {
  return static_cast<double>(slot) / (1000.0 * kSlotsPerMs);
}

enum class EventKind : std::uint8_t {
  kTimer,        // the client's own: first attempt, retry, SYN retransmission, giving up
  kSynAck,       // a server's (or gateway's) answer reaches the client
  kAsked,        // the ClientHello reaches the gateway
  kHello,        // the ClientHello reaches the server
  kServerHello,  // the server's first flight reaches the gateway
  kFinished,     // the client's last flight reaches the gateway: established
  kReset,        // a refusal reaches the client
  kLeft,         // the client's reset reaches the gateway
  kNotice,       // a connected client notices that its connection is gone
};

struct Event {
  std::uint32_t client;
  std::uint32_t attempt : 24;
  std::uint32_t kind : 8;
};

class EventWheel {
 public:
  explicit EventWheel(std::size_t events) : heads_(kTurn, kNone) { pool_.reserve(events); }

  Slot now() const { return now_; }
  std::size_t pending() const { return pending_; }

  void at(Slot when, std::uint32_t client, std::uint32_t attempt, EventKind kind) {
    if (when <= now_) when = now_ + 1;
    std::uint32_t id = free_;
    if (id != kNone) {
      free_ = pool_[id].next;
    } else {
      id = static_cast<std::uint32_t>(pool_.size());
      pool_.emplace_back();
    }
    Node& node = pool_[id];
    node.event = {client, attempt & 0xffffffU, static_cast<std::uint32_t>(kind)};
    node.when = when;
    node.next = heads_[when % kTurn];
    heads_[when % kTurn] = id;
    ++pending_;
  }

  // Moves to the next slot and fires what is due in it.
  template <class Fire>
  void advance(Fire&& fire) {
    ++now_;
    std::uint32_t id = heads_[now_ % kTurn];
    heads_[now_ % kTurn] = kNone;
    while (id != kNone) {
      const std::uint32_t next = pool_[id].next;
      if (next != kNone) __builtin_prefetch(&pool_[next]);
      if (pool_[id].when != now_) {  // a later turn
        pool_[id].next = heads_[now_ % kTurn];
        heads_[now_ % kTurn] = id;
      } else {
        const Event event = pool_[id].event;
        pool_[id].next = free_;
        free_ = id;
        --pending_;
        fire(event);
      }
      id = next;
    }
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr Slot kTurn = 1U << 19;
  struct Node {
    Event event;
    Slot when;
    std::uint32_t next;
  };
  std::vector<std::uint32_t> heads_;
  std::vector<Node> pool_;
  std::uint32_t free_ = kNone;
  Slot now_ = 0;
  std::size_t pending_ = 0;
};

}  // namespace sallyport::storm
