// The worker's end of a segment's TAP: the only way into a host stack, and like a wire it takes
// nothing but an Allowed. The TAP thread (tap/tap_thread.h) is at the other end of both rings.
#pragma once

#include <memory>

#include "dataplane/allowed.h"
#include "dataplane/bell.h"
#include "dataplane/tap/spsc_ring.h"

namespace sallyport::dataplane {

struct HostStackRings {
  // What a stack may have asked for on one connection before it acknowledges any of it: the thread
  // that would write it may wait for its core for some milliseconds.
  static constexpr std::uint32_t kToHost = 4096;
  static constexpr std::uint32_t kFromHost = 1024;
  PacketRing to_host{kToHost};
  PacketRing from_host{kFromHost};
  std::shared_ptr<Bell> worker;  // rung, if there is one, after something was put into from_host
};

class HostStackPort {
 public:
  HostStackPort() noexcept = default;
  // `rings` outlives this object.
  explicit HostStackPort(HostStackRings& rings) noexcept : rings_(&rings) {}
  bool present() const noexcept { return rings_ != nullptr; }
  // False when the ring is full; the packet stays in `allowed`.
  bool send(Allowed& allowed) noexcept { return rings_->to_host.push(allowed.packet_); }
  // Fills `burst`, of empty packets; returns how many came.
  std::size_t receive(std::span<Packet> burst) noexcept {
    return rings_ == nullptr ? 0 : rings_->from_host.pop(burst);
  }

 private:
  HostStackRings* rings_ = nullptr;
};

}  // namespace sallyport::dataplane
