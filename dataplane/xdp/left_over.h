// A dataplane that was killed leaves its XDP program on the port: by design, since the program is
// what keeps frames from the kernel meanwhile. The next dataplane's driver attaches only where
// there is none, so probing begins by taking the old one off. Until the new one is attached the
// port has none; its namespace has no IP and no ARP, so a frame that arrives then is lost there.
//
// Before privileges drop (CAP_NET_ADMIN), in the ports' namespace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/base/result.h"

namespace sallyport::dataplane {

// The kernel interface that vdev arguments of net_af_packet or net_af_xdp name
// ("net_af_xdp0,iface=eth1" -> "eth1"); nothing for any other device.
std::optional<std::string> kernel_interface(std::string_view device);
// The same for net_af_xdp alone.
std::optional<std::string> xdp_interface(std::string_view device);

// No error when there is no program. kNotFound "no-such-interface", kSystem "xdp-detach".
Result<void> detach_left_over_program(const std::string& interface);

}  // namespace sallyport::dataplane
