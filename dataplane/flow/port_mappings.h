// NAPT44: which port of an uplink's IPv4 address stands for which inside address and port.
//
// Mapping is independent of the endpoint (RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-3): all
// flows of one inside (protocol, address, port) leave by one port, whoever they go to. What comes
// back is judged by the flow table, never by a mapping: only who was spoken to may answer. A port
// stands for one inside endpoint at a time (no overloading, RFC 4787 REQ-3), is not the inside's
// own number (its parity and value tell nothing, RFC 6056), and waits behind all others that are
// free before it is given again. A mapping lives as long as its flows; so their timeouts are its.
//
// Ports come from kFirstNatPort to kLastNatPort, which nobody else uses on such an uplink: the
// gateway's own stack takes others, and no conduit listens there (policy/compile). A worker gives
// out the share that it was made with. One device has at most kMostPortsOfDevice (RFC 6888 REQ-4).
//
// Thread: one. No allocation after construction; take() and release() are O(1) expected, the hash
// is keyed. Twin: tests/support/port_mappings_twin.h.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>

#include "dataplane/cache_line.h"
#include "dataplane/flow/flow.h"
#include "policy/base/drop_reasons.h"
#include "policy/wire/tables.h"

namespace sallyport::dataplane {

// Ports and echo identifiers alike.
struct PortShare {
  std::uint16_t first = wire::kFirstNatPort;
  std::uint16_t last = wire::kLastNatPort;
  constexpr std::uint32_t size() const { return last - first + 1U; }
};

class PortMappings {
 public:
  static constexpr std::uint16_t kMostPortsOfDevice = 4096;

  // `secret` keys the hash and the order in which ports are given out.
  explicit PortMappings(std::array<std::uint64_t, 2> secret, PortShare share = {},
                        std::uint16_t most_of_device = kMostPortsOfDevice);

  // One more mapped flow: the port that stands for its client. kNatPortsExhausted: none is free.
  // kNatDeviceLimit: none is free for this device. Then nothing has changed.
  std::expected<std::uint16_t, Drop> take(const Flow& flow) noexcept;
  // What take() would say of this device's next port.
  std::optional<Drop> would_refuse(SegmentSlot uplink, IpProtocol protocol,
                                   DeviceSlot device) const noexcept;
  // A flow that has its port from take() ends.
  void release(const Flow& flow) noexcept;

  // Ports in use through all uplinks.
  std::uint32_t size() const noexcept { return size_; }
  // That one uplink has for one protocol.
  std::uint32_t capacity() const noexcept { return share_.size(); }
  // What it took from the heap.
  std::size_t bytes() const noexcept;

 private:
  static constexpr std::size_t kProtocols = 3;
  static constexpr std::uint32_t kNone = 0xffffffff;
  // By pool and port: kept at pool * capacity() + (port - share_.first).
  struct Mapping {
    std::uint32_t flows = 0;  // 0: free
    std::uint32_t address = 0;
    DeviceSlot device = kNoDevice;
    std::uint32_t next = kNone;  // of those with the same hash
    std::uint16_t port = 0;
  };
  // The free ports of one (uplink, protocol), the next one first.
  struct Pool {
    LineVector<std::uint16_t> ring;
    std::uint32_t head = 0;
    std::uint32_t count = 0;
  };

  // Of a known uplink, or of a place for it; pools_.size() if there is none.
  std::size_t pool_of(SegmentSlot uplink, IpProtocol protocol) const noexcept;
  std::uint32_t& chain(std::size_t pool, std::uint32_t address, std::uint16_t port) noexcept;
  static std::size_t row_of(DeviceSlot device) noexcept;

  PortShare share_;
  std::uint16_t most_of_device_;
  std::array<std::uint64_t, 2> secret_;
  std::array<SegmentSlot, wire::kMaxNatUplinks> uplinks_;
  LineVector<Pool> pools_;
  LineVector<Mapping> mappings_;
  LineVector<std::uint32_t> chains_;
  LineVector<std::uint16_t> used_;  // by device; the last is for who is none
  std::uint32_t size_ = 0;
};

}  // namespace sallyport::dataplane
