#include "dataplane/flow/credits.h"

#include <algorithm>

#include "policy/wire/tables.h"

namespace sallyport::dataplane {
namespace {
constexpr unsigned kReturnsPerPoll = 64;
constexpr std::size_t kSweepPerPoll = 256;
}  // namespace

Credits::Credits(Counters& counters)
    : counters_(counters), grants_(kBuckets * kWays), in_flight_(wire::kMaxRules) {}

void Credits::attach(wire::HandoverMemory* memory) noexcept {
  to_terminator_.reset();
  from_terminator_.reset();
  if (memory == nullptr) return;
  to_terminator_.emplace(memory->to_terminator);
  from_terminator_.emplace(memory->to_dataplane);
}

std::span<const Credits::Grant> Credits::ways(std::uint64_t connection) const noexcept {
  return std::span(grants_).subspan((connection >> 20) % kBuckets * kWays, kWays);
}

const Credits::Grant* Credits::find(std::uint64_t connection) const noexcept {
  for (const Grant& grant : ways(connection)) {
    if (grant.generation != 0 && grant.connection == connection) return &grant;
  }
  return nullptr;
}

bool Credits::has_room(RuleSlot rule, std::uint32_t bound,
                       std::uint64_t connection) const noexcept {
  if (rule >= in_flight_.size()) return false;
  const Grant* held = find(connection);
  const std::uint32_t others = in_flight_[rule] - (held != nullptr && held->rule == rule ? 1U : 0U);
  return others < (bound == 0 ? kDefaultInFlight : bound) &&
         (held != nullptr ||
          std::ranges::any_of(
              ways(connection), [](const Grant& grant) { return grant.generation == 0; }));
}

bool Credits::grant(RuleSlot rule, std::uint32_t bound, std::uint64_t connection,
                    Instant now) noexcept {
  const bool room = has_room(rule, bound, connection);
  Grant* place = find(connection);
  if (place != nullptr) release(*place);
  if (!room) return false;
  ++granted_;
  const std::size_t first = (connection >> 20) % kBuckets * kWays;
  for (std::size_t i = first; i < first + kWays && place == nullptr; ++i) {
    if (grants_[i].generation == 0) place = &grants_[i];
  }
  SALLYPORT_CHECK(place != nullptr);  // has_room() has seen one
  if (++generation_ == 0) ++generation_;
  *place = {connection, now + kReclaimAfter, rule, generation_};
  ++in_flight_[rule];
  ++counters_.credits_granted;
  if (to_terminator_) {
    // A full ring means that the terminator is not reading; the grant is then reclaimed in time.
    static_cast<void>(to_terminator_->push({.kind = wire::HandoverKind::kCreditGranted,
                                            .conduit = rule,
                                            .generation = generation_,
                                            .id = connection}));
  }
  return true;
}

void Credits::release(Grant& grant) noexcept {
  SALLYPORT_CHECK(in_flight_[grant.rule] > 0);
  --in_flight_[grant.rule];
  --granted_;
  grant.generation = 0;
}

void Credits::poll(Instant now) noexcept {
  wire::HandoverRecord record;
  for (unsigned i = 0; i < kReturnsPerPoll && from_terminator_; ++i) {
    if (!from_terminator_->pop(record)) break;
    Grant* grant = find(record.id);
    if (record.kind != wire::HandoverKind::kCreditReturned || grant == nullptr ||
        grant->generation != record.generation || grant->rule != record.conduit) {
      ++counters_.credits_refused;
      continue;
    }
    release(*grant);
    ++counters_.credits_returned;
  }
  for (std::size_t i = 0; i < kSweepPerPoll && granted_ > 0; ++i, ++sweep_) {
    Grant& grant = grants_[sweep_ % grants_.size()];
    if (grant.generation == 0 || now < grant.expires) continue;
    release(grant);
    ++counters_.credits_reclaimed;
  }
}

}  // namespace sallyport::dataplane
