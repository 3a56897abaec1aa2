#include "tls-termination/wolfssl/library_text.h"

#include <fmt/format.h>
#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <array>

namespace sallyport::terminator {

std::string library_text(int code) {
  std::array<char, 128> text{};
  wolfSSL_ERR_error_string_n(static_cast<unsigned long>(static_cast<long>(code)), text.data(),
                             text.size());
  return fmt::format("{}: {}", code, text.data());
}

}  // namespace sallyport::terminator
