// What the pipeline does between packets: new tables, ageing, questions asked again.
#include <algorithm>
#include <utility>

#include "dataplane/pipeline.h"
#include "dataplane/stages/classify.h"

namespace sallyport::dataplane {
namespace {

constexpr Duration kTickSpacing = std::chrono::milliseconds(100);
constexpr std::uint32_t kExpireBudget = 256;
// The sweep after a swap takes this time for the whole table, not as little as it can: under load
// it must leave the core to packets, and each flow that has packets is held against the new tables
// by them. Bounded work per call; as long as any is left the worker comes round every few hundred
// microseconds (unfinished()), so a table of any supported size is through well within the second
// that a revision may take.
constexpr Duration kSweep = std::chrono::milliseconds(500);
constexpr std::size_t kLeastRecheck = 32, kMostRecheck = 4096;
// And so many for each swap, however fast they come: a flow's mark has 16 bits, and is looked at
// again at the latest in the next round of the table.
constexpr std::size_t kOfSwap = 512;
static_assert(2 * (FlowTable::kMostFlows / kOfSwap + 1) <= Tables::kMostBehind);
constexpr std::size_t kAskAhead = 8;  // flows; reading one takes less than memory does

}  // namespace

void Pipeline::cut(Flow& flow) noexcept {
  flows_.erase(flow);
  ++counters_.flows_cut;
}

void Pipeline::set_tables(const Tables* tables) noexcept {
  tables_ = tables;
  exits_.note_revision(tables == nullptr ? 0 : tables->revision());
  recheck_ = flows_.places().size();  // and goes on where it is: swaps may come faster than kSweep
  recheck_owed_ += kOfSwap;
  if (tables_ != nullptr) {
    SALLYPORT_CHECK(tables_->serial() >= serial_);
    serial_ = tables_->serial();
    fragments_.share(tables_->view().root().segments()->size());
    names_.names().rebind([this](std::uint64_t name) { return tables_->class_of_name(name); });
  }
}

void Pipeline::recheck_flows(Duration since_last, Instant now) noexcept {
  const auto places = flows_.places();
  const auto part = static_cast<std::size_t>(std::clamp(since_last, Duration(0), kSweep).count());
  const std::size_t due = places.size() * part / static_cast<std::size_t>(kSweep.count());
  const std::size_t owed = std::exchange(recheck_owed_, 0);
  for (std::size_t budget = std::max(std::clamp(due, kLeastRecheck, kMostRecheck), owed);
       budget > 0 && recheck_ > 0; --budget, --recheck_) {
    Flow& flow = places[recheck_at_];
    recheck_at_ = recheck_at_ + 1 < places.size() ? recheck_at_ + 1 : 0;
    flows_.ask_for(
        static_cast<std::uint32_t>(std::min(recheck_at_ + kAskAhead, places.size() - 1)));
    if (!flow.live()) continue;
    if (tables_ == nullptr || !is_mine(flow) ||
        !still_allowed(flow, flows_.stand_in(flow), *tables_, names_.names(), now)) {
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
  if (recheck_ > 0) recheck_flows(now - housekept_, now);
  housekept_ = now;
  if (now < next_tick_) return;
  next_tick_ = now + kTickSpacing;
  fragments_.tick(now);
  neighbours_.tick(tables_, now);
}

}  // namespace sallyport::dataplane
