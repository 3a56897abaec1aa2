#include "policy/wire/handover.h"

namespace sallyport::wire {

bool HandoverProducer::push(const HandoverRecord& record) noexcept {
  const std::uint32_t tail = ring_->tail.value.load(std::memory_order_acquire);
  if (head_ - tail >= kHandoverSlots) return false;  // full, or a tail that cannot be
  ring_->slots[head_ % kHandoverSlots] = record;
  ++head_;
  ring_->head.value.store(head_, std::memory_order_release);
  return true;
}

bool HandoverConsumer::pop(HandoverRecord& out) noexcept {
  const std::uint32_t head = ring_->head.value.load(std::memory_order_acquire);
  if (head == tail_) return false;
  if (head - tail_ > kHandoverSlots) {
    tail_ = head;
    ring_->tail.value.store(tail_, std::memory_order_release);
    return false;
  }
  out = ring_->slots[tail_ % kHandoverSlots];
  ++tail_;
  ring_->tail.value.store(tail_, std::memory_order_release);
  return true;
}

std::uint64_t connection_id(const IpAddress& client, std::uint16_t client_port,
                            std::uint16_t listener_port) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, 64 bit
  const auto mix = [&hash](std::uint8_t byte) {
    hash ^= byte;
    hash *= 0x100000001b3U;
  };
  for (std::uint8_t byte : client.bytes()) mix(byte);
  mix(static_cast<std::uint8_t>(client_port >> 8));
  mix(static_cast<std::uint8_t>(client_port));
  mix(static_cast<std::uint8_t>(listener_port >> 8));
  mix(static_cast<std::uint8_t>(listener_port));
  return hash;
}

}  // namespace sallyport::wire
