// What of a snapshot is no flow, held one by one against the model: ports, segments, who is bound
// where, what each rule and conduit says beside its boxes, what the terminator is told. Internal to
// policy/prove.
#pragma once

#include <vector>

#include "policy/prove/described.h"
#include "policy/prove/prove.h"
#include "policy/prove/witness.h"

namespace sallyport::prove {

std::vector<Difference> part_differences(const wire::SnapshotView& view,
                                         const model::Gateway& gateway, const Described& described,
                                         const Witnesses& witnesses);

}  // namespace sallyport::prove
