// The few rtnetlink requests that setup makes (rtnetlink(7)): one request, one acknowledgement, in
// buffers of fixed size. Everything acts on the network namespace that the *calling thread* is in
// (namespaces.h).
//
// Deletions of what is not there, and additions of what is there already, succeed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/setup/outcome.h"
#include "policy/base/net.h"

namespace sallyport::setup {

struct Link {
  unsigned index = 0;
  unsigned flags = 0;  // IFF_*
  MacAddress mac;
};

// ENODEV when there is none of this name.
Outcome<Link> find_link(const std::string& name);
// Names of all links but the loopback.
Outcome<std::vector<std::string>> link_names();

// Sets the IFF_* bits of `mask` to those of `flags`.
Outcome<void> set_link_flags(unsigned index, unsigned flags, unsigned mask);
Outcome<void> set_link_mac(unsigned index, const MacAddress& mac);
Outcome<void> set_link_mtu(unsigned index, std::uint32_t mtu);
Outcome<void> move_link(unsigned index, int target_namespace);
Outcome<void> delete_link(unsigned index);
// Takes any XDP program off the link, in either mode; a link without one is fine.
Outcome<void> detach_xdp(unsigned index);

Outcome<void> add_address(unsigned index, const IpAddress& address, unsigned prefix_length);
Outcome<void> delete_address(unsigned index, const IpAddress& address, unsigned prefix_length);
// Permanent: never asked for, never learned from the wire.
Outcome<void> set_neighbour(unsigned index, const IpAddress& address, const MacAddress& mac);
Outcome<void> delete_neighbour(unsigned index, const IpAddress& address);
// One default route per IP version; setting replaces.
Outcome<void> set_default_route(unsigned index, const IpAddress& gateway);
Outcome<void> delete_default_route(unsigned index, IpVersion version);

}  // namespace sallyport::setup
