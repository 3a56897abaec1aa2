#include "policy/wire/digest.h"

#include <wolfssl/options.h>
// After options.h: it decides what the next header declares.
#include <wolfssl/wolfcrypt/sha256.h>

#include <algorithm>
#include <limits>

#include "policy/base/check.h"

namespace sallyport::wire {

static_assert(WC_SHA256_DIGEST_SIZE == sizeof(Digest));

Digest sha256(ConstBytes bytes) noexcept {
  wc_Sha256 state;
  SALLYPORT_CHECK(wc_InitSha256(&state) == 0);
  constexpr std::size_t kStep = std::size_t{1} << 30;  // the library counts in 32 bits
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kStep));
    SALLYPORT_CHECK(wc_Sha256Update(&state, part.data(), static_cast<word32>(part.size())) == 0);
    bytes = bytes.subspan(part.size());
  }
  Digest out{};
  SALLYPORT_CHECK(wc_Sha256Final(&state, out.data()) == 0);
  wc_Sha256Free(&state);
  return out;
}

Digest sha256(std::string_view text) noexcept {
  return sha256(ConstBytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::string to_hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace sallyport::wire
