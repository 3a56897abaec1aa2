#include "dataplane/dpdk/port.h"

#include <fmt/core.h>
#include <net/if.h>
#include <rte_atomic.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "dataplane/dpdk/eal.h"
#include "dataplane/xdp/left_over.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint16_t kRxDescriptors = 1024;
constexpr std::uint16_t kTxDescriptors = 1024;

Error port_error(const char* code, const std::string& device, const char* what, int error) {
  return {ErrorKind::kSystem, code,
          fmt::format("{}: {}: {}", device, what, rte_strerror(error < 0 ? -error : error))};
}

// Descriptors of this process that are AF_PACKET or AF_XDP sockets: DPDK does not say which are a
// port's.
std::vector<int> frame_sockets() {
  constexpr int kHighest = 1024;
  std::vector<int> out;
  for (int fd = 0; fd < kHighest; ++fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
        (domain == AF_PACKET || domain == AF_XDP)) {
      out.push_back(fd);
    }
  }
  return out;
}

// A port's sockets in the order of its queues: af_packet makes them one after the other when it is
// probed, AF_XDP each when its queue is set up.
class PortSockets {
 public:
  // Those that have appeared since the last call, and before the first since the beginning.
  void look() {
    const std::vector<int> now = frame_sockets();
    std::ranges::set_difference(now, known_, std::back_inserter(found_));
    known_ = now;
  }
  std::vector<int> take() { return std::move(found_); }

 private:
  std::vector<int> known_ = frame_sockets();
  std::vector<int> found_;
};

// The id of the port that probing `device` made.
Result<std::uint16_t> probe(const std::string& device) {
  if (const auto interface = xdp_interface(device))
    SALLYPORT_TRY_VOID(detach_left_over_program(*interface));
  const std::string name = pci_address(device).value_or(device.substr(0, device.find(',')));
  std::uint16_t id = 0;
  // A PCI device that EAL was told of is there already.
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0) return id;
  const std::string arguments = pci_address(device).value_or(device);
  if (const int error = rte_dev_probe(arguments.c_str()); error != 0) {
    return fail(port_error("port-probe", device, "probing failed", error));
  }
  if (const int error = rte_eth_dev_get_port_by_name(name.c_str(), &id); error != 0) {
    return fail(port_error("port-probe", device, "no port came of it", error));
  }
  return id;
}

struct Queues {
  std::uint16_t rx = 1;
  std::uint16_t tx = 1;
};

// One for each of `workers` where the device has them, else one. A socket port has as many as its
// arguments say, and the kernel deals frames out to all of them.
Result<Queues> queues_of(const rte_eth_dev_info& info, const std::string& device,
                         std::size_t workers) {
  if (kernel_interface(device) && info.max_rx_queues > workers)
    return fail(ErrorKind::kInvalid, "port-device",
                fmt::format("{}: {} queues, of which {} would be read: not more than workers",
                            device, info.max_rx_queues, workers));
  const auto count = static_cast<std::uint16_t>(workers);
  return Queues{info.max_rx_queues >= count ? count : std::uint16_t{1},
                info.max_tx_queues >= count ? count : std::uint16_t{1}};
}

