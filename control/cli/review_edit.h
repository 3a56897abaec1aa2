// Puts a signature into a configuration's text where it belongs, and changes no other byte:
// comments, order and notation stay.
//
// Pure. Failures: kInvalid "cannot-edit" with what to do by hand, or the text's own mistakes.
#pragma once

#include <string>
#include <string_view>

#include "policy/base/result.h"
#include "policy/model/model.h"

namespace sallyport::control {

// Into `review:` of a conduit. Signatures over another `signed` are dropped, the reviewer's own
// earlier one is replaced.
Result<std::string> put_review_signature(std::string_view text, std::string_view conduit,
                                         const std::string& signed_text,
                                         const model::Signature& signature);
// Into `control.review`; `keep` of its signatures stay.
Result<std::string> put_rules_signature(std::string_view text, std::vector<model::Signature> keep,
                                        const model::Signature& signature);

// "signatures: [...]"
std::string signatures_line(const std::vector<model::Signature>& signatures);

}  // namespace sallyport::control
