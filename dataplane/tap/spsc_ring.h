// A bounded ring of values between exactly one producer thread and one consumer thread. An empty
// T, as T() makes it, tells that there is nothing; it is never put in.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "dataplane/cache_line.h"
#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

template <class T>
class SpscRing {
 public:
  // `room` is a power of two.
  explicit SpscRing(std::uint32_t room) : slots_(room), mask_(room - 1) {
    SALLYPORT_CHECK(room != 0 && (room & mask_) == 0);
  }
  // False when full: the value stays the caller's.
  bool push(T& value) noexcept {
    if (full()) return false;
    const std::uint32_t head = head_.value.load(std::memory_order_relaxed);
    slots_[head & mask_] = std::move(value);
    head_.value.store(head + 1, std::memory_order_release);
    return true;
  }
  // For the producer: the next push() would fail.
  bool full() const noexcept { return room() == 0; }
  // For the producer: how many it can put in.
  std::size_t room() const noexcept {
    return mask_ + 1 -
           (head_.value.load(std::memory_order_relaxed) -
            tail_.value.load(std::memory_order_acquire));
  }
  // For the producer: how many it has put in so far, modulo 2^32.
  std::uint32_t pushed() const noexcept { return head_.value.load(std::memory_order_relaxed); }
  // An empty T when there is none.
  T pop() noexcept {
    const std::uint32_t tail = tail_.value.load(std::memory_order_relaxed);
    if (tail == head_.value.load(std::memory_order_acquire)) return {};
    T out = std::exchange(slots_[tail & mask_], T());
    tail_.value.store(tail + 1, std::memory_order_release);
    return out;
  }
  // As many as there are and `out`, of empty Ts, has room for. Returns how many.
  std::size_t pop(std::span<T> out) noexcept {
    const std::uint32_t tail = tail_.value.load(std::memory_order_relaxed);
    const std::uint32_t there = head_.value.load(std::memory_order_acquire) - tail;
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(there, out.size()));
    for (std::uint32_t i = 0; i < count; ++i)
      out[i] = std::exchange(slots_[(tail + i) & mask_], T());
    tail_.value.store(tail + count, std::memory_order_release);
    return count;
  }
  bool empty() const noexcept {
    return tail_.value.load(std::memory_order_acquire) ==
           head_.value.load(std::memory_order_acquire);
  }
  // Where the values lie: what both ends write, and all that both write.
  std::span<const T> slots() const noexcept { return slots_; }

 private:
  LineVector<T> slots_;
  std::uint32_t mask_;
  OwnLine<std::atomic<std::uint32_t>> head_;
  OwnLine<std::atomic<std::uint32_t>> tail_;
};
using PacketRing = SpscRing<Packet>;

}  // namespace sallyport::dataplane
