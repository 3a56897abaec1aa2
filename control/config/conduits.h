// One entry of `conduits:`.
//
// Failures: problems are added; then what is returned is not meant to be used. Thread: no sharing.
#pragma once

#include <string>

#include "control/config/fields.h"
#include "policy/model/model.h"

namespace sallyport::control {

model::Conduit read_conduit(const std::string& name, model::Position at, const Node& node,
                            Problems& problems);

}  // namespace sallyport::control
