// control's own walls (policy/os/sandbox.h has the bricks): no capability, no dumps; of the file
// system its own socket and state folders to write and the configuration's folder to read; no
// socket(2) but AF_UNIX; no program, no process beside it. 2.4.7.18.
#pragma once

#include <string>

#include "policy/base/result.h"

namespace sallyport::control {

struct WallOptions {
  std::string run_dir;
  std::string state_dir;  // control's own: the recovery copy
  std::string config;     // the offered file; its folder is readable
};

// When the listening socket is there and the user is its own. Reaches every thread.
Result<void> raise_walls(const WallOptions& options);

}  // namespace sallyport::control
