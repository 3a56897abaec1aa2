// Wires within this process: pairs of DPDK's net_ring ports, and what testpmd does between two.
// Needs a started EAL.
//
// Failures: an error "no-figure" that names what DPDK refused.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/dpdk/port.h"

namespace sallyport::bench {

// Two ports of one process; what one sends, the other receives. Each has one thread at a time.
struct ProcessWire {
  std::unique_ptr<dataplane::EthPort> host, gateway;  // the gateway's end goes first
  std::uint16_t gateway_id = 0;                       // DPDK's
};
// Of each direction, as many as a port of ours has descriptors.
inline constexpr unsigned kRingPackets = 1024;
// A name is used once per process.
Result<ProcessWire> make_ring_wire(const std::string& name, dataplane::PacketPool& pool);

// testpmd's io engine over two ports, in both directions: a burst from one is sent by the other,
// and what that does not take is freed. Until `stop`; in the calling thread.
void forward_io(const ProcessWire& a, const ProcessWire& b, const std::atomic<bool>& stop) noexcept;

}  // namespace sallyport::bench
