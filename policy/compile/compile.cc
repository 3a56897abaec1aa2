#include "policy/compile/compile.h"

#include <algorithm>

#include "policy/compile/encode.h"

namespace sallyport::compile {
namespace {

model::Diagnostics by_position(model::Diagnostics found) {
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return found;
}

}  // namespace

std::expected<Compiled, model::Diagnostics> compile(const model::Gateway& gateway,
                                                    const CompileInput& input) {
  Report report;
  const auto refused = [&] { return std::unexpected(by_position(std::move(report.errors()))); };
  const Directory directory = check_parts(gateway, report);
  const Geography geography(gateway);
  const PlanInput plan_input{
      .gateway = gateway, .directory = directory, .geography = geography, .today = input.today};
  SlotBook slots(input.previous);
  const Plan plan = plan_rules(plan_input, slots, report);
  const ClassTable classes = classify(plan_input, plan);
  const PairTables pairs = tabulate(plan, classes, report);
  if (report.failed()) return refused();

  Compiled out;
  out.snapshot = encode({.compile = input,
                         .plan_input = plan_input,
                         .plan = plan,
                         .classes = classes,
                         .pairs = pairs},
                        slots, report);
  if (report.failed()) return refused();
  if (const auto view = wire::SnapshotView::verify(out.snapshot); !view) {
    report.error({}, "compiler-bug", view.error().code + ": " + view.error().context,
                 "report this with the configuration; nothing was applied");
    return refused();
  }
  out.slots = slots.current();
  out.warnings = by_position(std::move(report.warnings()));
  return out;
}

}  // namespace sallyport::compile
