// The terminator's own walls, in the order of policy/os/sandbox.h: an empty network namespace, its
// own user, no capability, no dumps, no swap, the key folder and the setup socket in sight and
// nothing else, no socket(2) but AF_UNIX. 2.4.7.18.
#pragma once

#include <string>

#include "policy/base/result.h"

namespace sallyport::terminator {

struct WallOptions {
  std::string user;        // empty: stay who we are (tests)
  std::string keys;        // folder
  std::string run_folder;  // holds setup/socket
};

// While still root: the namespace, memory limits, the user.
Result<void> leave_the_world(const WallOptions& options);
// When every descriptor is open: paths and system calls.
Result<void> build_walls(const WallOptions& options);

}  // namespace sallyport::terminator
