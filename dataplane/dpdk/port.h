// Ports: TxPort, the only way onto a wire, and the Ethernet device behind it.
//
// TxPort belongs to one worker. It collects up to kBurst packets and hands them to its driver; what
// the driver does not take comes back, to be dropped by name (tx-queue-full). It has one send, and
// that takes an Allowed.
//
// EthPort owns a DPDK device: PCI address or vdev arguments ("net_af_packet0,iface=eth1"). Each
// worker has a queue pair of its own where the device has so many; else there is one, for one of
// them. Failures carry DPDK's word: kInvalid "port-device" (arguments, more queues than there are
// workers to read them), kSystem "port-probe", "port-start".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/allowed.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::dataplane {

inline constexpr std::size_t kBurst = 32;

// What puts frames on a wire. One call per burst, from the port's worker.
class PortDriver {
 public:
  PortDriver() = default;
  PortDriver(const PortDriver&) = delete;
  PortDriver& operator=(const PortDriver&) = delete;
  virtual ~PortDriver() = default;
  // Sends the first n of `burst`, in order, taking them; returns n.
  virtual std::size_t transmit(std::span<Packet> burst) noexcept = 0;
  // Fills `burst`, of empty packets, with frames that arrived; returns how many. One that is not
  // whole says so (PacketMeta::fault).
  virtual std::size_t receive(std::span<Packet> burst) noexcept = 0;

  // A descriptor that becomes readable at each frame that arrives while the port is armed: an edge,
  // which nobody reads away. -1: this port can only be polled. Constant; any thread.
  virtual int arrivals() const noexcept { return -1; }
  // Frames that receive() could have had before arm() are not announced. The port's worker.
  virtual void arm() noexcept {}
  virtual void disarm() noexcept {}
  // It did not keep what arrivals() promises. The port's worker.
  virtual void distrust() noexcept {}
};

struct PortCounters {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_full = 0;
  PortCounters& operator+=(const PortCounters& other) {
    rx_packets += other.rx_packets;
    rx_bytes += other.rx_bytes;
    tx_packets += other.tx_packets;
    tx_bytes += other.tx_bytes;
    tx_full += other.tx_full;
    return *this;
  }
};

// What only the device knows.
struct PortHealth {
  std::uint64_t rx_missed = 0;     // frames that it had no room for
  std::uint64_t rx_errors = 0;     // that came damaged
  std::uint64_t rx_no_buffer = 0;  // that found no buffer in the pool
  std::uint64_t tx_errors = 0;     // that it did not send although it had taken them
  bool link_up = false;
  // How an idle worker may learn of a frame: "interrupt", "socket", or "polling" if one of its
  // queues can do no better.
  std::string_view woken_by = "polling";
};

class TxPort {
 public:
  TxPort() noexcept = default;
  // `driver` outlives this object.
  explicit TxPort(PortDriver& driver) noexcept : driver_(&driver) {}
  TxPort(TxPort&&) noexcept = default;
  TxPort& operator=(TxPort&&) noexcept = default;

  bool full() const noexcept { return used_ == kBurst; }
  // Not when full().
  void send(Allowed&& allowed) noexcept {
    SALLYPORT_CHECK(!full());
    bytes_ += allowed.bytes().size();
    std::construct_at(burst_.data() + used_++, std::move(allowed.packet_));  // where none was
  }
  // Hands over what was collected and returns how much of it the driver took; the others go to
  // `left_over`, one by one.
  template <class LeftOver>
  std::size_t flush(LeftOver&& left_over) noexcept {
    if (used_ == 0) return 0;
    const std::size_t used = std::exchange(used_, 0);
    const std::size_t sent = transmit(used);
    for (std::size_t i = sent; i < used; ++i) left_over(std::move(burst_[i]));
    return sent;
  }
  bool present() const noexcept { return driver_ != nullptr; }
  const PortCounters& counters() const noexcept { return counters_; }

