// Wires within this process whose gateway's end has RX interrupts: DPDK's virtio driver on a
// vhost-user socket, and its vhost driver at the other end, for the host. What virtio does on PCI
// it does here, but that an eventfd stands for the interrupt line. Needs a started EAL with
// hugepages, which both ends share.
//
// Failures: the ports', and an error "no-figure" when the two ends do not find each other.
#pragma once

#include "tests/perf/dpdk/ring_wire.h"

namespace sallyport::bench {

// The socket is made in `folder`. A name is used once per process.
Result<ProcessWire> make_vhost_wire(const std::string& name, const std::string& folder,
                                    dataplane::PacketPool& pool);

}  // namespace sallyport::bench
