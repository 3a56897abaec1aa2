#include "control/cli/private_key.h"

#include <wolfssl/options.h>
// After options.h: it decides what the next headers declare.
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include <fmt/format.h>

#include <vector>

#include "policy/base/check.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

auto bad_key(std::string why) { return fail(ErrorKind::kInvalid, "bad-key", std::move(why)); }

constexpr std::size_t kMaxPem = 16'384;

// Bytes of a key, wiped when they go.
struct Wiped {
  std::vector<byte> bytes;
  explicit Wiped(std::size_t size) : bytes(size) {}
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { wc_ForceZero(bytes.data(), static_cast<word32>(bytes.size())); }
};

}  // namespace

struct PrivateKey::Inside {
  Inside() {
    SALLYPORT_CHECK(wc_InitRng(&random) == 0);
    SALLYPORT_CHECK(wc_ecc_init(&key) == 0);
    wc_ecc_set_rng(&key, &random);
  }
  ~Inside() {
    wc_ecc_free(&key);
    wc_FreeRng(&random);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  WC_RNG random{};
  ecc_key key{};
  wire::PublicKey::Point point{};
};

PrivateKey::PrivateKey(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxPem) return bad_key("it is too long for a key");
  if (pem.find("ENCRYPTED") != pem.npos)
    return bad_key("it is encrypted, which this build's TLS library cannot read");
  Wiped der(kMaxPem);
  const int size =
      wc_KeyPemToDer(reinterpret_cast<const byte*>(pem.data()), static_cast<int>(pem.size()),
                     der.bytes.data(), static_cast<int>(der.bytes.size()), nullptr);
  if (size <= 0) return bad_key("it is no private key in PEM");
  auto inside = std::make_unique<Inside>();
  word32 at = 0;
  if (wc_EccPrivateKeyDecode(der.bytes.data(), &at, &inside->key, static_cast<word32>(size)) != 0 ||
      wc_ecc_get_curve_id(inside->key.idx) != ECC_SECP256R1)
    return bad_key(
        "it is no EC key on P-256; make one with: openssl genpkey -algorithm EC -pkeyopt "
        "ec_paramgen_curve:P-256 -out KEY");
  if (inside->key.type == ECC_PRIVATEKEY_ONLY && wc_ecc_make_pub(&inside->key, nullptr) != 0)
    return bad_key("its public part cannot be computed");
  auto length = static_cast<word32>(inside->point.size());
  if (wc_ecc_check_key(&inside->key) != 0 ||
      wc_ecc_export_x963(&inside->key, inside->point.data(), &length) != 0 ||
      length != inside->point.size())
    return bad_key("its two parts do not fit together");
  return PrivateKey(std::move(inside));
}

wire::PublicKey PrivateKey::public_key() const { return wire::PublicKey(inside_->point); }

Result<std::string> PrivateKey::sign(std::string_view message) const {
  const wire::Digest digest = wire::sha256(message);
  std::vector<byte> signature(ECC_MAX_SIG_SIZE);
  auto size = static_cast<word32>(signature.size());
  const int failed = wc_ecc_sign_hash(digest.data(), static_cast<word32>(digest.size()),
                                      signature.data(), &size, &inside_->random, &inside_->key);
  std::string out(wire::kMaxSignatureText, '\0');
  auto length = static_cast<word32>(out.size());
  if (failed != 0 ||
      Base64_Encode_NoNl(signature.data(), size, reinterpret_cast<byte*>(out.data()), &length) != 0)
    return fail(ErrorKind::kSystem, "cannot-sign",
                fmt::format("the TLS library cannot sign ({})", failed));
  out.resize(length);
  return out;
}

}  // namespace sallyport::control
