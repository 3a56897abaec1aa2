#include "control/app/walls.h"

#include <sys/socket.h>

#include <filesystem>
#include <vector>

#include "policy/os/sandbox.h"

namespace sallyport::control {

Result<void> raise_walls(const WallOptions& options) {
  SALLYPORT_TRY_VOID(os::drop_all_capabilities());
  SALLYPORT_TRY_VOID(os::forbid_dumps());
  std::vector<os::PathRule> rules = {{options.run_dir + "/control", true},
                                     {options.state_dir, true}};
  const auto folder = std::filesystem::path(options.config).parent_path();
  for (const std::string& path :
       {folder.string(), std::string("/etc/passwd"), std::string("/dev/urandom"),
        std::string("/dev/null"), std::string("/etc/localtime"), options.run_dir})
    if (std::filesystem::exists(path)) rules.push_back({path, false});
  SALLYPORT_TRY_VOID(os::restrict_paths(rules));
  os::SyscallFilter filter;
  filter.allow(os::common_syscalls())
      .allow({"openat",     "open",      "stat",       "lstat",          "statx",
              "access",     "faccessat", "faccessat2", "readlink",       "readlinkat",
              "getdents64", "rename",    "renameat",   "renameat2",      "unlink",
              "unlinkat",   "connect",   "bind",       "listen",         "accept",
              "chmod",      "fchmod",    "fchmodat",   "umask",          "times",
              "getrusage",  "mkdir",     "getcwd",     "sched_getparam", "sched_getscheduler",
              "fsync",      "fdatasync", "socketpair", "flock",          "ioctl",
              "pipe",       "dup2",      "time",       "setitimer",      "getitimer"})
      .allow_socket_family(AF_UNIX);
  return filter.install();
}

}  // namespace sallyport::control
