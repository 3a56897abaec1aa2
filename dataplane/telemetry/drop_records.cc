#include "dataplane/telemetry/drop_records.h"

#include <algorithm>
#include <span>

namespace sallyport::dataplane {

DropRecords::DropRecords(std::size_t capacity)
    : capacity_(std::bit_ceil(std::clamp<std::size_t>(capacity, 64, 32'768))),
      mask_(2 * capacity_ - 1),
      records_(make_line_array<DropRecord>(capacity_)),
      index_(make_line_array<Hint>(mask_ + 1)) {}

inline std::uint16_t DropRecords::add(const DropKey& key, Instant now) noexcept {
  const std::size_t half = capacity_ / 2;
  const std::size_t ring = key.device() == kNoDevice ? 1 : 0;
  const std::size_t at = ring * half + (written_[ring]++ & (half - 1));
  DropRecord& record = records_[at];
  record.key = key;
  record.first = record.last = now;
  record.packets = 1;
  return static_cast<std::uint16_t>(at + 1);
}

// What neither has a record nor is the next of those that exceed their source's budget.
DropRecord* DropRecords::begin(const DropKey& key, std::uint64_t hash, Instant now) noexcept {
  Budget& budget = budgets_.data()[budget_of(key)];
  // Two sources in one place share its allowance, so that taking turns gains neither.
  if (budget.begins != begins_)
    budget = Budget{begins_, key.device(), 0, {}};
  else if (budget.device != key.device())
    budget = Budget{begins_, key.device(), budget.used, {}};
  if (budget.used < kRecordsPerSource) {
    ++budget.used;
    const std::uint16_t place = add(key, now);
    index_[hash & mask_] = {place, mark_of(hash)};
    return &records_[place - 1U];
  }
  const DropKey rest = key.rest();
  const std::uint64_t rest_hash = rest.hash();
  Hint& hint = index_[rest_hash & mask_];
  DropRecord* const seen = hint.mark == mark_of(rest_hash) ? at(hint.place) : nullptr;
  const bool is_there = seen != nullptr && seen->key == rest;
  if (is_there)
    count(*seen, now);
  else
    hint = {add(rest, now), mark_of(rest_hash)};
  budget.overflow[kind_of(key)] = hint.place;
  return is_there ? nullptr : &records_[hint.place - 1U];
}

std::vector<DropRecord> DropRecords::snapshot() const {
  std::vector<DropRecord> out;
  std::ranges::copy_if(std::span(records_.get(), capacity_), std::back_inserter(out),
                       [](const DropRecord& r) { return r.packets != 0; });
  std::ranges::sort(out, [](const DropRecord& a, const DropRecord& b) { return a.last > b.last; });
  return out;
}

}  // namespace sallyport::dataplane
