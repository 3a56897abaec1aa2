// Which worker a packet belongs to: one pure function of the packet and the tables. The owner has
// the packet's flow and everything that is kept about it, and nobody else has, so workers share
// nothing that they write. Both directions of a flow, the errors about it and the datagrams that
// came in pieces have one owner, also when the flow leaves under another address. Which worker a
// packet was read by is a hint of the port's, no more.
//
//   neighbour messages, what is said to routers, broadcast -> the first worker
//   to or from an own address:
//     by a port that stands for an inside endpoint (NAPT44) -> the one whose share has that port
//     by another                                           -> the first: host stacks are there
//   what a conduit terminates, to and fro                  -> the first: so are the credits
//   between two devices                                    -> the one of the lower device
//   of a device and anybody else                           -> the device's: so are its mappings
//   of nobody enrolled                                     -> by a hash of both addresses
//   an ICMP error                                          -> as the packet that it quotes
//   a fragment                                             -> as above, without ports: all meet
//
// A device has one slot for as long as it has its name, so a revision that leaves both ends where
// they are leaves the flow where it is. Accepts anything that was parsed. Thread: pure. design §4.
#pragma once

#include <algorithm>
#include <ranges>

#include "dataplane/allowed.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/port_mappings.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

using WorkerSlot = std::uint16_t;
// Host stacks, neighbour messages and handshake credits are its.
inline constexpr WorkerSlot kFirstWorker = 0;
// All of `workers`, at most kMaxWorkers.
inline auto all_of(std::size_t workers) noexcept {
  return std::views::iota(kFirstWorker, static_cast<WorkerSlot>(workers));
}
// So that each has ports enough to stand for inside endpoints.
inline constexpr std::size_t kMaxWorkers = 8;

class Owners {
 public:
  // 1 to kMaxWorkers.
  explicit Owners(std::size_t workers = 1);

  WorkerSlot of(ConstBytes frame, const Headers& headers, const Tables& tables) const noexcept;
  // Of a whole packet with these ends, or of a flow by either of its keys.
  WorkerSlot of(const FlowKey& key, const Tables& tables) const noexcept;
  // The same for who knows already what Classifier::locate() says of both ends.
  WorkerSlot of(const FlowKey& key, const decide::Location& source,
                const decide::Location& destination, const Tables& tables) const noexcept {
    if (source.is_gateway() || destination.is_gateway() || tables.terminates_at(source) ||
        tables.terminates_at(destination)) [[unlikely]]
      return of_gateway(key, source, destination, tables);
    return of_others(source, destination, key.source, key.destination);
  }
  std::size_t workers() const noexcept { return workers_; }
  // The ports that stand for inside endpoints, without overlap.
  PortShare share(WorkerSlot worker) const noexcept;

 private:
  WorkerSlot of_port(std::uint16_t port) const noexcept;
  // Of what ends in the gateway, or might.
  [[gnu::noinline]] WorkerSlot of_gateway(const FlowKey& key, const decide::Location& source,
                                          const decide::Location& destination,
                                          const Tables& tables) const noexcept;
  WorkerSlot of_ends(const decide::Location& source, const decide::Location& destination,
                     const IpAddress& a, const IpAddress& b) const noexcept;
  // Neither is the gateway.
  WorkerSlot of_others(const decide::Location& source, const decide::Location& destination,
                       const IpAddress& a, const IpAddress& b) const noexcept {
    // What is no device's compares above every device.
    const std::uint32_t device = std::min(source.device, destination.device);
    if (device < wire::kGatewayHost) [[likely]]
      return static_cast<WorkerSlot>(device % static_cast<std::uint32_t>(workers_));
    return of_nobody(a, b);
  }
  [[gnu::noinline]] WorkerSlot of_nobody(const IpAddress& a, const IpAddress& b) const noexcept;
  std::size_t workers_;
  std::uint16_t ports_each_;
};

}  // namespace sallyport::dataplane
