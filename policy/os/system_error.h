// Turns errno into an Error that keeps the kernel's words.
#pragma once

#include <string_view>

#include "policy/base/result.h"

namespace sallyport::os {

// Error{kSystem, code, "what: No such file or directory"}; reads errno unless given.
Error system_error(std::string_view code, std::string_view what);
Error system_error(std::string_view code, std::string_view what, int number);

}  // namespace sallyport::os
