#include "dataplane/xdp/left_over.h"

#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <system_error>

namespace sallyport::dataplane {

std::optional<std::string> kernel_interface(std::string_view device) {
  if (!device.starts_with("net_af_xdp") && !device.starts_with("net_af_packet"))
    return std::nullopt;
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = device.substr(at + kKey.size());
  return std::string(rest.substr(0, rest.find(',')));
}

std::optional<std::string> xdp_interface(std::string_view device) {
  return device.starts_with("net_af_xdp") ? kernel_interface(device) : std::nullopt;
}

Result<void> detach_left_over_program(const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  if (index == 0)
    return fail(ErrorKind::kNotFound, "no-such-interface", interface + " is not in this namespace");
  for (const unsigned mode : {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE}) {
    const int error = -bpf_xdp_detach(static_cast<int>(index), mode, nullptr);
    // A driver without XDP has nothing to take off.
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL) continue;
    return fail(ErrorKind::kSystem, "xdp-detach",
                interface + ": " + std::generic_category().message(error));
  }
  return {};
}

}  // namespace sallyport::dataplane
