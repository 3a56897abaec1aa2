#include "tls-termination/session/credits.h"

#include <utility>

namespace sallyport::terminator {

using wire::HandoverKind;
using wire::HandoverMemory;
using wire::HandoverOutcome;
using wire::HandoverRecord;

void HandoverEnd::attach(os::Mapping memory, std::uint32_t) {
  from_dataplane_.reset();
  to_dataplane_.reset();
  waiting_.clear();
  memory_ = std::move(memory);
  auto* rings = static_cast<HandoverMemory*>(memory_.data());
  from_dataplane_.emplace(rings->to_terminator);
  to_dataplane_.emplace(rings->to_dataplane);
}

void HandoverEnd::poll(Instant now, Duration patience) {
  if (!from_dataplane_) return;
  HandoverRecord record;
  for (std::size_t i = 0; i < wire::kHandoverSlots && from_dataplane_->pop(record); ++i) {
    if (record.kind != HandoverKind::kCreditGranted) continue;
    // Bounded whatever the other side pushes.
    if (waiting_.size() >= wire::kHandoverSlots && !waiting_.contains(record.id)) continue;
    waiting_[record.id] = {record, now};
    ++granted_;
  }
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (now - at->second.since < patience) {
      ++at;
      continue;
    }
    give_back(at->second.record, HandoverOutcome::kNoShow);
    at = waiting_.erase(at);
  }
}

std::optional<HandoverRecord> HandoverEnd::claim(std::uint64_t connection) {
  const auto at = waiting_.find(connection);
  if (at == waiting_.end()) return std::nullopt;
  const HandoverRecord record = at->second.record;
  waiting_.erase(at);
  return record;
}

void HandoverEnd::give_back(const HandoverRecord& grant, HandoverOutcome outcome) {
  if (!to_dataplane_) return;
  HandoverRecord record = grant;
  record.kind = HandoverKind::kCreditReturned;
  record.detail = static_cast<std::uint8_t>(outcome);
  // A full ring loses the return; the dataplane reclaims the grant by its own clock.
  if (!to_dataplane_->push(record)) ++lost_returns_;
}

Credit::Credit(AdmissionCounts& counts, HandoverEnd& handover, std::optional<HandoverRecord> grant)
    : counts_(&counts), handover_(&handover), grant_(grant) {
  ++counts_->admitted;
  ++counts_->in_flight;
}

Credit& Credit::operator=(Credit&& other) noexcept {
  if (this != &other) {
    settle(HandoverOutcome::kFailed);
    counts_ = std::exchange(other.counts_, nullptr);
    handover_ = other.handover_;
    grant_ = std::exchange(other.grant_, std::nullopt);
  }
  return *this;
}

void Credit::settle(HandoverOutcome outcome) noexcept {
  if (counts_ == nullptr) return;
  --counts_->in_flight;
  if (outcome == HandoverOutcome::kEstablished) {
    ++counts_->established;
  } else if (outcome == HandoverOutcome::kTimedOut) {
    ++counts_->timed_out;
  } else {
    ++counts_->failed;
  }
  if (grant_) handover_->give_back(*grant_, outcome);
  counts_ = nullptr;
  grant_.reset();
}

}  // namespace sallyport::terminator
