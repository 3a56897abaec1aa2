#include "policy/os/system_error.h"

#include <fmt/core.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace sallyport::os {

Error system_error(std::string_view code, std::string_view what) {
  return system_error(code, what, errno);
}

Error system_error(std::string_view code, std::string_view what, int number) {
  return {ErrorKind::kSystem, std::string(code),
          fmt::format("{}: {}", what, std::generic_category().message(number))};
}

}  // namespace sallyport::os
