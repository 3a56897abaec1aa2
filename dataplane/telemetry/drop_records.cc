#include "dataplane/telemetry/drop_records.h"

#include <algorithm>
#include <bit>

namespace sallyport::dataplane {
namespace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15U + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdU;
}

std::uint64_t mac_value(const MacAddress& mac) {
  std::uint64_t value = 0;
  for (std::uint8_t byte : mac.bytes()) value = value << 8 | byte;
  return value;
}

std::uint64_t source_of(const DropKey& key) {
  // Unknown senders share the budget of the port they come by: a MAC costs them nothing.
  if (key.device == kNoDevice) return std::uint64_t{1} << 40 | key.port;
  return key.device;
}

std::uint64_t hash_of(const DropKey& key, bool overflow, std::int64_t second) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(second), key.device);
  hash = mix(hash, mac_value(key.mac));
  hash = mix(hash, static_cast<std::uint64_t>(key.segment) << 48 |
                       static_cast<std::uint64_t>(key.port) << 32 |
                       static_cast<std::uint64_t>(key.destination_port) << 16 |
                       static_cast<std::uint64_t>(key.reason) << 8 | key.protocol);
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high << 8 | key.destination.bytes()[i];
    low = low << 8 | key.destination.bytes()[8 + i];
  }
  hash = mix(mix(hash, high), low);
  return mix(hash, overflow ? 1 : 0) >> 16;
}

constexpr std::int64_t second_of(Instant now) { return now.ns() / 1'000'000'000; }

}  // namespace

DropRecords::DropRecords(std::size_t capacity) : budgets_(kBudgets) {
  const std::size_t half = std::bit_ceil(std::max<std::size_t>(capacity, 64)) / 2;
  enrolled_.records.resize(half);
  others_.records.resize(half);
  index_.resize(4 * half);
}

bool DropRecords::within_budget(const DropKey& key, std::int64_t second) noexcept {
  const std::uint64_t source = source_of(key);
  Budget& budget = budgets_[mix(0, source) >> 32 & (kBudgets - 1)];
  if (budget.second != second || budget.source != source) {
    // Two sources in one place share it: the place is theirs in turn, but never more than one
    // allowance a second each.
    const bool same_second = budget.second == second;
    budget = Budget{source, second, same_second ? budget.used : 0};
  }
  if (budget.used >= kRecordsPerSource) return false;
  ++budget.used;
  return true;
}

DropRecord* DropRecords::find(const DropKey& key, bool overflow, std::int64_t second) noexcept {
  const std::uint32_t hint = index_[hash_of(key, overflow, second) & (index_.size() - 1)];
  Ring& ring = key.device == kNoDevice ? others_ : enrolled_;
  if (hint == 0 || hint > ring.records.size()) return nullptr;
  DropRecord& record = ring.records[hint - 1];
  const bool same = record.packets != 0 && record.key == key && record.overflow == overflow &&
                    second_of(record.first) == second;
  return same ? &record : nullptr;
}

void DropRecords::add(const DropKey& key, bool overflow, const DropExample& example,
                      Instant now) noexcept {
  Ring& ring = key.device == kNoDevice ? others_ : enrolled_;
  const auto at = static_cast<std::uint32_t>(ring.written & (ring.records.size() - 1));
  ++ring.written;
  ring.records[at] = DropRecord{key, example, overflow, now, now, 1};
  index_[hash_of(key, overflow, second_of(now)) & (index_.size() - 1)] = at + 1;
}

void DropRecords::record(const DropKey& key, const DropExample& example, Instant now) noexcept {
  const std::int64_t second = second_of(now);
  if (DropRecord* seen = find(key, false, second)) {
    ++seen->packets;
    seen->last = now;
    return;
  }
  if (within_budget(key, second)) {
    add(key, false, example, now);
    return;
  }
  DropKey rest = key;
  rest.destination = IpAddress();
  rest.destination_port = 0;
  if (rest.device == kNoDevice) rest.mac = MacAddress();
  if (DropRecord* seen = find(rest, true, second)) {
    ++seen->packets;
    seen->last = now;
    return;
  }
  add(rest, true, example, now);
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
