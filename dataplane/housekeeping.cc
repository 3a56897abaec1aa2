// What the pipeline does between packets: new tables, ageing, questions asked again.
#include "dataplane/pipeline.h"
#include "dataplane/stages/classify.h"

namespace sallyport::dataplane {
namespace {

constexpr Duration kTickSpacing = std::chrono::milliseconds(100);
constexpr std::uint32_t kExpireBudget = 256;
// Bounded work per call; as long as any is left the worker comes round every few hundred
// microseconds (unfinished()), so a table of any supported size is through well within the second
// that a revision may take.
constexpr std::size_t kRecheckBudget = 1024;

}  // namespace

void Pipeline::cut(Flow& flow) noexcept {
  flows_.erase(flow);
  ++counters_.flows_cut;
}

void Pipeline::set_tables(const Tables* tables) noexcept {
  tables_ = tables;
  exits_.note_revision(tables == nullptr ? 0 : tables->revision());
  recheck_ = flows_.places().size();
  if (tables_ != nullptr) {
    fragments_.share(tables_->view().root().segments()->size());
    names_.names().rebind([this](std::uint64_t name) { return tables_->class_of_name(name); });
  }
}

void Pipeline::recheck_flows(Instant now) noexcept {
  const auto places = flows_.places();
  for (std::size_t budget = kRecheckBudget; budget > 0 && recheck_ > 0; --budget) {
    Flow& flow = places[--recheck_];
    if (!flow.live()) continue;
    if (tables_ == nullptr || !is_mine(flow) ||
        !still_allowed(flow, *tables_, names_.names(), now)) {
      cut(flow);
      continue;
    }
    // What may be silent for a shorter time than it used to.
    const Instant latest = now + silence(flow, *tables_);
    if (flow.deadline > FlowTime::at(latest)) flows_.set_deadline(flow, latest);
  }
}

void Pipeline::housekeeping(Instant now) noexcept {
  counters_.flows_ended += flows_.expire(now, kExpireBudget);
  credits_.poll(now);
  if (recheck_ > 0) recheck_flows(now);
  if (now < next_tick_) return;
  next_tick_ = now + kTickSpacing;
  fragments_.tick(now);
  neighbours_.tick(tables_, now);
}

}  // namespace sallyport::dataplane
