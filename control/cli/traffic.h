// `config diff` in traffic: what control says a candidate would change, as tables.
//
// Pure. Values come from other processes; render() cleans them.
#pragma once

#include <string>

#include "control/cli/client.h"
#include "control/cli/render.h"

namespace sallyport::control {

// Of the answer to `traffic`. Empty if nothing changes.
std::string traffic_text(const OrderedJson& traffic, const Style& style);

}  // namespace sallyport::control
