// Fourth stage: rules over classes become the hash table of (source class, destination class,
// protocol) and its lists of disjoint port ranges. Here, and only here, two rules meet on one
// packet: conduits that differ are reported with both lines and such a packet.
#pragma once

#include <vector>

#include "policy/compile/classes.h"
#include "policy/compile/plan.h"
#include "policy/wire/snapshot.h"

namespace sallyport::compile {

struct PairTables {
  std::vector<wire::PairSlot> pairs;  // open addressing, as wire/tables.h says
  std::vector<wire::RangeRule> ranges;
};

PairTables tabulate(const Plan& plan, const ClassTable& classes, Report& report);

}  // namespace sallyport::compile
