// Three reviewers with keys, and what they sign.
#pragma once

#include <string>
#include <string_view>

#include "policy/model/model.h"
#include "policy/review/parts.h"

namespace sallyport::testing {

// Of anna, bert and cora, in PEM, made by OpenSSL once for each run.
std::string private_key(std::string_view name);
std::string public_key(std::string_view name);

// Those three, so many of whom must sign.
model::ReviewRules rules(unsigned required);
model::Signature sign(std::string_view reviewer, std::string_view statement);
// Signs the conduit as it is now, after whoever has signed the same.
void sign_review(model::Gateway& gateway, std::string_view conduit, std::string_view reviewer,
                 const review::Authorities& authorities);
// By `reviewer` who is in force before.
void sign_rules(const model::ReviewRules& before, model::ReviewRules& after,
                std::string_view reviewer);

}  // namespace sallyport::testing