 private:
  std::size_t transmit(std::size_t used) noexcept;
  PortDriver* driver_ = nullptr;
  std::array<Packet, kBurst> burst_;
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;  // of those
  PortCounters counters_;
};

// There is no other send: not for a packet, however well checked.
template <class Port, class Value>
concept CanSend = requires(Port& port, Value value) { port.send(std::move(value)); };
static_assert(CanSend<TxPort, Allowed>);
static_assert(!CanSend<TxPort, Packet> && !CanSend<TxPort, ParsedPacket> &&
              !CanSend<TxPort, BoundPacket>);

// One queue pair of a device.
class EthQueue final : public PortDriver {
 public:
  EthQueue(std::uint16_t port, std::uint16_t rx_queue, std::uint16_t tx_queue) noexcept
      : port_(port), rx_queue_(rx_queue), tx_queue_(tx_queue) {}
  std::size_t transmit(std::span<Packet> burst) noexcept override;
  std::size_t receive(std::span<Packet> burst) noexcept override;

  // The queue's RX interrupt where the driver has one, and where the kernel drives the interface
  // the socket that the kernel fills.
  int arrivals() const noexcept override { return arrivals_; }
  void arm() noexcept override;
  void disarm() noexcept override;
  void distrust() noexcept override { trusted_ = false; }
  // PortHealth::woken_by. Any thread.
  std::string_view woken_by() const noexcept;

 private:
  friend class EthPort;
  // Takes the descriptor of its RX interrupt, if the driver can arm one.
  bool find_interrupt() noexcept;
  std::uint16_t port_;
  std::uint16_t rx_queue_;
  std::uint16_t tx_queue_;
  int arrivals_ = -1;        // borrowed from the driver
  bool interrupts_ = false;  // arrivals_ is an interrupt's, which must be asked for
  std::atomic<bool> trusted_ = true;
};

class EthPort {
 public:
  // Probes the device and starts it, promiscuous, frames up to kMtu as far as the driver can be
  // told, with a queue pair for each of `pools`, whose buffers it receives into; with one for
  // pools[only] if it has not so many. The link may still be down.
  static Result<std::unique_ptr<EthPort>> open(const std::string& device,
                                               std::span<const PacketPool> pools,
                                               std::size_t only = 0);
  static Result<std::unique_ptr<EthPort>> open(const std::string& device, PacketPool& pool) {
    return open(device, std::span(&pool, 1));
  }
  EthPort(const EthPort&) = delete;
  EthPort& operator=(const EthPort&) = delete;
  ~EthPort();

  // One, or as many as there are pools. Either may be one alone.
  std::size_t rx_queues() const noexcept { return rx_queues_; }
  std::size_t tx_queues() const noexcept { return tx_queues_; }
  // Transmits by the first one if there is no such tx queue; not from two threads then.
  PortDriver& queue(std::size_t index) noexcept { return *queues_[index]; }

  // Any thread. What the driver does not count is 0.
  PortHealth health() const noexcept;

  // A link that was down leaves an error on the driver's packet socket; the next transmission would
  // be refused for it and its frame wait in the ring for the one after. Any thread; call now and
  // then.
  void forget_link_errors() const noexcept;

 private:
  explicit EthPort(std::uint16_t id) noexcept : id_(id) {}
  std::uint16_t id_;
  std::uint16_t rx_queues_ = 1;
  std::uint16_t tx_queues_ = 1;
  std::vector<std::unique_ptr<EthQueue>> queues_;
  // Of a port over a kernel interface: its name, and a socket to ask the kernel for its link, which
  // the driver does not follow.
  std::string interface_;
  os::UniqueFd kernel_;
  std::vector<int> sockets_;  // the driver's, borrowed; of ports over a kernel interface
};

// Makes one whole buffer of what a driver delivered, as far as it can be. Not for the hot path's
// rx alone: tests hand it buffers that no driver here would make.
RxFault take_whole(rte_mbuf& buffer) noexcept;

}  // namespace sallyport::dataplane
