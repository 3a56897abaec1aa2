// Target functions: wire::PublicKey::from_pem and verifies, review::parse_parts, review::settle.
// Trust level: a configuration of somebody who may write it and is no reviewer. Property: any bytes
// end without a crash; what parse_parts takes is written as it was read; without the key nobody
// makes a review stand.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy/base/check.h"
#include "policy/review/judge.h"
#include "policy/wire/signature.h"
#include "tests/support/policy/sample_gateway.h"

namespace {

constexpr const char* kReviewer = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAES7v04GqUaV/OgJfqKUGxqhxYFtaX
D4c2JUpDN4Q+/+2BWKSUv8ROIatKV3mTVzJ9prGNEqbMYWRathpsmlY6kw==
-----END PUBLIC KEY-----
)";

// Input: key, signature and signed text, each ended by a zero byte.
std::string_view next(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  const std::string_view out = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  return out;
}

}  // namespace

namespace sallyport {
namespace {

void judge(std::string_view rest) {
  const std::string_view pem = next(rest);
  const std::string_view signature = next(rest);
  const std::string_view signed_text = next(rest);
  if (const auto key = wire::PublicKey::from_pem(pem)) key->verifies(signed_text, signature);
  if (const auto parts = review::parse_parts(signed_text))
    SALLYPORT_CHECK(review::to_text(*parts) == signed_text);

  model::Gateway gateway = testing::bare_gateway();
  gateway.review_rules.required_signatures = 1;
  gateway.review_rules.reviewers = {{"bert", kReviewer}};
  model::Conduit& conduit = testing::add_conduit(gateway, "c", testing::device("scada"),
                                                 testing::device("camera"), testing::tcp(80));
  conduit.review->signed_text = signed_text;
  conduit.review->signatures = {{"bert", std::string(signature)}};
  const review::Settled settled = review::settle(gateway, {});
  SALLYPORT_CHECK(!gateway.conduits[0].review->stands && settled.warnings.size() == 1);
}

}  // namespace
}  // namespace sallyport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sallyport::judge(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
