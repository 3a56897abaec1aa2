// Line differences of two texts, in the unified form that everybody's tools read.
//
// Pure. Bounded: beyond kMaxDiffLines of changed region per side the region is shown as replaced
// whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport::control {

inline constexpr std::size_t kMaxDiffLines = 4000;

// Empty when they are the same.
std::string unified_diff(std::string_view before, std::string_view after,
                         const std::string& before_name, const std::string& after_name);

}  // namespace sallyport::control
