// One turn of a worker: bursts from its ports, what host stacks sent, housekeeping, and everything
// that was collected handed to the drivers. What the worker thread runs is what the bench measures.
//
// Thread: the worker. No allocation, lock, log or system call (drivers make their own).
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/pipeline.h"

namespace sallyport::dataplane {

class Poller {
 public:
  struct Port {
    PortSlot slot;
    PortDriver* driver;
  };
  // All outlive the poller.
  Poller(Pipeline& pipeline, std::vector<Port> ports)
      : pipeline_(pipeline), ports_(std::move(ports)), loads_(ports_.size()) {
    for (std::size_t i = 0; i < ports_.size(); ++i) loads_[i].slot = ports_[i].slot;
  }

  // Returns how many packets came in.
  std::size_t poll(Instant now) noexcept;

  struct PortLoad {
    PortSlot slot = kNoPort;
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
  };
  const std::vector<Port>& ports() const { return ports_; }
  // In the order of the ports.
  const LineVector<PortLoad>& loads() const { return loads_; }

 private:
  Pipeline& pipeline_;
  std::vector<Port> ports_;
  LineVector<PortLoad> loads_;
};

}  // namespace sallyport::dataplane
