// The one thread that touches TAP descriptors: frames from each segment's host stack into its ring,
// frames from the ring into the host stack. The worker never makes a system call for a packet; it
// only wakes this thread when that sleeps.
//
// With the kernel's consent the stack's offloads are on: it hands over TCP in frames of up to 64
// KiB with unfinished sums, which are cut here (host_frame.h), and gets what was merged here
// (merge.h). The worker, and with it policy, sees ordinary packets only. A TAP whose kernel does
// not consent, and frames that need nothing done, go as they are.
//
// What the worker has no room for stays in the kernel's queue: the stack waits, and nothing is lost
// on the way from one to the other.
//
// attach/detach are for the control thread; rings live until the thread has let go of them (detach
// returns then).
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dataplane/tap/host_frame.h"
#include "dataplane/tap/host_stack_port.h"
#include "dataplane/tap/merge.h"
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

  // Packets are as the worker sees them.
  struct Counters {
    std::atomic<std::uint64_t> to_host{0};            // packets that the kernel took
    std::atomic<std::uint64_t> to_host_merged{0};     // of them, in super-frames
    std::atomic<std::uint64_t> to_host_supers{0};     // super-frames that the kernel took
    std::atomic<std::uint64_t> to_host_failed{0};     // packets that it did not take
    std::atomic<std::uint64_t> from_host{0};          // packets for the worker
    std::atomic<std::uint64_t> from_host_cut{0};      // of them, out of super-frames
    std::atomic<std::uint64_t> from_host_supers{0};   // super-frames that were taken
    std::atomic<std::uint64_t> from_host_dropped{0};  // pool empty, or no frame at all
  };
  const Counters& counters() const noexcept { return counters_; }

 private:
  struct Tap;
  void run();
  bool pump();
  bool from_host(Tap& tap);
  bool read_frame(Tap& tap);
  std::uint32_t hand_over(Tap& tap);
  bool to_host(Tap& tap);
  void sleep();
  void ring_bell() noexcept;

  PacketPool& pool_;
  Counters counters_;
  os::UniqueFd bell_;
  std::mutex lock_;  // of taps_: control thread against one pass of the thread, never the worker
  std::vector<std::unique_ptr<Tap>> taps_;
  Merger merger_;             // empty between two TAPs
  std::vector<pollfd> wait_;  // the thread's
  std::atomic<std::uint32_t> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sallyport::dataplane
