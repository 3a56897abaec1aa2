// Times as people read them in messages: "2026-11-23 22:40:07 UTC".
#pragma once

#include <fmt/chrono.h>

#include <cstdint>
#include <ctime>
#include <string>

namespace sallyport::control {

// Seconds since 1970-01-01.
inline std::string utc_text(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace sallyport::control
