// The forms of names, in one place: the loader refuses others with a position, the snapshot
// verifier refuses them again, so no name can become a path, an option or a terminal escape.
//
// Pure functions over untrusted text.
#pragma once

#include <cstddef>
#include <string_view>

namespace sallyport::model {

// [a-z][a-z0-9-]*, at most `max` bytes (kMaxShortName for ports and segments, kMaxLongName for
// devices and conduits).
bool is_name(std::string_view text, std::size_t max) noexcept;

// A DNS host name in lower case (RFC 1123 §2.1, RFC 1035 §2.3.4): labels of 1-63 letters, digits,
// hyphens and underscores, not starting or ending with a hyphen, at most 253 bytes, no trailing
// dot, not all digits in the last label (that would be an address).
bool is_host_name(std::string_view text) noexcept;

// Printable ASCII without space at either end, 1 to `max` bytes: device arguments, service texts.
bool is_plain_text(std::string_view text, std::size_t max) noexcept;

}  // namespace sallyport::model
