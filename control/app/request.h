// What a datagram on control's socket must be before anything else looks at it: a JSON object, not
// nested deeper than needed, with a short string "op".
//
// Valid input: any bytes, from any local user. Pure. Failures: Error{kInvalid} "bad-request".
#pragma once

#include <nlohmann/json.hpp>

#include "policy/base/bytes.h"
#include "policy/base/result.h"

namespace sallyport::control {

Result<nlohmann::json> parse_request(ConstBytes bytes);

}  // namespace sallyport::control
