// A reviewer's private key, for `sallyctl review sign`: EC on P-256, PEM, not encrypted (the TLS
// library is compiled without password-based encryption). Control never sees one.
//
// Move only; wiped when it goes. One thread. Failures: kInvalid "bad-key", kSystem "cannot-sign".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "policy/base/result.h"
#include "policy/wire/signature.h"

namespace sallyport::control {

class PrivateKey {
 public:
  // "EC PRIVATE KEY" (RFC 5915) or "PRIVATE KEY" (RFC 5958).
  static Result<PrivateKey> from_pem(std::string_view pem);
  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  wire::PublicKey public_key() const;
  // Base64 of an ECDSA signature with SHA-256.
  Result<std::string> sign(std::string_view message) const;

 private:
  struct Inside;
  explicit PrivateKey(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace sallyport::control
