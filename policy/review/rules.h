// `control.review` itself: whether its keys are usable, and whether one block may follow another.
//
// Pure. Thread: none shared. Source: docs/design/0008-review.md, 2.4.7.2.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/model/diagnostic.h"
#include "policy/model/model.h"
#include "policy/wire/signature.h"

namespace sallyport::review {

// The reviewers' keys, by place in the rules; nothing where a key is unusable.
struct Keys {
  std::vector<std::optional<wire::PublicKey>> keys;
  model::Diagnostics errors;
};
Keys keys_of(const model::ReviewRules& rules);

// Everything that it says but its signatures; one line for each.
std::string rules_text(const model::ReviewRules& rules);
// What a reviewer in force signs so that `after` may follow `before`.
std::string rules_statement(const model::ReviewRules& before, const model::ReviewRules& after,
                            std::string_view reviewer);
// Why `after` may not follow `before`; nothing if it may. Names whose signatures are missing.
std::optional<std::string> change_refused(const model::ReviewRules& before,
                                          const model::ReviewRules& after);

}  // namespace sallyport::review
