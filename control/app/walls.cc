#include "control/app/walls.h"

#include <sys/ioctl.h>
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
  filter
      .allow(os::common_syscalls())
      // The offered file and the files for the neighbours; its own socket, and those of the others.
      .allow({"openat", "getdents64", "access", "faccessat2", "statx", "rename", "unlink", "chmod",
              "fchmod", "umask", "fsync", "fdatasync", "bind", "listen", "connect", "accept"})
      // libopenvswitch's loop measures itself and asks whether it talks to a terminal.
      .allow({"getrusage"})
      // Whether the clock is synchronised; setting it would need a capability.
      .allow({"adjtimex", "clock_adjtime"})
      .allow_when("ioctl", 1, TCGETS)
      .allow_socket_family(AF_UNIX);
  return filter.install();
}

}  // namespace sallyport::control
