// The recovery copy: the revision that was confirmed last, in a file of control's own that is
// synced to the disk, because the database's is not (docs/design/0006-revisions.md).
//
// Blocking: for the thread beside the loop. Failures: reading tells absent (nothing) from damaged
// (kInvalid "recovery-damaged"); writing leaves the old copy or the new one, never half of one.
#pragma once

#include <optional>
#include <string>

#include "control/app/history.h"
#include "policy/base/result.h"

namespace sallyport::control {

Result<std::optional<Revision>> read_recovery(const std::string& path);
Result<void> write_recovery(const std::string& path, const Revision& revision);

}  // namespace sallyport::control
