// What setup must have made for a snapshot: one host stack per segment, and the ports that the
// kernel also drives. Plans are compared; the differences are setup's records, additions before a
// revision takes force and removals after it (docs/design/0001-borders.md).
//
// Pure values. Thread: no sharing.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/base/mtu.h"
#include "policy/base/net.h"
#include "policy/wire/setup_protocol.h"
#include "policy/wire/snapshot.h"

namespace sallyport::control {

struct HostStack {
  std::uint16_t slot = 0;
  MacAddress mac;
  std::uint16_t mtu = kMostMtu;
  std::map<IpAddress, std::uint8_t> addresses;  // with their prefix lengths
  std::map<IpAddress, MacAddress> neighbours;   // devices': permanent, never learned
  std::set<IpAddress> routers;                  // default routes of an uplink
  friend bool operator==(const HostStack&, const HostStack&) = default;
};

struct HostPlan {
  std::map<std::string, HostStack> stacks;  // by segment
  std::set<std::string> interfaces;         // kernel interfaces that ports use
  friend bool operator==(const HostPlan&, const HostPlan&) = default;
};

HostPlan host_plan(const wire::SnapshotView& snapshot);

// The kernel interface that DPDK device arguments name (",iface=eth1"); empty for a PCI address or
// a device without one, or if the name cannot be an interface's.
std::string kernel_interface(std::string_view device);

// Records that make `from` into something that holds all of `to` and loses nothing that both have.
// An address that changes hands between subnets is removed first, since it can exist only once.
std::vector<wire::SetupRequest> additions(const HostPlan& from, const HostPlan& to);
// Records that take away what `from` has and `to` has not.
std::vector<wire::SetupRequest> removals(const HostPlan& from, const HostPlan& to);

// One record about a segment or an interface.
wire::SetupRequest setup_request(wire::SetupOp op, std::string_view name);

}  // namespace sallyport::control