Result<Queues> start(std::uint16_t id, const std::string& device, std::span<const PacketPool> pools,
                     std::size_t only, bool interrupts, PortSockets& sockets) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id, &info); error != 0) {
    return fail(port_error("port-start", device, "no information", error));
  }
  SALLYPORT_TRY(const Queues queues, queues_of(info, device, pools.size()));
  rte_eth_conf conf{};
  conf.intr_conf.rxq = interrupts ? 1 : 0;
  if (queues.rx > 1) {
    // Both ends of both protocols; a device that cannot deals out by what it can.
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
  }
  if (const int error = rte_eth_dev_configure(id, queues.rx, queues.tx, &conf); error != 0) {
    return fail(port_error("port-start", device, "its queues were refused", error));
  }
  // A device that carries less is its segments' `mtu:`; what the driver refuses, it refuses.
  static_cast<void>(rte_eth_dev_set_mtu(id, kMtu));
  std::uint16_t rx = kRxDescriptors, tx = kTxDescriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx); error != 0) {
    return fail(port_error("port-start", device, "descriptors refused", error));
  }
  const int socket = rte_eth_dev_socket_id(id);
  const auto node = static_cast<unsigned>(socket < 0 ? SOCKET_ID_ANY : socket);
  for (std::uint16_t queue = 0; queue < queues.rx; ++queue) {
    const PacketPool& pool = pools[queues.rx == 1 ? only : queue];
    if (const int error = rte_eth_rx_queue_setup(id, queue, rx, node, nullptr, pool.raw());
        error != 0) {
      return fail(port_error("port-start", device, "rx queue refused", error));
    }
    sockets.look();
  }
  for (std::uint16_t queue = 0; queue < queues.tx; ++queue) {
    if (const int error = rte_eth_tx_queue_setup(id, queue, tx, node, nullptr); error != 0) {
      return fail(port_error("port-start", device, "tx queue refused", error));
    }
  }
  if (const int error = rte_eth_dev_start(id); error != 0) {
    return fail(port_error("port-start", device, "start refused", error));
  }
  // Devices address the gateway by its segment's MAC, which is not the NIC's. Ports without the
  // notion (ring, null, pcap) deliver everything anyway.
  static_cast<void>(rte_eth_promiscuous_enable(id));
  return queues;
}

}  // namespace

RxFault take_whole(rte_mbuf& buffer) noexcept {
  // Offloads that would chain buffers or strip tags are never asked for. A frame whose tag was
  // taken off all the same would be judged as an untagged one, in another segment.
  if ((buffer.ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)) != 0)
    return RxFault::kTagLost;
  if (buffer.nb_segs == 1) return RxFault::kNone;
  rte_pktmbuf_free(std::exchange(buffer.next, nullptr));
  buffer.nb_segs = 1;
  buffer.pkt_len = buffer.data_len;
  return RxFault::kChained;
}

std::size_t TxPort::transmit(std::size_t used) noexcept {
  std::size_t bytes = std::exchange(bytes_, 0);
  const std::size_t sent = driver_->transmit(std::span(burst_).first(used));
  for (std::size_t i = sent; i < used; ++i) bytes -= burst_[i].bytes().size();
  counters_.tx_packets += sent;
  counters_.tx_full += used - sent;
  counters_.tx_bytes += bytes;
  return sent;
}

Result<std::unique_ptr<EthPort>> EthPort::open(const std::string& device,
                                               std::span<const PacketPool> pools,
                                               std::size_t only) {
  SALLYPORT_CHECK(only < pools.size());
  if (device.empty() || device.size() > 255) {
    return fail(ErrorKind::kInvalid, "port-device", "a PCI address or vdev arguments are needed");
  }
  PortSockets sockets;
  SALLYPORT_TRY(const std::uint16_t id, probe(device));
  sockets.look();
  std::unique_ptr<EthPort> port(new EthPort(id));
  port->interface_ = kernel_interface(device).value_or("");
  if (!port->interface_.empty())
    port->kernel_ = os::UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  bool interrupts = true;
  Result<Queues> queues = start(id, device, pools, only, interrupts, sockets);
  if (!queues) {
    // Some refuse to start with interrupts that their bus cannot give them (virtio without MSI-X).
    static_cast<void>(rte_eth_dev_stop(id));
    interrupts = false;
    SALLYPORT_TRY(queues, start(id, device, pools, only, interrupts, sockets));
  }
  port->rx_queues_ = queues->rx;
  port->tx_queues_ = queues->tx;
  for (std::uint16_t queue = 0; queue < std::max(queues->rx, queues->tx); ++queue) {
    port->queues_.push_back(
        std::make_unique<EthQueue>(id, queue, queue < queues->tx ? queue : std::uint16_t{0}));
    if (queue >= queues->rx || !interrupts) continue;
    interrupts = port->queues_.back()->find_interrupt();
  }
  port->sockets_ = sockets.take();
  // A queue pair has one socket, for both directions.
  if (!interrupts && port->sockets_.size() == queues->rx)
    for (std::uint16_t queue = 0; queue < queues->rx; ++queue)
      port->queues_[queue]->arrivals_ = port->sockets_[queue];
  return port;
}

