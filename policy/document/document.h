// The policy of one revision as a document: segments, devices, conduits with reason, reviewer and
// end, who may start a flow to whom, what cannot be enforced. 2.4.7.1, 2.4.7.2.
//
// The same revision gives the same bytes: nothing of the day or of the machine is in it. Valid
// input: a gateway and the verified snapshot that was compiled from it. Pure. Thread: none shared;
// walks all tables, so callers with a main loop run it beside it. Cannot fail.
#pragma once

#include <cstdint>
#include <string>

#include "policy/model/model.h"
#include "policy/prove/prove.h"
#include "policy/wire/snapshot.h"

namespace sallyport::document {

struct Subject {
  const model::Gateway& gateway;
  const wire::SnapshotView& snapshot;
  const prove::Proof& proof;
  std::string sha256;  // of the configuration's text
  std::string chain;   // of the revision: also who, when and what was before
};

std::string to_markdown(const Subject& subject);
// One file without references to others; the matrix is inline SVG.
std::string to_html(const Subject& subject);

}  // namespace sallyport::document
