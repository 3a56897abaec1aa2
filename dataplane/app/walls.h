// The dataplane's own walls (policy/os/sandbox.h has the bricks). Ports are probed before.
#pragma once

#include <string>

#include "policy/base/result.h"

namespace sallyport::dataplane {

// The calling thread: no capability, nothing of the file system but reading what is needed to run.
Result<void> drop_thread_rights();
// All threads: the system calls that the packet path, the TAPs and control's socket need. No
// AF_INET or AF_INET6 socket can be opened from here on, nor any other.
Result<void> install_filter();

}  // namespace sallyport::dataplane
