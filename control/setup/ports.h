// Kernel interfaces that the dataplane drives (AF_XDP, af_packet): moved into the namespace
// `<prefix>ports`, which has no IP, and back. A port there has no address, IPv6 disabled, ARP off,
// and no offload that merges frames or takes their VLAN tags off. Its link is down until up() is
// called, and up() is called only after the dataplane has said that deny is in force.
#pragma once

#include <string>

#include "control/setup/outcome.h"
#include "policy/os/fd.h"

namespace sallyport::setup {

class Ports {
 public:
  // Makes or adopts the namespace. `home` is where ports come from and go back to; it must outlive
  // this object.
  static Outcome<Ports> open(const std::string& name, const os::UniqueFd& home);

  // A port that is there already is muted again; its link stays as it is, since it may be in
  // service. ENODEV when the interface is in neither namespace.
  Outcome<void> take(const std::string& interface);
  Outcome<void> up(const std::string& interface);
  // Link down, and the XDP program that a killed dataplane left behind taken off.
  Outcome<void> down(const std::string& interface);
  // Down, and back home with ARP as the kernel has it. No error if it is at home.
  Outcome<void> release(const std::string& interface);
  // All of them, for --cleanup.
  Outcome<void> release_all();

 private:
  Ports(os::UniqueFd where, const os::UniqueFd& home) : where_(std::move(where)), home_(&home) {}
  os::UniqueFd where_;
  const os::UniqueFd* home_;
};

}  // namespace sallyport::setup
