// The one thread that touches TAP descriptors: frames from each segment's host stack into its ring,
// frames from the ring into the host stack. The worker never makes a system call for a packet; it
// only wakes this thread when that sleeps.
//
// attach/detach are for the control thread; rings live until the thread has let go of them (detach
// returns then). Frames carry a virtio-net header (IFF_VNET_HDR) with every offload off.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dataplane/tap/host_stack_port.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::dataplane {

class TapThread {
 public:
  explicit TapThread(PacketPool& pool);
  ~TapThread();

  // Starts the thread; its walls are those of the caller.
  Result<void> start();
  // Takes a TAP queue (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR). kSystem "tap-attach".
  Result<void> attach(SegmentSlot segment, os::UniqueFd tap, HostStackRings& rings);
  void detach(SegmentSlot segment);
  // From the worker, after it has put packets into a ring. A read-modify-write, as run()'s is: of
  // two such one comes first, so the worker sees the sleeper or the sleeper sees the packet.
  void wake() noexcept {
    if (sleeping_.fetch_add(0, std::memory_order_acq_rel) != 0) ring_bell();
  }

  struct Counters {
    std::atomic<std::uint64_t> to_host{0};
    std::atomic<std::uint64_t> to_host_failed{0};
    std::atomic<std::uint64_t> from_host{0};
    std::atomic<std::uint64_t> from_host_dropped{0};  // ring full, pool empty, or no frame at all
  };
  const Counters& counters() const noexcept { return counters_; }

 private:
  struct Tap {
    SegmentSlot segment;
    os::UniqueFd fd;
    HostStackRings* rings;
  };
  void run();
  bool pump(Tap& tap);
  bool read_one(Tap& tap);
  bool write_one(Tap& tap);
  void ring_bell() noexcept;

  PacketPool& pool_;
  Counters counters_;
  os::UniqueFd bell_;
  std::mutex lock_;  // of taps_: control thread against one pass of the thread, never the worker
  std::vector<std::unique_ptr<Tap>> taps_;
  std::atomic<std::uint32_t> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sallyport::dataplane
