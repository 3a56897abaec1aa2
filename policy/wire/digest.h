// SHA-256 (FIPS 180-4), the one digest that policy needs: snapshots, meanings of rules, revision
// chains. A thin fence over the TLS library's implementation; nothing else outside
// tls-termination/wolfssl names it.
//
// Thread: values, no sharing. Cannot fail: the library's software implementation has no failing
// path for valid pointers, so a failure is a bug (SALLYPORT_CHECK).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/base/bytes.h"

namespace sallyport::wire {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(ConstBytes bytes) noexcept;
Digest sha256(std::string_view text) noexcept;

// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

}  // namespace sallyport::wire
