#include "tests/support/policy/faulty_compiler.h"

#include <algorithm>
#include <cstdio>

#include "policy/base/check.h"
#include "policy/compile/encode.h"

namespace sallyport::testing {

// The order of stages is policy/compile/compile.cc's.
Bytes compile_with(const model::Gateway& gateway, const Faults& faults,
                   const compile::CompileInput& input) {
  compile::Report report;
  const compile::Directory directory = check_parts(gateway, report);
  const compile::Geography geography(gateway);
  const compile::PlanInput plan_input{
      .gateway = gateway, .directory = directory, .geography = geography, .today = input.today};
  compile::SlotBook slots(input.previous);
  compile::Plan plan = plan_rules(plan_input, slots, report);
  if (faults.plan) faults.plan(plan_input, plan);
  compile::ClassTable classes = classify(plan_input, plan);
  if (faults.classes) faults.classes(plan, classes);
  compile::PairTables pairs = tabulate(plan, classes, report);
  if (faults.pairs) faults.pairs(pairs);
  SALLYPORT_CHECK(!report.failed());
  Bytes out = encode({.compile = input,
                      .plan_input = plan_input,
                      .plan = plan,
                      .classes = classes,
                      .pairs = pairs},
                     slots, report);
  SALLYPORT_CHECK(!report.failed());
  if (faults.snapshot) {
    Draft draft = draft_of(out);
    faults.snapshot(draft);
    out = seal(draft);
  }
  if (const std::string says = verdict(out); says != "accepted") {
    std::fprintf(stderr, "%s\n", says.c_str());
    SALLYPORT_CHECK(says == "accepted");
  }
  return out;
}

compile::PlannedRule& rule_of(compile::Plan& plan, std::string_view name, wire::RuleKind kind) {
  const auto at = std::find_if(plan.rules.begin(), plan.rules.end(), [&](const auto& rule) {
    return rule.name == name && rule.kind == kind;
  });
  SALLYPORT_CHECK(at != plan.rules.end());
  return *at;
}

void set_sources(compile::Plan& plan, compile::PlannedRule& rule, const compile::AddressSet& set) {
  for (compile::Box& box : rule.boxes) box.source = plan.sets.intern(set);
}
void set_destinations(compile::Plan& plan, compile::PlannedRule& rule,
                      const compile::AddressSet& set) {
  for (compile::Box& box : rule.boxes) box.destination = plan.sets.intern(set);
}

}  // namespace sallyport::testing
