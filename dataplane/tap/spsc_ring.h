// A bounded ring of packets between exactly one producer thread and one consumer thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/cache_line.h"
#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

class PacketRing {
 public:
  // `room` is a power of two.
  explicit PacketRing(std::uint32_t room) : slots_(room), mask_(room - 1) {
    SALLYPORT_CHECK(room != 0 && (room & mask_) == 0);
  }
  // False when full: the packet stays the caller's.
  bool push(Packet& packet) noexcept {
    if (full()) return false;
    const std::uint32_t head = head_.value.load(std::memory_order_relaxed);
    slots_[head & mask_] = std::move(packet);
    head_.value.store(head + 1, std::memory_order_release);
    return true;
  }
  // For the producer: the next push() would fail.
  bool full() const noexcept {
    return head_.value.load(std::memory_order_relaxed) -
               tail_.value.load(std::memory_order_acquire) >
           mask_;
  }
  // An empty packet when there is none.
  Packet pop() noexcept {
    const std::uint32_t tail = tail_.value.load(std::memory_order_relaxed);
    if (tail == head_.value.load(std::memory_order_acquire)) return {};
    Packet out = std::move(slots_[tail & mask_]);
    tail_.value.store(tail + 1, std::memory_order_release);
    return out;
  }
  bool empty() const noexcept {
    return tail_.value.load(std::memory_order_acquire) ==
           head_.value.load(std::memory_order_acquire);
  }

 private:
  std::vector<Packet> slots_;
  std::uint32_t mask_;
  OwnLine<std::atomic<std::uint32_t>> head_;
  OwnLine<std::atomic<std::uint32_t>> tail_;
};

}  // namespace sallyport::dataplane
