// DPDK's environment and its packet pool. One per process, started once, before any thread of ours.
//
// Nothing is probed on its own: devices are added one by one (dpdk/port.h). No telemetry socket, no
// shared configuration, no secondary processes; messages at warning and above go to stderr.
// Hugepages are used when asked for and there; without them everything works, only slower.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/dpdk/packet.h"
#include "policy/base/result.h"

namespace sallyport::dataplane {

enum class Hugepages : std::uint8_t { kAuto, kOff };

struct EalOptions {
  Hugepages hugepages = Hugepages::kAuto;
  std::uint32_t memory_mb = 256;
  // PCI devices that may be probed, in full form; empty keeps the bus untouched.
  std::vector<std::string> pci_addresses;
  // Where DPDK may keep its run-time files; it takes /tmp if this is empty.
  std::string runtime_folder;
};

// The full form ("0000:01:00.0") of a PCI address with or without its domain, as EAL and the names
// of its ports have it; nothing for anything else (vdev arguments).
std::optional<std::string> pci_address(std::string_view device);

// What EAL is told, program name first. Pure: `hugepages` and `cpu` are what start_eal() found.
std::vector<std::string> eal_arguments(const EalOptions& options, bool hugepages, int cpu);

// Failures: kSystem "dpdk-start" with DPDK's word. Calling it twice is a bug.
Result<void> start_eal(const EalOptions& options);
bool eal_uses_hugepages() noexcept;

// Room of a buffer for one whole frame with headroom.
inline constexpr std::uint16_t kWholeFrame = 2048 + 128;
// `packets` buffers of `room` bytes, headroom included. kExhausted "dpdk-pool" if memory is
// short. One pool of a name per process.
Result<PacketPool> make_packet_pool(std::uint32_t packets, std::uint16_t room = kWholeFrame,
                                    const char* name = "packets");
// Where datagrams are made whole (dpdk/fragment_table.h); the same failures.
Result<PacketPool> make_datagram_pool(const char* name = "datagrams");

// Makes the calling thread known to DPDK (per-thread pool cache); for workers.
void register_dpdk_thread() noexcept;

}  // namespace sallyport::dataplane
