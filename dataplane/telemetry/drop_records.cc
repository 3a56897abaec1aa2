#include "dataplane/telemetry/drop_records.h"

#include <algorithm>
#include <bit>

#include "policy/base/hash.h"

namespace sallyport::dataplane {
namespace {

std::uint64_t source_of(const DropKey& key) {
  // Unknown senders share the budget of the port they come by: a MAC costs them nothing.
  if (key.device == kNoDevice) return std::uint64_t{1} << 40 | key.port;
  return key.device;
}

// Odd constants keep zeros from wiping out the other half.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return fold(a ^ 0x9e3779b97f4a7c15U, b ^ 0xff51afd7ed558ccdU);
}

std::uint64_t hash_of(const DropKey& key, std::int64_t second) {
  const auto [high, low] = key.destination.words();
  const std::uint64_t where = static_cast<std::uint64_t>(key.segment) << 48 |
                              static_cast<std::uint64_t>(key.port) << 32 |
                              static_cast<std::uint64_t>(key.destination_port) << 16 |
                              static_cast<std::uint64_t>(key.reason) << 8 | key.protocol;
  const std::uint64_t who = mix(key.mac.word(), key.device);
  return mix(mix(high ^ who, low), where ^ std::rotl(static_cast<std::uint64_t>(second), 40));
}

constexpr std::int64_t second_of(Instant now) { return now.ns() / 1'000'000'000; }

}  // namespace

DropRecords::DropRecords(std::size_t capacity) : budgets_(kBudgets) {
  const std::size_t half = std::bit_ceil(std::max<std::size_t>(capacity, 64)) / 2;
  enrolled_.records.resize(half);
  others_.records.resize(half);
  index_.resize(4 * half);
}

// Two sources in one place share it: the place is theirs in turn, but never more than one allowance
// a second each.
DropRecords::Budget& DropRecords::budget_of(const DropKey& key, std::int64_t second) noexcept {
  const std::uint64_t source = source_of(key);
  Budget& budget = budgets_[mix(0, source) >> 32 & (kBudgets - 1)];
  if (budget.second != second)
    budget = Budget{source, second, 0, 0};
  else if (budget.source != source)
    budget = Budget{source, second, budget.used, 0};
  return budget;
}

DropRecord* DropRecords::at(std::uint32_t place, const DropKey& key, bool overflow,
                            std::int64_t second) noexcept {
  Ring& ring = key.device == kNoDevice ? others_ : enrolled_;
  if (place == 0 || place > ring.records.size()) return nullptr;
  DropRecord& record = ring.records[place - 1];
  const bool same = record.packets != 0 && record.key == key && record.overflow == overflow &&
                    second_of(record.first) == second;
  return same ? &record : nullptr;
}

std::uint32_t DropRecords::add(const DropKey& key, bool overflow, const DropExample& example,
                               Instant now) noexcept {
  Ring& ring = key.device == kNoDevice ? others_ : enrolled_;
  const auto at = static_cast<std::uint32_t>(ring.written & (ring.records.size() - 1));
  ++ring.written;
  ring.records[at] = DropRecord{key, example, overflow, now, now, 1};
  return at + 1;
}

void DropRecords::record(const DropKey& key, const DropExample& example, Instant now) noexcept {
  const std::int64_t second = second_of(now);
  const auto count = [now](DropRecord* seen) {
    if (seen == nullptr) return false;
    ++seen->packets;
    seen->last = now;
    return true;
  };
  std::uint32_t& named = index_[hash_of(key, second) & (index_.size() - 1)];
  if (count(at(named, key, false, second))) return;
  Budget& budget = budget_of(key, second);
  if (budget.used < kRecordsPerSource) {
    ++budget.used;
    named = add(key, false, example, now);
    return;
  }
  DropKey rest = key;
  rest.destination = IpAddress();
  rest.destination_port = 0;
  if (rest.device == kNoDevice) rest.mac = MacAddress();
  if (count(at(budget.overflow, rest, true, second))) return;
  std::uint32_t& others = index_[~hash_of(rest, second) & (index_.size() - 1)];
  if (!count(at(others, rest, true, second))) others = add(rest, true, example, now);
  budget.overflow = others;
}

std::vector<DropRecord> DropRecords::snapshot() const {
  std::vector<DropRecord> out;
  for (const Ring* ring : {&enrolled_, &others_}) {
    std::ranges::copy_if(ring->records, std::back_inserter(out),
                         [](const DropRecord& r) { return r.packets != 0; });
  }
  std::ranges::sort(out, [](const DropRecord& a, const DropRecord& b) { return a.last > b.last; });
  return out;
}

}  // namespace sallyport::dataplane
