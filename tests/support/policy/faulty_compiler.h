// The compiler with its stages taken apart, so that a test can make one of them faulty: what comes
// out is what a compiler with that mistake would hand out, digest and structure right.
#pragma once

#include <functional>
#include <vector>

#include "policy/compile/classes.h"
#include "policy/compile/compile.h"
#include "policy/compile/pairs.h"
#include "policy/compile/plan.h"
#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::testing {

// Each is called after its stage, if it is there.
struct Faults {
  std::function<void(const compile::PlanInput&, compile::Plan&)> plan;
  std::function<void(const compile::Plan&, compile::ClassTable&)> classes;
  std::function<void(compile::PairTables&)> pairs;
  std::function<void(Draft&)> snapshot;
};

// The sealed snapshot. Without faults the bytes that compile::compile makes. Aborts on a
// configuration with mistakes, and when the verifier refuses what was made: such a fault needs no
// proof.
Bytes compile_with(const model::Gateway& gateway, const Faults& faults,
                   const compile::CompileInput& input = {});

// The plan's rule of this conduit (or "builtin:...") and kind.
compile::PlannedRule& rule_of(compile::Plan& plan, std::string_view name, wire::RuleKind kind);
// Puts other addresses in place of a rule's, in every box.
void set_sources(compile::Plan& plan, compile::PlannedRule& rule, const compile::AddressSet& set);
void set_destinations(compile::Plan& plan, compile::PlannedRule& rule,
                      const compile::AddressSet& set);

}  // namespace sallyport::testing
