#include "tls-termination/session/credits.h"

#include <utility>

#include "policy/base/check.h"

namespace sallyport::terminator {

using wire::HandoverKind;
using wire::HandoverMemory;
using wire::HandoverOutcome;
using wire::HandoverRecord;

void AdmissionCounts::settle(HandoverOutcome outcome) {
  SALLYPORT_CHECK(in_flight > 0);
  --in_flight;
  if (outcome == HandoverOutcome::kEstablished) {
    ++established;
  } else if (outcome == HandoverOutcome::kTimedOut) {
    ++timed_out;
  } else {
    ++failed;
  }
}

void HandoverEnd::attach(os::Mapping memory) {
  from_dataplane_.reset();
  to_dataplane_.reset();
  waiting_.clear();
  ++ring_;
  memory_ = std::move(memory);
  auto* rings = static_cast<HandoverMemory*>(memory_.data());
  from_dataplane_.emplace(rings->to_terminator);
  to_dataplane_.emplace(rings->to_dataplane);
}

void HandoverEnd::poll(Instant now) {
  if (!from_dataplane_) return;
  HandoverRecord record;
  for (std::size_t i = 0; i < wire::kHandoverSlots && from_dataplane_->pop(record); ++i) {
    if (record.kind != HandoverKind::kCreditGranted) continue;
    // Bounded whatever the other side pushes.
    if (waiting_.size() >= wire::kHandoverSlots && !waiting_.contains(record.id)) continue;
    waiting_[record.id] = {record, now};
    ++granted_;
  }
}

void HandoverEnd::expire(Instant now, Duration patience) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (now - at->second.since < patience) {
      ++at;
      continue;
    }
    give_back({at->second.record, ring_}, HandoverOutcome::kNoShow);
    at = waiting_.erase(at);
  }
}

std::optional<Grant> HandoverEnd::claim(std::uint64_t connection) {
  const auto at = waiting_.find(connection);
  if (at == waiting_.end()) return std::nullopt;
  const Grant grant{at->second.record, ring_};
  waiting_.erase(at);
  return grant;
}

void HandoverEnd::give_back(const Grant& grant, HandoverOutcome outcome) {
  if (!to_dataplane_ || grant.ring != ring_) return;
  HandoverRecord record = grant.record;
  record.kind = HandoverKind::kCreditReturned;
  record.detail = static_cast<std::uint8_t>(outcome);
  // A full ring loses the return; the dataplane reclaims the grant by its own clock.
  if (!to_dataplane_->push(record)) ++lost_returns_;
}

Credit::~Credit() {
  if (books_ == nullptr) return;
  settle(HandoverOutcome::kFailed);
  books_->left(ticket_);
}

void Credit::settle(HandoverOutcome outcome) noexcept {
  if (settled_ || books_ == nullptr) return;
  settled_ = true;
  books_->settled(ticket_, outcome);
}

}  // namespace sallyport::terminator
