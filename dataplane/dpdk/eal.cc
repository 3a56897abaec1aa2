#include "dataplane/dpdk/eal.h"

#include <fmt/core.h>
#include <rte_alarm.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mempool.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <memory>

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kHeadroom = RTE_PKTMBUF_HEADROOM;
constexpr std::uint32_t kCacheSize = 128;
constexpr std::uint16_t kBufferSize = 2048 + kHeadroom;

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

Result<void> start_eal(const EalOptions& options) {
  with_hugepages = options.hugepages == Hugepages::kAuto && hugepages_there(options.memory_mb);
  cpu_set_t before;
  CPU_ZERO(&before);
  sched_getaffinity(0, sizeof before, &before);
  std::vector<std::string> arguments = {"sallyport-dataplane",
                                        "--no-telemetry",
                                        "--log-level=5",
                                        "--iova-mode=va",
                                        fmt::format("--lcores=0@{}", first_cpu()),
                                        fmt::format("--file-prefix=sallyport-{}", getpid())};
  if (with_hugepages) {
    arguments.insert(arguments.end(), {"--in-memory", fmt::format("-m{}", options.memory_mb)});
  } else {
    arguments.insert(arguments.end(),
                     {"--no-huge", "--no-shconf", fmt::format("-m{}", options.memory_mb)});
  }
  if (options.pci_addresses.empty()) arguments.emplace_back("--no-pci");
  for (const std::string& address : options.pci_addresses) arguments.push_back("-a" + address);
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

Result<PacketPool> make_packet_pool(std::uint32_t packets) {
  rte_mempool* pool = rte_pktmbuf_pool_create("packets", packets, kCacheSize, kPacketPrivateSize,
                                              kBufferSize, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return fail(ErrorKind::kExhausted, "dpdk-pool",
                fmt::format("no memory for {} packets: {}", packets, rte_strerror(rte_errno)));
  }
  return PacketPool(pool);
}

std::uint32_t PacketPool::free_count() const noexcept { return rte_mempool_avail_count(pool_); }

Result<void> run_on_dpdk_thread(const std::function<void()>& work) {
  struct Errand {
    std::function<void()> work;
    std::promise<void> done;
  };
  // On the heap: if the thread never answers, it may still come later.
  auto errand = std::make_unique<Errand>(Errand{work, {}});
  std::future<void> done = errand->done.get_future();
  const auto run = [](void* argument) {
    auto* mine = static_cast<Errand*>(argument);
    mine->work();
    mine->done.set_value();
  };
  if (rte_eal_alarm_set(1, run, errand.get()) != 0) {
    return fail(ErrorKind::kSystem, "dpdk-thread", "no alarm could be set");
  }
  if (done.wait_for(std::chrono::seconds(5)) != std::future_status::ready) {
    static_cast<void>(errand.release());
    return fail(ErrorKind::kTimeout, "dpdk-thread", "DPDK's own thread does not answer");
  }
  return {};
}

void register_dpdk_thread() noexcept {
  // Without an id the pool works too, through its shared ring.
  static_cast<void>(rte_thread_register());
}

}  // namespace sallyport::dataplane
