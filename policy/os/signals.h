// How a daemon is asked to end.
#pragma once

#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::os {

// Readable once SIGTERM or SIGINT came, which from now on do nothing else to this thread and those
// that it starts. Call before the first thread.
Result<UniqueFd> stop_signals();

}  // namespace sallyport::os
