#include "tls-termination/wolfssl/certificate.h"

#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <array>
#include <ctime>
#include <vector>

namespace sallyport::terminator {
namespace {

// `date` is the library's form: ASN.1 type, length, text.
std::int64_t seconds_of(const byte* date) {
  std::tm time{};
  if (date == nullptr || wc_GetDateAsCalendarTime(date + 2, date[1], date[0], &time) != 0) return 0;
  return ::timegm(&time);
}

unsigned rsa_bits(const std::vector<byte>& key) {
  RsaKey rsa;
  if (wc_InitRsaKey(&rsa, nullptr) != 0) return 0;
  word32 index = 0;
  const int decoded =
      wc_RsaPublicKeyDecode(key.data(), &index, &rsa, static_cast<word32>(key.size()));
  const int size = decoded == 0 ? wc_RsaEncryptSize(&rsa) : 0;
  wc_FreeRsaKey(&rsa);
  return size > 0 ? static_cast<unsigned>(size) * 8 : 0;
}

// The key is either a SubjectPublicKeyInfo or the bare uncompressed point (SEC 1 §2.3.3).
unsigned ec_bits(const std::vector<byte>& key) {
  if (!key.empty() && key[0] == 4) return static_cast<unsigned>(key.size() - 1) * 4;
  ecc_key ec;
  if (wc_ecc_init(&ec) != 0) return 0;
  word32 index = 0;
  const int decoded =
      wc_EccPublicKeyDecode(key.data(), &index, &ec, static_cast<word32>(key.size()));
  const int size = decoded == 0 ? wc_ecc_size(&ec) : 0;
  wc_ecc_free(&ec);
  return size > 0 ? static_cast<unsigned>(size) * 8 : 0;
}

}  // namespace

void Certificate::Free::operator()(WOLFSSL_X509* x509) const noexcept { wolfSSL_X509_free(x509); }

Result<Certificate> Certificate::from_pem(ConstBytes pem) {
  Certificate out;
  out.x509_.reset(wolfSSL_X509_load_certificate_buffer(pem.data(), static_cast<int>(pem.size()),
                                                       WOLFSSL_FILETYPE_PEM));
  if (!out.x509_)
    return fail(ErrorKind::kInvalid, "bad-certificate", "this is no X.509 certificate in PEM form");
  WOLFSSL_X509* x509 = out.x509_.get();
  out.not_before_ = seconds_of(wolfSSL_X509_notBefore(x509));
  out.not_after_ = seconds_of(wolfSSL_X509_notAfter(x509));
  int size = 0;
  if (wolfSSL_X509_get_pubkey_buffer(x509, nullptr, &size) == WOLFSSL_SUCCESS && size > 0) {
    std::vector<byte> key(static_cast<std::size_t>(size));
    if (wolfSSL_X509_get_pubkey_buffer(x509, key.data(), &size) == WOLFSSL_SUCCESS) {
      const int type = wolfSSL_X509_get_pubkey_type(x509);
      if (type == ECDSAk) {
        out.key_type_ = "EC";
        out.key_bits_ = ec_bits(key);
      } else if (type == RSAk || type == RSAPSSk) {
        out.key_type_ = "RSA";
        out.key_bits_ = rsa_bits(key);
      }
    }
  }
  return out;
}

std::string Certificate::subject() const {
  std::array<char, 512> text{};
  WOLFSSL_X509_NAME* name = wolfSSL_X509_get_subject_name(x509_.get());
  if (name == nullptr ||
      wolfSSL_X509_NAME_oneline(name, text.data(), static_cast<int>(text.size())) == nullptr)
    return {};
  return text.data();
}

bool Certificate::is_ca() const { return wolfSSL_X509_get_isCA(x509_.get()) != 0; }

bool Certificate::is_for(std::string_view host) const {
  const std::string name(host);
  return wolfSSL_X509_check_host(x509_.get(), name.c_str(), name.size(), 0, nullptr) ==
         WOLFSSL_SUCCESS;
}

}  // namespace sallyport::terminator
