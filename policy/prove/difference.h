// What a change of policy means in traffic: which flows may be started after it that could not
// before, and the other way round. Exact, from the bytes of two snapshots (permitted.h), whatever
// rule permits them and however it treats them.
//
// Boxes are disjoint within each list but for names, as in permitted.h. Thread: none shared; walks
// all tables of both, so callers with a main loop run it beside it. Cannot fail.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "policy/prove/permitted.h"

namespace sallyport::prove {

struct Changes {
  std::vector<PermittedBox> allowed;  // newly; with the rule of the second snapshot
  std::vector<PermittedBox> denied;   // newly; with the rule of the first
  bool more = false;                  // a bound was reached: there is more than is listed
};

// Boxes of a snapshot that are read, and of changed ones that are compared, at most.
inline constexpr std::size_t kMaxReadBoxes = 500'000;
inline constexpr std::size_t kMaxComparedBoxes = 5'000;

Changes changes(const wire::SnapshotView& before, const wire::SnapshotView& after);

// {"allowed": [...], "denied": [...], "more": ...}, boxes as in to_json(PermittedBoxes).
std::string to_json(const Changes& changes);

}  // namespace sallyport::prove
