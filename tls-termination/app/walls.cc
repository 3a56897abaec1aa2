#include "tls-termination/app/walls.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "policy/os/log.h"
#include "policy/os/sandbox.h"
#include "policy/os/system_error.h"

namespace sallyport::terminator {
namespace {

constexpr rlim_t kDescriptors = 16384;
// Listeners of a large plant and the daemon itself; for each engine its loop and the sockets that
// its resolvers hold ahead and use.
constexpr std::size_t kDescriptorsBeside = 512;
constexpr std::size_t kDescriptorsOfAnEngine = 24;
constexpr std::size_t kMostPlaces = 4096;

// As much as is wanted, or as much as we may have.
Result<rlim_t> raise_limit(int which, rlim_t wanted, const char* name) {
  rlimit limit{wanted, wanted};
  if (::setrlimit(static_cast<__rlimit_resource>(which), &limit) == 0) return wanted;
  if (::getrlimit(static_cast<__rlimit_resource>(which), &limit) != 0)
    return fail(os::system_error("limit", name));
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(static_cast<__rlimit_resource>(which), &limit);
  return limit.rlim_cur;
}

// Keys and what was decrypted never reach a swap device. Locking all of memory under a finite limit
// would make allocations fail later; then only the key files' own buffers are locked.
Result<void> lock_memory(rlim_t allowed) {
  if (allowed != RLIM_INFINITY) {
    os::log::warning("memory may not be locked as a whole (LimitMEMLOCK); keep swap off");
    return {};
  }
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
    return fail(os::system_error("memory-lock", "mlockall"));
  return {};
}

}  // namespace

Result<void> leave_the_world(const WallOptions& options) {
  SALLYPORT_TRY_VOID(os::unshare_network());
  SALLYPORT_TRY_VOID(raise_limit(RLIMIT_NOFILE, kDescriptors, "RLIMIT_NOFILE"));
  SALLYPORT_TRY(const rlim_t lockable,
                raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY, "RLIMIT_MEMLOCK"));
  if (!options.user.empty()) {
    SALLYPORT_TRY(const os::User user, os::find_user(options.user));
    SALLYPORT_TRY_VOID(os::become_user(user, {}));
  }
  SALLYPORT_TRY_VOID(lock_memory(lockable));
  return os::forbid_dumps();
}

Result<void> build_walls(const WallOptions& options) {
  const std::array<os::PathRule, 3> paths = {{
      {.path = options.keys, .write = false},
      {.path = options.run_folder, .write = false},
      // c-ares draws the ids of its questions from it.
      {.path = "/dev/urandom", .write = false},
  }};
  SALLYPORT_TRY_VOID(os::restrict_paths(paths));
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls());
  // getdents64: which CAs there are, for whoever reviews.
  filter.allow({"openat", "getdents64", "bind", "listen", "connect", "mlock2"});
  filter.allow_socket_family(AF_UNIX);
  return filter.install();
}

std::size_t descriptors_allowed() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

std::size_t places_within(std::size_t descriptors, std::size_t engines) {
  const std::size_t beside = kDescriptorsBeside + engines * kDescriptorsOfAnEngine;
  return std::min(kMostPlaces, (descriptors - std::min(beside, descriptors / 2)) / 2);
}

}  // namespace sallyport::terminator
