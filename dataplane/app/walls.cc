#include "dataplane/app/walls.h"

#include <linux/if_tun.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "policy/os/sandbox.h"

namespace sallyport::dataplane {

Result<void> drop_rights() {
  SALLYPORT_TRY_VOID(os::drop_all_capabilities());
  // Nothing is opened by name any more: descriptors come from control.
  return os::restrict_paths({});
}

Result<void> install_filter() {
  SALLYPORT_TRY_VOID(os::forbid_dumps());
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls());
  // Everything else that the packet path needs is common: AF_PACKET and AF_XDP kick their rings
  // with sendto and poll, snapshots and answers are memfds.
  filter.allow_when("ioctl", 1, TUNSETVNETHDRSZ).allow_when("ioctl", 1, TUNSETOFFLOAD);
  filter.allow_when("ioctl", 1, SIOCGIFFLAGS);  // is a port's link up?
  // Unmasks a PCI port's interrupt (INTx), which each one masks.
  filter.allow_when("ioctl", 1, VFIO_DEVICE_SET_IRQS);
  return filter.install();
}

}  // namespace sallyport::dataplane
