// Public keys and signatures of reviewers: ECDSA on P-256 with SHA-256 (FIPS 186-5), keys as
// SubjectPublicKeyInfo in PEM (RFC 5480, RFC 7468). A thin fence over the TLS library; verifying
// only, private keys are not for control (control/cli/private_key.h).
//
// Valid inputs: any bytes. Thread: values, no sharing. Failures: kInvalid "bad-key". Source:
// 2.4.7.2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/result.h"

namespace sallyport::wire {

inline constexpr std::size_t kMaxKeyText = 1000;
inline constexpr std::size_t kMaxSignatureText = 200;
inline constexpr std::string_view kKeyForm =
    "a PEM public key on P-256: openssl pkey -in KEY -pubout";

class PublicKey {
 public:
  // Uncompressed point, X9.62.
  using Point = std::array<std::uint8_t, 65>;

  // Line ends of the PEM text may have become spaces.
  static Result<PublicKey> from_pem(std::string_view pem);
  explicit PublicKey(const Point& point) : point_(point) {}

  // `signature`: base64 of the DER form (RFC 3279 §2.2.3).
  bool verifies(std::string_view message, std::string_view signature) const;
  const Point& point() const { return point_; }
  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  Point point_;
};

// Of a text without line ends or other white space; nothing if it is no base64 (RFC 4648 §4) or
// longer than `max` bytes.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text, std::size_t max);

}  // namespace sallyport::wire
