// `review:` of a conduit, and `control:`.
//
// Failures: problems are added; then what is returned is not meant to be used. Whether signatures
// and keys are any good is policy/review's. Thread: no sharing.
#pragma once

#include <string>

#include "control/config/fields.h"
#include "policy/model/model.h"

namespace sallyport::control {

model::Review read_review(const Node& node, const std::string& what, Problems& problems);
model::ReviewRules read_control(const Node& node, Problems& problems);

}  // namespace sallyport::control
