// The last step of SnapshotView::verify: does the well-formed thing mean anything? Internal to
// policy/wire. Each function returns what is wrong in words, or nothing. They allocate (bounded by
// the snapshot's own bounds) and take time linear in its size, whatever its bytes say.
#pragma once

#include <optional>
#include <string>

#include "policy/wire/snapshot.h"

namespace sallyport::wire {

using Fault = std::optional<std::string>;

// Every vector there, every count within its bound. First: the others rely on it.
Fault presence_fault(const Snapshot& root);
// Ports, segments, members, devices, rules, names, conduits: slots, names, references.
Fault vocabulary_fault(const SnapshotView& view);
// bind_table, intervals, pairs, ranges. After vocabulary_fault.
Fault tables_fault(const SnapshotView& view);

}  // namespace sallyport::wire
