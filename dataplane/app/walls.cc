#include "dataplane/app/walls.h"

#include "policy/os/sandbox.h"

namespace sallyport::dataplane {

Result<void> drop_thread_rights() {
  SALLYPORT_TRY_VOID(os::drop_all_capabilities());
  // Nothing is opened by name any more: descriptors come from control.
  return os::restrict_paths({});
}

Result<void> install_filter() {
  SALLYPORT_TRY_VOID(os::forbid_dumps());
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls());
  // AF_PACKET and AF_XDP kick their rings with sendto/poll; TAP queues want ioctl once and
  // readv/writev; snapshots and answers are memfds.
  filter.allow({"sendto",
                "sendmsg",
                "recvmsg",
                "recvfrom",
                "poll",
                "ppoll",
                "epoll_wait",
                "epoll_ctl",
                "ioctl",
                "readv",
                "writev",
                "eventfd2",
                "memfd_create",
                "fcntl",
                "ftruncate",
                "accept4",
                "getsockopt",
                "setsockopt",
                "nanosleep",
                "clock_nanosleep",
                "prctl",
                "timerfd_settime",
                "sched_getaffinity",
                "sched_setaffinity",
                "getrandom"});
  return filter.install();
}

}  // namespace sallyport::dataplane
