// Ports: TxPort, the only way onto a wire, and the Ethernet device behind it.
//
// TxPort belongs to one worker. It collects up to kBurst packets and hands them to its driver; what
// the driver does not take is dropped and counted (tx-queue-full). It has one send, and that takes
// an Allowed.
//
// EthPort owns a DPDK device: PCI address or vdev arguments ("net_af_packet0,iface=eth1"). Failures
// carry DPDK's word: kInvalid "port-device" (arguments), kSystem "port-probe", "port-start".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/allowed.h"
#include "policy/base/result.h"

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
  // Fills `burst` with frames that arrived; returns how many.
  virtual std::size_t receive(std::span<Packet> burst) noexcept = 0;
};

struct PortCounters {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_full = 0;
};

class TxPort {
 public:
  TxPort() noexcept = default;
  // `driver` outlives this object.
  explicit TxPort(PortDriver& driver) noexcept : driver_(&driver) {}
  TxPort(TxPort&&) noexcept = default;
  TxPort& operator=(TxPort&&) noexcept = default;

  void send(Allowed&& allowed) noexcept {
    if (used_ == kBurst) flush();
    burst_[used_++] = std::move(allowed.packet_);
  }
  // Hands over what was collected; the rest is freed and counted.
  void flush() noexcept;
  bool present() const noexcept { return driver_ != nullptr; }
  const PortCounters& counters() const noexcept { return counters_; }

 private:
  PortDriver* driver_ = nullptr;
  std::array<Packet, kBurst> burst_;
  std::size_t used_ = 0;
  PortCounters counters_;
};

// There is no other send: not for a packet, however well checked.
template <class Port, class Value>
concept CanSend = requires(Port& port, Value value) { port.send(std::move(value)); };
static_assert(CanSend<TxPort, Allowed>);
static_assert(!CanSend<TxPort, Packet> && !CanSend<TxPort, ParsedPacket> &&
              !CanSend<TxPort, BoundPacket>);

class EthPort final : public PortDriver {
 public:
  // Probes the device and starts it with one queue pair, promiscuous, frames up to kMtu. The link
  // may still be down.
  static Result<std::unique_ptr<EthPort>> open(const std::string& device, PacketPool& pool);
  ~EthPort() override;

  std::size_t transmit(std::span<Packet> burst) noexcept override;
  std::size_t receive(std::span<Packet> burst) noexcept override;

  // A link that was down leaves an error on the driver's packet socket; the next transmission would
  // be refused for it and its frame wait in the ring for the one after. Any thread; call now and
  // then.
  void forget_link_errors() const noexcept;

 private:
  explicit EthPort(std::uint16_t id) noexcept : id_(id) {}
  std::uint16_t id_;
  std::vector<int> sockets_;  // the driver's, borrowed; AF_PACKET ports only
};

// "0000:01:00.0" is a PCI address, everything else is vdev arguments.
bool is_pci_address(const std::string& device) noexcept;

}  // namespace sallyport::dataplane
