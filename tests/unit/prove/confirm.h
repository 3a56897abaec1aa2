// What the proof says of a difference is what happens: `explain` is asked about its packet, and the
// packet is sent through the real pipeline under the faulty tables.
#pragma once

#include "policy/model/model.h"
#include "policy/prove/prove.h"
#include "policy/wire/snapshot.h"
#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::prove {

// Fails the running test under `name` unless all three agree. `d` has a witness; `snapshot`
// holds the faulty tables, `view` is its view, and `before` is the configuration of the plant in
// which they come into force.
void confirm(const char* name, const model::Gateway& before, const testing::Bytes& snapshot,
             const wire::SnapshotView& view, const Difference& d);

}  // namespace sallyport::prove
