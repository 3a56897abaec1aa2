#include "policy/wire/signature.h"

#include <wolfssl/options.h>
// After options.h: it decides what the next headers declare.
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include "policy/wire/digest.h"

namespace sallyport::wire {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kEnd = "-----END PUBLIC KEY-----";

// The library's key, freed whatever happens.
class Key {
 public:
  Key() : usable_(wc_ecc_init(&key_) == 0) {}
  ~Key() { wc_ecc_free(&key_); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ecc_key* get() { return usable_ ? &key_ : nullptr; }

 private:
  ecc_key key_{};
  bool usable_;
};

auto bad_key(std::string why) { return fail(ErrorKind::kInvalid, "bad-key", std::move(why)); }

}  // namespace

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text, std::size_t max) {
  if (text.empty() || text.size() > 4 * (max / 3 + 1) || text.size() % 4 != 0) return std::nullopt;
  // The library would take them for line ends.
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ') return std::nullopt;
  std::vector<std::uint8_t> out(text.size());
  auto size = static_cast<word32>(out.size());
  if (Base64_Decode(reinterpret_cast<const byte*>(text.data()), static_cast<word32>(text.size()),
                    out.data(), &size) != 0 ||
      size > max)
    return std::nullopt;
  out.resize(size);
  // One text for the same bytes: none with other bits where there is nothing left to say.
  std::string again(text.size() + 1, '\0');
  auto length = static_cast<word32>(again.size());
  if (Base64_Encode_NoNl(out.data(), size, reinterpret_cast<byte*>(again.data()), &length) != 0 ||
      std::string_view(again).substr(0, length) != text)
    return std::nullopt;
  return out;
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxKeyText) return bad_key("it is too long for a public key");
  const std::size_t begin = pem.find(kBegin);
  const std::size_t end = pem.find(kEnd);
  if (begin == pem.npos || end == pem.npos || end < begin + kBegin.size())
    return bad_key("it does not begin and end as a PEM public key does");
  std::string body;
  for (const char c : pem.substr(begin + kBegin.size(), end - begin - kBegin.size()))
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') body += c;
  const auto der = from_base64(body, kMaxKeyText);
  if (!der) return bad_key("it is no base64");
  Key key;
  word32 at = 0;
  if (key.get() == nullptr ||
      wc_EccPublicKeyDecode(der->data(), &at, key.get(), static_cast<word32>(der->size())) != 0 ||
      at != der->size() || wc_ecc_get_curve_id(key.get()->idx) != ECC_SECP256R1)
    return bad_key("it is no EC key on P-256");
  if (wc_ecc_check_key(key.get()) != 0) return bad_key("its point is not on the curve");
  Point point{};
  auto size = static_cast<word32>(point.size());
  if (wc_ecc_export_x963(key.get(), point.data(), &size) != 0 || size != point.size())
    return bad_key("it is no EC key on P-256");
  return PublicKey(point);
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  const auto der = from_base64(signature, kMaxSignatureText);
  // A sequence, and nothing behind it (X.690 §8.1); the library would not look.
  if (!der || der->size() < 2 || (*der)[0] != 0x30 || (*der)[1] + std::size_t{2} != der->size())
    return false;
  Key key;
  if (key.get() == nullptr ||
      wc_ecc_import_x963_ex(point_.data(), static_cast<word32>(point_.size()), key.get(),
                            ECC_SECP256R1) != 0)
    return false;
  const Digest digest = sha256(message);
  int fits = 0;
  return wc_ecc_verify_hash(der->data(), static_cast<word32>(der->size()), digest.data(),
                            static_cast<word32>(digest.size()), &fits, key.get()) == 0 &&
         fits == 1;
}

}  // namespace sallyport::wire
