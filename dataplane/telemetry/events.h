// What an operator must hear of at once. Written by the worker, carried to control by the control
// thread. Each kind is rate-limited where it is written; what does not fit is counted.
// Thread: one producer, one consumer.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "dataplane/cache_line.h"
#include "dataplane/headers.h"
#include "policy/base/drop_reasons.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

enum class EventKind : std::uint8_t {
  kStolenIdentity,     // an enrolled MAC or address on another port; both ports are named
  kNatPortsExhausted,  // no port of an uplink is left; `address` is whose flow was refused for that
  kNatDeviceLimit,     // none is left for `device`
};
inline constexpr auto kEventNames =
    std::to_array<std::string_view>({"stolen-identity", "nat-ports-exhausted", "nat-device-limit"});
inline constexpr std::size_t kEventKinds = kEventNames.size();
// How long one device's events of a kind are apart, at least.
constexpr Duration spacing(EventKind kind) {
  return std::chrono::seconds(kind == EventKind::kStolenIdentity ? 1 : 60);
}

struct Event {
  EventKind kind = EventKind::kStolenIdentity;
  DeviceSlot device = kNoDevice;  // whose identity
  PortSlot home_port = kNoPort;   // where it belongs
  PortSlot seen_port = kNoPort;   // where it was seen
  std::uint16_t seen_vlan = 0;
  MacAddress mac;
  IpAddress address;
  Instant when;
  // `reason` is kNatPortsExhausted or kNatDeviceLimit.
  static Event no_port(Drop reason, DeviceSlot device, const IpAddress& client, Instant now) {
    Event out;
    out.kind = reason == Drop::kNatPortsExhausted ? EventKind::kNatPortsExhausted
                                                  : EventKind::kNatDeviceLimit;
    out.device = device;
    out.address = client;
    out.when = now;
    return out;
  }
};

class Events {
 public:
  static constexpr std::size_t kRoom = 256;

  // False when it was not kept: too soon after the last one of this device, or no room.
  bool add(const Event& event) noexcept {
    Instant& last = last_[static_cast<std::size_t>(event.kind)][event.device % kDevices];
    if (last != Instant{} && event.when - last < spacing(event.kind)) return false;
    const std::uint32_t head = head_.value.load(std::memory_order_relaxed);
    if (head - tail_.value.load(std::memory_order_acquire) == kRoom) {
      ++lost_;
      return false;
    }
    last = event.when;
    ring_[head % kRoom] = event;
    head_.value.store(head + 1, std::memory_order_release);
    return true;
  }
  bool take(Event& out) noexcept {
    const std::uint32_t tail = tail_.value.load(std::memory_order_relaxed);
    if (tail == head_.value.load(std::memory_order_acquire)) return false;
    out = ring_[tail % kRoom];
    tail_.value.store(tail + 1, std::memory_order_release);
    return true;
  }

  // For the producer's thread: events for which there was no room.
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::array<Event, kRoom> ring_;
  std::uint64_t lost_ = 0;
  static constexpr std::size_t kDevices = 1024;  // more of them share
  std::array<std::array<Instant, kDevices>, kEventKinds> last_{};
  OwnLine<std::atomic<std::uint32_t>> head_;
  OwnLine<std::atomic<std::uint32_t>> tail_;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace sallyport::dataplane
