// Facts of an X.509 certificate that credentials and listeners judge by. Values over the library's
// parsed form; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policy/base/bytes.h"
#include "policy/base/result.h"

struct WOLFSSL_X509;

namespace sallyport::terminator {

class Certificate {
 public:
  // The first certificate of a PEM text. kInvalid "bad-certificate".
  static Result<Certificate> from_pem(ConstBytes pem);

  std::string subject() const;
  // Seconds since 1970.
  std::int64_t not_before() const { return not_before_; }
  std::int64_t not_after() const { return not_after_; }
  bool is_ca() const;
  // "EC" or "RSA" or "other", and the key's size.
  std::string_view key_type() const { return key_type_; }
  unsigned key_bits() const { return key_bits_; }
  // A subjectAltName that matches; the common name counts for nothing.
  bool is_for(std::string_view host) const;

 private:
  struct Free {
    void operator()(WOLFSSL_X509* x509) const noexcept;
  };
  std::unique_ptr<WOLFSSL_X509, Free> x509_;
  std::int64_t not_before_ = 0;
  std::int64_t not_after_ = 0;
  std::string_view key_type_ = "other";
  unsigned key_bits_ = 0;
};

}  // namespace sallyport::terminator
