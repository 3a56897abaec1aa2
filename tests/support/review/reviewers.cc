#include "tests/support/review/reviewers.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <map>

#include "control/cli/private_key.h"
#include "policy/base/check.h"
#include "policy/review/rules.h"

namespace sallyport::testing {
namespace {

constexpr std::array kNames = {"anna", "bert", "cora"};

struct Pair {
  std::string secret;
  std::string open;
};

// What `write` gives out in PEM.
template <class Write>
std::string pem(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  SALLYPORT_CHECK(memory != nullptr && write(memory) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string out(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return out;
}

// Made once for each run.
const Pair& pair_of(std::string_view name) {
  static const auto kPairs = [] {
    std::map<std::string, Pair, std::less<>> out;
    for (const char* one : kNames) {
      EVP_PKEY* key = EVP_EC_gen("P-256");
      SALLYPORT_CHECK(key != nullptr);
      out[one].secret = pem([&](BIO* to) {
        return PEM_write_bio_PKCS8PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
      });
      out[one].open = pem([&](BIO* to) { return PEM_write_bio_PUBKEY(to, key); });
      EVP_PKEY_free(key);
    }
    return out;
  }();
  const auto at = kPairs.find(name);
  SALLYPORT_CHECK(at != kPairs.end());
  return at->second;
}

}  // namespace

std::string private_key(std::string_view name) { return pair_of(name).secret; }
std::string public_key(std::string_view name) { return pair_of(name).open; }

model::ReviewRules rules(unsigned required) {
  model::ReviewRules out;
  out.required_signatures = required;
  for (const char* name : kNames) out.reviewers.push_back({name, pair_of(name).open});
  return out;
}

model::Signature sign(std::string_view reviewer, std::string_view statement) {
  const auto key = control::PrivateKey::from_pem(private_key(reviewer));
  SALLYPORT_CHECK(key.has_value());
  const auto signature = key->sign(statement);
  SALLYPORT_CHECK(signature.has_value());
  return {std::string(reviewer), *signature};
}

void sign_review(model::Gateway& gateway, std::string_view conduit, std::string_view reviewer,
                 const review::Authorities& authorities) {
  const auto at = std::ranges::find(gateway.conduits, conduit, &model::Conduit::name);
  SALLYPORT_CHECK(at != gateway.conduits.end() && at->review);
  const std::string text = review::to_text(review::Resolver(gateway, authorities).parts_of(*at));
  if (at->review->signed_text != text) at->review->signatures.clear();
  at->review->signed_text = text;
  at->review->signatures.push_back(sign(reviewer, review::statement(reviewer, text)));
}

void sign_rules(const model::ReviewRules& before, model::ReviewRules& after,
                std::string_view reviewer) {
  after.signatures.push_back(sign(reviewer, review::rules_statement(before, after, reviewer)));
}

}  // namespace sallyport::testing
