// Every lookup over everything that a verified snapshot holds: if the verifier accepts what it
// should not, one of these reads out of bounds under a sanitizer or contradicts another.
#pragma once

#include "policy/wire/snapshot.h"

namespace sallyport::testing {

// Aborts on a contradiction.
void walk(const wire::SnapshotView& view);

}  // namespace sallyport::testing
