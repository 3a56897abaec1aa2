// What control remembers for judging reviews: the latest day that a trusted clock has shown, and
// the hashes of CAs as the terminator told them last. Kept in <state>/control/reviews.json, so that
// a start without clock or terminator judges as before (docs/design/0008-review.md).
//
// Blocking: for the thread beside the loop. Failures: reading tells absent (nothing) from damaged
// (kInvalid "review-memory-damaged"); writing: kSystem "review-memory-not-written".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "policy/base/result.h"
#include "policy/review/parts.h"

namespace sallyport::control {

struct ReviewMemory {
  std::optional<std::int32_t> day;  // since 1970-01-01; never goes back
  review::Authorities authorities;
  friend bool operator==(const ReviewMemory&, const ReviewMemory&) = default;
};

Result<std::optional<ReviewMemory>> read_review_memory(const std::string& path);
Result<void> write_review_memory(const std::string& path, const ReviewMemory& memory);

// The terminator's answer `{"authorities": {NAME: SHA-256, ...}}`; nothing if it is none.
std::optional<review::Authorities> parse_authorities(const std::string& json);

}  // namespace sallyport::control
