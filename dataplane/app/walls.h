// The dataplane's own walls (policy/os/sandbox.h has the bricks). Ports are probed before.
#pragma once

#include "policy/base/result.h"

namespace sallyport::dataplane {

// Every thread: no capability, nothing of the file system.
Result<void> drop_rights();
// Every thread: no dumps, and the system calls that the packet path, the TAPs and control's socket
// need. No socket of any family can be opened from here on, nor any file.
Result<void> install_filter();

}  // namespace sallyport::dataplane
