// The terminator's own walls, in the order of policy/os/sandbox.h: an empty network namespace, its
// own user, no capability, no dumps, no swap, the key folder and the setup socket in sight and
// nothing else, no socket(2) but AF_UNIX. 2.4.7.18.
#pragma once

#include <cstddef>
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
// When every descriptor is open: paths and system calls. Reaches every thread there is, and those
// that are made later have it from their makers.
Result<void> build_walls(const WallOptions& options);

// How many descriptors the process may have, and how many conversations that is room for: two each,
// beside listeners, each engine's sockets for resolving, and what the daemon itself needs.
std::size_t descriptors_allowed();
std::size_t places_within(std::size_t descriptors, std::size_t engines);

}  // namespace sallyport::terminator
