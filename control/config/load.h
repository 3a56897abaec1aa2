// gateway.yaml as values. Everything that can be judged at the place where it stands is judged
// here: forms, types, unknown and duplicate keys, what an element must say. What needs the whole
// configuration (references, overlaps, contradictions) is policy/compile's.
//
// Valid input: any bytes. Failures: diagnostics, sorted by position, at least one; then there is no
// gateway. Ownership: plain values. Thread: no sharing. Source: design.md §5.
#pragma once

#include <expected>
#include <string_view>

#include "control/config/problems.h"
#include "policy/model/model.h"

namespace sallyport::control {

std::expected<model::Gateway, model::Diagnostics> load_config(std::string_view text);

}  // namespace sallyport::control
