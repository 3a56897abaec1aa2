// What `sallyctl prove` is answered: the proof of the revision in force, the matrix of segments,
// what cannot be enforced and, when an end is named, every box between the named ends.
//
// Valid input: a verified snapshot, its proof, any words. Failures: Error{kUsage} "bad-question"
// when a word names no end of this snapshot. Thread: none shared; walks all tables (for ten
// thousand conduits some tenths of a second), so it runs beside a main loop.
#pragma once

#include <string>
#include <string_view>

#include "policy/base/result.h"
#include "policy/prove/prove.h"
#include "policy/wire/snapshot.h"

namespace sallyport::prove {

// Boxes listed at most; "more" says that there are others.
inline constexpr std::size_t kMaxListedBoxes = 10'000;

// A JSON object: to_json(proof)'s members, "matrix" (cells as [{from, to, rules}]; of the named
// segments, if any are) and, if an end is named, "permitted" ({boxes, more}). Empty words name no
// end.
Result<std::string> report(const wire::SnapshotView& snapshot, const Proof& proof,
                           std::string_view from, std::string_view to);

}  // namespace sallyport::prove
