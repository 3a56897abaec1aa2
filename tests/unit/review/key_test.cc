// Keys as openssl writes them, and what only looks like one.
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <algorithm>

#include "control/cli/private_key.h"
#include "policy/base/check.h"
#include "tests/support/review/reviewers.h"

namespace sallyport {
namespace {

using control::PrivateKey;
using wire::PublicKey;

// Of a fresh key, in the form that the name says.
struct Fresh {
  EVP_PKEY* key;
  explicit Fresh(EVP_PKEY* made) : key(made) { SALLYPORT_CHECK(key != nullptr); }
  ~Fresh() { EVP_PKEY_free(key); }
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  template <class Write>
  static std::string pem(Write write) {
    BIO* memory = BIO_new(BIO_s_mem());
    SALLYPORT_CHECK(write(memory) == 1);
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory, &text);
    std::string out(text, static_cast<std::size_t>(size));
    BIO_free(memory);
    return out;
  }
  std::string open() const {
    return pem([&](BIO* to) { return PEM_write_bio_PUBKEY(to, key); });
  }
  std::string pkcs8(const char* password = nullptr) const {
    return pem([&](BIO* to) {
      return PEM_write_bio_PKCS8PrivateKey(to, key,
                                           password == nullptr ? nullptr : EVP_aes_256_cbc(),
                                           password, password == nullptr ? 0 : 4, nullptr, nullptr);
    });
  }
  std::string traditional() const {
    return pem([&](BIO* to) {
      return PEM_write_bio_PrivateKey_traditional(to, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
};

TEST(Keys, BothFormsOfAPrivateKeyAreThePublicOne) {
  const Fresh fresh(EVP_EC_gen("P-256"));
  const auto open = PublicKey::from_pem(fresh.open());
  ASSERT_TRUE(open);
  for (const std::string& pem : {fresh.pkcs8(), fresh.traditional()}) {
    const auto key = PrivateKey::from_pem(pem);
    ASSERT_TRUE(key) << key.error().context;
    EXPECT_EQ(key->public_key(), *open);
    const auto signature = key->sign("something");
    ASSERT_TRUE(signature);
    EXPECT_TRUE(open->verifies("something", *signature));
    EXPECT_FALSE(open->verifies("something else", *signature));
    EXPECT_FALSE(
        PublicKey::from_pem(testing::public_key("bert"))->verifies("something", *signature));
  }
}

TEST(Keys, PemMayBeFoldedIntoOneLine) {
  std::string folded = testing::public_key("anna");
  std::replace(folded.begin(), folded.end(), '\n', ' ');
  EXPECT_EQ(*PublicKey::from_pem(folded), *PublicKey::from_pem(testing::public_key("anna")));
}

TEST(Keys, NothingElseIsAPublicKey) {
  const Fresh p384(EVP_EC_gen("P-384"));
  const Fresh ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  std::string off_curve = testing::public_key("anna");
  char& digit = off_curve[off_curve.find("==") - 8];
  digit = digit == 'A' ? 'B' : 'A';
  for (const std::string& pem :
       {std::string(), std::string("anna"), p384.open(), ed25519.open(), off_curve,
        testing::private_key("anna"), std::string(5000, 'A'),
        std::string("-----END PUBLIC KEY----------BEGIN PUBLIC KEY-----"),
        std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")}) {
    const auto key = PublicKey::from_pem(pem);
    ASSERT_FALSE(key) << pem;
    EXPECT_EQ(key.error().code, "bad-key");
  }
}

TEST(Keys, NothingElseIsAPrivateKey) {
  const Fresh p256(EVP_EC_gen("P-256"));
  const Fresh p384(EVP_EC_gen("P-384"));
  const Fresh ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  for (const std::string& pem : {std::string(), std::string("anna"), testing::public_key("anna"),
                                 p384.pkcs8(), ed25519.pkcs8(), p256.pkcs8("word")}) {
    const auto key = PrivateKey::from_pem(pem);
    ASSERT_FALSE(key) << pem;
    EXPECT_EQ(key.error().code, "bad-key");
  }
}

}  // namespace
}  // namespace sallyport
