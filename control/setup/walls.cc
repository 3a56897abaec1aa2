#include "control/setup/walls.h"

#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <array>

#include "policy/os/sandbox.h"

namespace sallyport::setup {

Result<void> build_walls() {
  constexpr std::array<int, 2> kKept = {CAP_SYS_ADMIN, CAP_NET_ADMIN};
  SALLYPORT_TRY_VOID(os::become_user({0, 0}, kKept));
  SALLYPORT_TRY_VOID(os::forbid_dumps());
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls());
  filter.allow({"openat", "unlink", "getdents64", "fstatfs", "umount2", "bind"});
  for (const int what : {SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCETHTOOL})
    filter.allow_when("ioctl", 1, static_cast<std::uint64_t>(what));
  for (const unsigned long what : {TUNSETIFF, TUNSETOWNER, TUNSETPERSIST})
    filter.allow_when("ioctl", 1, what);
  filter.allow_when("mount", 3, MS_BIND);
  filter.allow_when("unshare", 0, CLONE_NEWNET);
  filter.allow_when("setns", 1, CLONE_NEWNET);
  for (int family : {AF_UNIX, AF_NETLINK, AF_INET, AF_INET6}) filter.allow_socket_family(family);
  return filter.install();
}

}  // namespace sallyport::setup
