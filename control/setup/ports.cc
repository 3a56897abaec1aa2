#include "control/setup/ports.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "control/setup/namespaces.h"
#include "control/setup/netlink.h"
#include "control/setup/sysctls.h"
#include "policy/base/result.h"

namespace sallyport::setup {
namespace {

// The dataplane must see frames as they were on the wire: GRO and LRO would hand it merged ones,
// VLAN acceleration one without the tag that says to which segment it belongs. A driver that cannot
// do such a thing says so, and that is as good; one that does it and cannot be stopped is no port.
Outcome<void> stop_offloads(const std::string& interface) {
  constexpr std::uint32_t kUnwanted = ETH_FLAG_LRO | ETH_FLAG_RXVLAN | ETH_FLAG_TXVLAN;
  const os::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed(errno, "socket");
  ifreq query = {};
  std::memcpy(query.ifr_name, interface.data(), interface.size());
  ethtool_value value = {ETHTOOL_SGRO, 0};
  query.ifr_data = reinterpret_cast<char*>(&value);
  if (::ioctl(socket.get(), SIOCETHTOOL, &query) != 0 && errno != EOPNOTSUPP && errno != EINVAL)
    return failed(errno, interface + " GRO");
  value = {ETHTOOL_GFLAGS, 0};
  if (::ioctl(socket.get(), SIOCETHTOOL, &query) != 0) return {};  // no flags, no offloads
  value = {ETHTOOL_SFLAGS, value.data & ~kUnwanted};
  static_cast<void>(::ioctl(socket.get(), SIOCETHTOOL, &query));
  value = {ETHTOOL_GFLAGS, 0};
  if (::ioctl(socket.get(), SIOCETHTOOL, &query) != 0)
    return failed(errno, interface + " offloads");
  if ((value.data & (ETH_FLAG_LRO | ETH_FLAG_RXVLAN)) != 0)
    return failed(EOPNOTSUPP, interface + " cannot stop merging frames or taking VLAN tags off");
  return {};
}

Outcome<void> lower(unsigned index) {
  SALLYPORT_TRY_VOID(set_link_flags(index, 0, IFF_UP));
  return detach_xdp(index);
}

Outcome<void> mute(const std::string& interface, const Link& link) {
  SALLYPORT_TRY_VOID(settle_port_link(interface));
  SALLYPORT_TRY_VOID(set_link_flags(link.index, IFF_NOARP, IFF_NOARP));
  return stop_offloads(interface);
}

bool absent(const Outcome<void>& outcome) { return !outcome && outcome.error().error == ENODEV; }

}  // namespace

Outcome<Ports> Ports::open(const std::string& name, const os::UniqueFd& home) {
  SALLYPORT_TRY(os::UniqueFd where, make_namespace(name));
  SALLYPORT_TRY_VOID(inside(where, [] { return settle_ports(); }));
  return Ports(std::move(where), home);
}

Outcome<void> Ports::take(const std::string& interface) {
  const auto mute_here = [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link link, find_link(interface));
    return mute(interface, link);
  };
  if (auto here = inside(where_, mute_here); !absent(here)) return here;
  SALLYPORT_TRY_VOID(inside(*home_, [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link link, find_link(interface));
    SALLYPORT_TRY_VOID(lower(link.index));
    return move_link(link.index, where_.get());
  }));
  return inside(where_, mute_here);
}

Outcome<void> Ports::up(const std::string& interface) {
  return inside(where_, [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link link, find_link(interface));
    // Muted once more: whatever happened since, the link does not rise without it.
    SALLYPORT_TRY_VOID(mute(interface, link));
    return set_link_flags(link.index, IFF_UP, IFF_UP);
  });
}

Outcome<void> Ports::down(const std::string& interface) {
  return inside(where_, [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link link, find_link(interface));
    return lower(link.index);
  });
}

Outcome<void> Ports::release(const std::string& interface) {
  auto moved = inside(where_, [&]() -> Outcome<void> {
    SALLYPORT_TRY(const Link link, find_link(interface));
    SALLYPORT_TRY_VOID(lower(link.index));
    SALLYPORT_TRY_VOID(set_link_flags(link.index, 0, IFF_NOARP));
    return move_link(link.index, home_->get());
  });
  if (!absent(moved)) return moved;
  return inside(*home_, [&]() -> Outcome<void> {
    SALLYPORT_TRY_VOID(find_link(interface));
    return {};
  });
}

Outcome<void> Ports::release_all() {
  SALLYPORT_TRY(const std::vector<std::string> names, inside(where_, [] { return link_names(); }));
  for (const std::string& name : names) SALLYPORT_TRY_VOID(release(name));
  return {};
}

}  // namespace sallyport::setup
