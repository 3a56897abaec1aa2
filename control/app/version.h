#pragma once

namespace sallyport::control {

inline constexpr char kVersion[] = SALLYPORT_VERSION;

}  // namespace sallyport::control
