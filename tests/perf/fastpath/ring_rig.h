// A gateway between two wires within this process: the real worker on the real packet path under
// the usual plant with its flows open, or nothing but testpmd's io engine, on one core; a prober on
// another. In a process of its own, because DPDK starts once per process.
//
// Thread: one, the prober's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dataplane/app/worker.h"
#include "tests/perf/dpdk/ring_wire.h"
#include "tests/perf/fastpath/cores.h"
#include "tests/perf/fastpath/prober.h"
#include "tests/perf/timing/shift.h"

namespace sallyport::bench {

inline constexpr std::uint32_t kRingRigMemoryMb = 512;

// What the wires are made of: rings, which can only be polled, or virtio and vhost, whose
// interrupts wake the worker (dpdk/vhost_wire.h).
enum class Wires : std::uint8_t { kRings, kVhost };

class RingRig {
 public:
  // Starts DPDK and opens the flows. Failures: DPDK's, and "no-figure" if there are not two cores
  // or no hugepages for what needs them.
  static Result<std::unique_ptr<RingRig>> make(Wires wires = Wires::kRings);
  ~RingRig();
  Cores cores() const;

  // Runs `work` in this thread while the worker runs on its core.
  void beside_worker(const std::function<void(Prober&, dataplane::Worker&)>& work);
  // The same beside the worker and, on the same wires and the same core, testpmd's io engine, each
  // in its shifts: `work` begins and ends them, one at a time.
  void beside_both(const std::function<void(Prober&, Shift& worker, Shift& io)>& work);

 private:
  struct Parts;
  explicit RingRig(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sallyport::bench
