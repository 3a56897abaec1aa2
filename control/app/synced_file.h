// Small files of control's own that must survive a power cut: written beside, synced, renamed.
//
// Blocking: for the thread beside the loop. Failures: reading tells absent (nothing) from
// unreadable (kSystem) and too large (kInvalid); writing leaves the old file or the new one, never
// half of one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policy/base/result.h"

namespace sallyport::control {

Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t max);
Result<void> write_synced(const std::string& path, std::string_view text);

}  // namespace sallyport::control
