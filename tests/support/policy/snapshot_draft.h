// A snapshot taken apart into values that a test may change, and sealed again: what a faulty or
// hostile maker of snapshots could hand over with every digest right.
//
// The values are those of policy/wire/snapshot.fbs in namespace sallyport::draft (flatc's object
// form); structures have setters (mutate_...). Vectors and texts that are empty are written as
// empty, never left out; leave_out() takes one away after sealing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/model/model.h"
#include "policy/wire/snapshot.h"
#include "tests/support/policy/snapshot_draft_generated.h"

namespace sallyport::testing {

using Bytes = std::vector<std::uint8_t>;
using Draft = draft::SnapshotT;

// Aborts if these bytes are no snapshot.
Draft draft_of(ConstBytes snapshot);
Bytes seal(const Draft& draft);
// The same with the header's digest made right after `change` had its way with the body.
Bytes reseal(ConstBytes snapshot, const std::function<void(MutableBytes body)>& change);

// "accepted", or "CODE: context" of the verifier's refusal.
std::string verdict(ConstBytes snapshot);
std::string verdict(const Draft& draft);

// Takes one vector, text or table out of a sealed snapshot's table; `offset` is its VT_ constant.
template <class Table>
void leave_out(const Table* table, flatbuffers::voffset_t offset) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(const_cast<Table*>(table));
  const auto vtable = flatbuffers::ReadScalar<flatbuffers::soffset_t>(bytes);
  flatbuffers::WriteScalar<flatbuffers::voffset_t>(bytes - vtable + offset, 0);
}

}  // namespace sallyport::testing
