// A segment's host stack: a namespace with one persistent TAP and nothing that leads to another
// one.
//
// The namespace is `<prefix><segment>`, the TAP "tap0" (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), owned
// by root, so that only setup can attach to it: a TAP without an owner can be attached by whoever
// is in its namespace. It has one queue: while one process holds it, a second gets EBUSY.
#pragma once

#include <string>

#include "control/setup/namespaces.h"
#include "control/setup/netlink.h"
#include "control/setup/outcome.h"
#include "policy/base/net.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::setup {

inline constexpr const char* kTapName = "tap0";

// All of it, or what is missing of it; an adopted TAP with another MAC gets this one (its addresses
// and routes are then lost). `name` is the namespace's.
Outcome<void> make_segment(const std::string& name, const MacAddress& mac);
// TAP first, so that a process that still holds a socket in there holds nothing.
Outcome<void> remove_segment(const std::string& name);
// A non-blocking descriptor of the TAP's queue.
Outcome<os::UniqueFd> open_tap(const std::string& name);
// An unbound non-blocking socket; IPv6 ones carry IPv6 only.
Outcome<os::UniqueFd> open_socket(const std::string& name, IpVersion family, bool stream);

// Runs `change(index of the TAP)` inside the segment's namespace; ENOENT or ENODEV without one.
template <class Change>
Outcome<void> on_tap(const std::string& name, Change change) {
  SALLYPORT_TRY(const os::UniqueFd where, open_namespace(name));
  return inside(where, [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link tap, find_link(kTapName));
    return change(tap.index);
  });
}

}  // namespace sallyport::setup
