#include "control/setup/segments.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "control/setup/sysctls.h"

namespace sallyport::setup {
namespace {

// Attaches to tap0 of the calling thread's namespace; makes it if it is not there.
Outcome<os::UniqueFd> attach_tap() {
  os::UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return failed(errno, "/dev/net/tun");
  ifreq query = {};
  std::memcpy(query.ifr_name, kTapName, std::strlen(kTapName));
  query.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(fd.get(), TUNSETIFF, &query) != 0) return failed(errno, kTapName);
  return fd;
}

Outcome<Link> find_or_make_tap() {
  if (auto found = find_link(kTapName); found || found.error().error != ENODEV) return found;
  SALLYPORT_TRY(const os::UniqueFd fd, attach_tap());
  if (::ioctl(fd.get(), TUNSETOWNER, 0UL) != 0) return failed(errno, "TUNSETOWNER");
  if (::ioctl(fd.get(), TUNSETPERSIST, 1UL) != 0) return failed(errno, "TUNSETPERSIST");
  return find_link(kTapName);
}

Outcome<void> raise_loopback() {
  SALLYPORT_TRY(const Link loopback, find_link("lo"));
  return set_link_flags(loopback.index, IFF_UP, IFF_UP);
}

}  // namespace

Outcome<void> make_segment(const std::string& name, const MacAddress& mac) {
  SALLYPORT_TRY(const os::UniqueFd where, make_namespace(name));
  return inside(where, [&]() -> Outcome<void> {
    SALLYPORT_TRY_VOID(settle_segment());
    SALLYPORT_TRY_VOID(raise_loopback());
    SALLYPORT_TRY(const Link tap, find_or_make_tap());
    SALLYPORT_TRY_VOID(settle_segment_link(kTapName));
    if (tap.mac != mac) {
      // Down and up, because the link-local address is made from the MAC when the link comes up.
      SALLYPORT_TRY_VOID(set_link_flags(tap.index, 0, IFF_UP));
      SALLYPORT_TRY_VOID(set_link_mac(tap.index, mac));
    }
    return set_link_flags(tap.index, IFF_UP, IFF_UP);
  });
}

Outcome<void> remove_segment(const std::string& name) {
  const auto where = open_namespace(name);
  if (!where) {
    if (where.error().error != ENOENT) return std::unexpected(where.error());
    return remove_namespace(name);  // a file without a namespace
  }
  SALLYPORT_TRY_VOID(inside(*where, []() -> Outcome<void> {
    const auto tap = find_link(kTapName);
    if (tap) return delete_link(tap->index);
    if (tap.error().error == ENODEV) return {};
    return std::unexpected(tap.error());
  }));
  return remove_namespace(name);
}

Outcome<os::UniqueFd> open_tap(const std::string& name) {
  SALLYPORT_TRY(const os::UniqueFd where, open_namespace(name));
  return inside(where, []() -> Outcome<os::UniqueFd> {
    SALLYPORT_TRY_VOID(find_link(kTapName));
    return attach_tap();
  });
}

Outcome<os::UniqueFd> open_socket(const std::string& name, IpVersion family, bool stream) {
  SALLYPORT_TRY(const os::UniqueFd where, open_namespace(name));
  return inside(where, [&]() -> Outcome<os::UniqueFd> {
    const int type = (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    os::UniqueFd fd(::socket(family == IpVersion::k6 ? AF_INET6 : AF_INET, type, 0));
    if (!fd) return failed(errno, "socket");
    const int yes = 1;
    if (family == IpVersion::k6 &&
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0)
      return failed(errno, "IPV6_V6ONLY");
    return fd;
  });
}

}  // namespace sallyport::setup
