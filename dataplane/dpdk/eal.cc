#include "dataplane/dpdk/eal.h"

#include <fmt/core.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "dataplane/dpdk/fragment_table.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kCacheSize = 128;
constexpr std::size_t kSmallPage = 4096;
constexpr std::size_t kElementHeader =
    RTE_ALIGN_CEIL(sizeof(rte_mempool_objhdr), RTE_MEMPOOL_ALIGN);
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

// Gives the pool its buffers, one right behind the other; 0 or an errno.
//
// AF_XDP's driver registers the first (buffers x size of one) bytes of the pool with the kernel.
// DPDK, left to itself, lets no buffer cross a page: with pages of 4 KiB every buffer takes one,
// and four in ten lie behind that area. The kernel does not take them as frames to receive into,
// and throws them away as frames to send; the driver never gets them back. That no buffer need be
// contiguous on the bus (the pool's flag) is true of one that is contiguous as a whole, which it is
// where bus addresses are virtual ones (--iova-mode=va).
int fill_without_gaps(rte_mempool& pool) {
  const std::size_t size =
      std::size_t{pool.size} * (pool.header_size + pool.elt_size + pool.trailer_size);
  const std::string name = fmt::format("{}_memory", pool.name);
  const rte_memzone* zone = rte_memzone_reserve_aligned(name.c_str(), size, SOCKET_ID_ANY,
                                                        RTE_MEMZONE_IOVA_CONTIG, kSmallPage);
  if (zone == nullptr) return rte_errno;
  // A pool lives as long as the process, and nobody frees the zone.
  const int filled = rte_mempool_populate_iova(&pool, static_cast<char*>(zone->addr), zone->iova,
                                               zone->len, nullptr, nullptr);
  if (filled < 0) return -filled;
  return static_cast<std::uint32_t>(filled) == pool.size ? 0 : ENOMEM;
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
  const auto no_memory = [&](int error) {
    return fail(ErrorKind::kExhausted, "dpdk-pool",
                fmt::format("no memory for {} packets: {}", packets, rte_strerror(error)));
  };
  // What rte_pktmbuf_pool_create() does, but for where the buffers lie: see fill_without_gaps().
  std::size_t element = sizeof(rte_mbuf) + kPacketPrivateSize + room;
  unsigned flags = RTE_MEMPOOL_F_NO_IOVA_CONTIG;
  // In small pages a buffer of more than half of one gets it whole: a NIC that reads and writes the
  // buffers itself (AF_XDP without a copy) takes none that crosses into a page that is elsewhere.
  if (!with_hugepages && element > kSmallPage / 2 && element < kSmallPage - kElementHeader) {
    element = kSmallPage - kElementHeader;
    flags |= RTE_MEMPOOL_F_NO_SPREAD;  // nothing added for the sake of memory channels
  }
  rte_mempool* pool =
      rte_mempool_create_empty(name, packets, static_cast<unsigned>(element), kCacheSize,
                               sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, flags);
  if (pool == nullptr) return no_memory(rte_errno);
  if (const int error = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
      error != 0)
    return no_memory(-error);
  rte_pktmbuf_pool_private rooms{};
  rooms.mbuf_data_room_size = room;
  rooms.mbuf_priv_size = kPacketPrivateSize;
  rte_pktmbuf_pool_init(pool, &rooms);
  if (const int error = fill_without_gaps(*pool); error != 0) return no_memory(error);
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
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
