#include "dataplane/dpdk/eal.h"

#include <fmt/core.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mempool.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

#include "dataplane/dpdk/fragment_table.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kCacheSize = 128;
// Datagrams that were made whole and have not left yet. Those for a wire are cut and gone at once;
// the others wait in a host stack's ring or for a neighbour's MAC.
constexpr std::uint32_t kDatagramBuffers = 255;
static_assert(RTE_PKTMBUF_HEADROOM == 128);

bool with_hugepages = false;

// Enough free hugepages of any size for `memory_mb`, mounted or not (--in-memory needs no mount).
bool hugepages_there(std::uint32_t memory_mb) {
  std::ifstream in("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  std::uint64_t free = 0;
  return in >> free && free * 2 >= memory_mb;
}

// The first CPU that we may run on: EAL insists on naming one for its main thread.
int first_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) return cpu;
  }
  return 0;
}

}  // namespace

std::optional<std::string> pci_address(std::string_view device) {
  // [dddd:]bb:dd.f
  const auto hex = [&](std::size_t at, std::size_t count) {
    return std::ranges::all_of(device.substr(at, count),
                               [](unsigned char c) { return std::isxdigit(c) != 0; });
  };
  std::string domain = "0000:";
  if (device.size() == 12 && device[4] == ':' && hex(0, 4)) {
    domain = device.substr(0, 5);
    device.remove_prefix(5);
  }
  const bool fits = device.size() == 7 && device[2] == ':' && device[5] == '.' && hex(0, 2) &&
                    hex(3, 2) && device[6] >= '0' && device[6] <= '7';
  if (!fits) return std::nullopt;
  std::string out = domain + std::string(device);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::vector<std::string> eal_arguments(const EalOptions& options, bool hugepages, int cpu) {
  std::vector<std::string> out = {"sallyport-dataplane",
                                  "--no-telemetry",
                                  "--log-level=5",
                                  "--iova-mode=va",
                                  "--file-prefix=sallyport",
                                  fmt::format("--lcores=0@{}", cpu),
                                  fmt::format("-m{}", options.memory_mb)};
  if (hugepages) {
    // One file for all pages: not a descriptor for each, and ports may share it (vhost-user).
    out.insert(out.end(), {"--in-memory", "--single-file-segments"});
  } else {
    out.insert(out.end(), {"--no-huge", "--no-shconf"});
  }
  if (options.pci_addresses.empty()) out.emplace_back("--no-pci");
  for (const std::string& address : options.pci_addresses) out.push_back("-a" + address);
  return out;
}

Result<void> start_eal(const EalOptions& options) {
  with_hugepages = options.hugepages == Hugepages::kAuto && hugepages_there(options.memory_mb);
  // EAL has no argument for it.
  if (!options.runtime_folder.empty() &&
      ::setenv("XDG_RUNTIME_DIR", options.runtime_folder.c_str(), 1) != 0)
    return fail(ErrorKind::kSystem, "dpdk-start", "no memory");
  cpu_set_t before;
  CPU_ZERO(&before);
  sched_getaffinity(0, sizeof before, &before);
  std::vector<std::string> arguments = eal_arguments(options, with_hugepages, first_cpu());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  rte_log_set_global_level(RTE_LOG_WARNING);
  rte_openlog_stream(stderr);
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return fail(ErrorKind::kSystem, "dpdk-start",
                fmt::format("DPDK did not start: {}", rte_strerror(rte_errno)));
  }
  // EAL pinned this thread; threads that we start later must not inherit that.
  sched_setaffinity(0, sizeof before, &before);
  return {};
}

bool eal_uses_hugepages() noexcept { return with_hugepages; }

Result<PacketPool> make_packet_pool(std::uint32_t packets, std::uint16_t room, const char* name) {
  rte_mempool* pool =
      rte_pktmbuf_pool_create(name, packets, kCacheSize, kPacketPrivateSize, room, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return fail(ErrorKind::kExhausted, "dpdk-pool",
                fmt::format("no memory for {} packets: {}", packets, rte_strerror(rte_errno)));
  }
  return PacketPool(pool);
}

Result<PacketPool> make_datagram_pool(const char* name) {
  return make_packet_pool(kDatagramBuffers, kWholeDatagram, name);
}

std::uint32_t PacketPool::free_count() const noexcept { return rte_mempool_avail_count(pool_); }

void register_dpdk_thread() noexcept {
  // Without an id the pool works too, through its shared ring.
  static_cast<void>(rte_thread_register());
}

}  // namespace sallyport::dataplane
