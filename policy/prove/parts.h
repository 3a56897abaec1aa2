// Devices, ports and terminated conduits of a snapshot, held one by one against the model: who is
// bound where, and what the terminator is told. Internal to policy/prove.
#pragma once

#include <vector>

#include "policy/prove/prove.h"

namespace sallyport::prove {

// Without witnesses: these are not packets.
std::vector<Difference> part_differences(const wire::SnapshotView& view,
                                         const model::Gateway& gateway);

}  // namespace sallyport::prove