void EthPort::forget_link_errors() const noexcept {
  for (const int fd : sockets_) {
    int error = 0;
    socklen_t size = sizeof error;
    // Reading the pending error clears it (socket(7), SO_ERROR).
    static_cast<void>(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
  }
}

PortHealth EthPort::health() const noexcept {
  PortHealth out;
  out.woken_by = queues_.front()->woken_by();
  for (std::uint16_t queue = 1; queue < rx_queues_; ++queue)
    if (queues_[queue]->woken_by() == PortHealth().woken_by) out.woken_by = PortHealth().woken_by;
  rte_eth_stats stats{};
  if (rte_eth_stats_get(id_, &stats) == 0) {
    out.rx_missed = stats.imissed;
    out.rx_errors = stats.ierrors;
    out.rx_no_buffer = stats.rx_nombuf;
    out.tx_errors = stats.oerrors;
  }
  if (interface_.empty()) {
    rte_eth_link link{};
    out.link_up = rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    return out;
  }
  ifreq request{};
  interface_.copy(request.ifr_name, sizeof request.ifr_name - 1);
  constexpr int kBoth = IFF_UP | IFF_RUNNING;
  out.link_up =
      ::ioctl(kernel_.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & kBoth) == kBoth;
  return out;
}

// Who cannot arm an interrupt has none, whatever it said to the configuration.
bool EthQueue::find_interrupt() noexcept {
  if (rte_eth_dev_rx_intr_enable(port_, rx_queue_) != 0) return false;
  static_cast<void>(rte_eth_dev_rx_intr_disable(port_, rx_queue_));
  arrivals_ = rte_eth_dev_rx_intr_ctl_q_get_fd(port_, rx_queue_);
  interrupts_ = arrivals_ >= 0;
  return interrupts_;
}

std::string_view EthQueue::woken_by() const noexcept {
  if (arrivals_ < 0 || !trusted_) return "polling";
  return interrupts_ ? "interrupt" : "socket";
}

void EthQueue::arm() noexcept {
  if (!interrupts_) return;
  static_cast<void>(rte_eth_dev_rx_intr_enable(port_, rx_queue_));
  // What the driver wrote for the device must be there before the last look at the queue.
  rte_mb();
}

void EthQueue::disarm() noexcept {
  if (interrupts_) static_cast<void>(rte_eth_dev_rx_intr_disable(port_, rx_queue_));
}

EthPort::~EthPort() {
  static_cast<void>(rte_eth_dev_stop(id_));
  static_cast<void>(rte_eth_dev_close(id_));
}

std::size_t EthQueue::transmit(std::span<Packet> burst) noexcept {
  std::array<rte_mbuf*, kBurst> raw{};
  const auto count = static_cast<std::uint16_t>(std::min(burst.size(), raw.size()));
  for (std::size_t i = 0; i < count; ++i) raw[i] = burst[i].release();
  const std::uint16_t sent = rte_eth_tx_burst(port_, tx_queue_, raw.data(), count);
  for (std::size_t i = sent; i < count; ++i) burst[i] = Packet(raw[i]);
  return sent;
}

std::size_t EthQueue::receive(std::span<Packet> burst) noexcept {
  std::array<rte_mbuf*, kBurst> raw;
  const auto room = static_cast<std::uint16_t>(std::min(burst.size(), raw.size()));
  const std::uint16_t count = rte_eth_rx_burst(port_, rx_queue_, raw.data(), room);
  for (std::size_t i = 0; i < count; ++i) {
    std::construct_at(&burst[i], raw[i]);
    burst[i].arrived(take_whole(*raw[i]));
  }
  return count;
}

}  // namespace sallyport::dataplane
