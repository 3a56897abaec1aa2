// Last stage: the plan as a sealed snapshot.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/compile/classes.h"
#include "policy/compile/compile.h"
#include "policy/compile/pairs.h"
#include "policy/compile/plan.h"

namespace sallyport::compile {

struct EncodeInput {
  const CompileInput& compile;
  const PlanInput& plan_input;
  const Plan& plan;
  const ClassTable& classes;
  const PairTables& pairs;
};

// Reports "too-complex" when a bound of wire/tables.h is passed; the bytes are then of no use.
std::vector<std::uint8_t> encode(const EncodeInput& input, SlotBook& slots, Report& report);

}  // namespace sallyport::compile
