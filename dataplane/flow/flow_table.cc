#include "dataplane/flow/flow_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "policy/base/check.h"

namespace sallyport::dataplane {
namespace {

// 64 x 64 -> 128 multiply, folded: mixes both halves of both operands.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
std::uint64_t word(const IpAddress& address, std::size_t half) {
  std::uint64_t value = 0;
  std::memcpy(&value, address.bytes().data() + 8 * half, sizeof value);
  return value;
}

}  // namespace

FlowTable::FlowTable(std::uint32_t capacity, std::array<std::uint64_t, 2> secret, Instant now)
    : flows_(std::size_t{capacity} + 1), secret_(secret), start_(now) {
  SALLYPORT_CHECK(capacity > 0 && capacity < (1U << 30));
  // Two keys per flow, half of the ways left free.
  const std::size_t wanted = std::size_t{capacity} * 2 * 2 / kWays;
  buckets_.resize(std::bit_ceil(std::max<std::size_t>(wanted, 2)));
  for (std::uint32_t place = capacity; place > 0; --place) {
    flows_[place].next = free_;
    free_ = place;
  }
}

FlowTable::Hash FlowTable::hash(const FlowKey& key) const noexcept {
  const std::uint64_t ports = std::uint64_t{key.source_port} << 24 |
                              std::uint64_t{key.destination_port} << 8 |
                              static_cast<std::uint64_t>(key.protocol);
  std::uint64_t h = fold(word(key.source, 0) ^ secret_[0], word(key.source, 1) ^ secret_[1]);
  h = fold(h ^ word(key.destination, 0) ^ secret_[1], word(key.destination, 1) ^ secret_[0]);
  h = fold(h ^ ports, secret_[0] ^ 0x9e3779b97f4a7c15U);
  const std::size_t mask = buckets_.size() - 1;
  const auto tag = static_cast<std::uint16_t>(h >> 48);
  return {static_cast<std::uint32_t>(h & mask), static_cast<std::uint32_t>((h >> 24) & mask),
          tag == 0 ? std::uint16_t{1} : tag};
}

// All eight at once.
unsigned FlowTable::ways(const Bucket& bucket, std::uint16_t tag) noexcept {
  using Tags [[gnu::vector_size(2 * kWays)]] = std::uint16_t;
  Tags tags;
  std::memcpy(&tags, bucket.tags.data(), sizeof tags);
  const auto equal = tags == tag;
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), &equal, sizeof words);
  constexpr std::uint64_t kOneOfEach = 0x0001'0001'0001'0001U;
  constexpr std::uint64_t kGather = 0x0001'0002'0004'0008U;
  const auto bits = [](std::uint64_t word) {
    return static_cast<unsigned>((word & kOneOfEach) * kGather >> 48);
  };
  return bits(words[0]) | bits(words[1]) << 4;
}

void FlowTable::approach(const Hash& h) const noexcept {
  for (const std::uint32_t at : {h.first, h.second}) {
    const Bucket& bucket = buckets_[at];
    for (unsigned found = ways(bucket, h.tag); found != 0; found &= found - 1) {
      const Flow* flow =
          &flows_[bucket.references[static_cast<unsigned>(std::countr_zero(found))] >> 1];
      __builtin_prefetch(flow, 1);
      __builtin_prefetch(reinterpret_cast<const char*>(flow) + 64, 1);
    }
  }
}

FlowMatch FlowTable::find(const FlowKey& key, const Hash& h) noexcept {
  for (const std::uint32_t at : {h.first, h.second}) {
    const Bucket& bucket = buckets_[at];
    for (unsigned found = ways(bucket, h.tag); found != 0; found &= found - 1) {
      const auto way = static_cast<std::size_t>(std::countr_zero(found));
      Flow& flow = flows_[bucket.references[way] >> 1];
      const auto direction = static_cast<Direction>(bucket.references[way] & 1);
      const FlowKey own =
          direction == Direction::kFromClient ? flow.client_key() : flow.server_key();
      if (own == key) return {&flow, direction};
    }
  }
  return {};
}

bool FlowTable::index_insert(const FlowKey& key, std::uint32_t reference) noexcept {
  const Hash h = hash(key);
  const auto used = [this](std::uint32_t at) {
    return std::ranges::count_if(buckets_[at].tags, [](std::uint16_t tag) { return tag != 0; });
  };
  Bucket& bucket = buckets_[used(h.second) < used(h.first) ? h.second : h.first];
  for (std::size_t way = 0; way < kWays; ++way) {
    if (bucket.tags[way] != 0) continue;
    bucket.tags[way] = h.tag;
    bucket.references[way] = reference;
    return true;
  }
  return false;
}

void FlowTable::index_erase(const FlowKey& key, std::uint32_t reference) noexcept {
  const Hash h = hash(key);
  for (const std::uint32_t at : {h.first, h.second}) {
    Bucket& bucket = buckets_[at];
    for (std::size_t way = 0; way < kWays; ++way) {
      if (bucket.tags[way] != h.tag || bucket.references[way] != reference) continue;
      bucket.tags[way] = 0;
      return;
    }
  }
  SALLYPORT_CHECK(false && "an indexed flow is not in the index");
}

Flow* FlowTable::insert(const Flow& flow) noexcept {
  if (free_ == 0 || find(flow.client_key()) || find(flow.server_key())) return nullptr;
  // A flow whose two keys are one could not be told apart by direction.
  if (flow.client_key() == flow.server_key()) return nullptr;
  const std::uint32_t place = free_;
  if (!index_insert(flow.client_key(), place << 1)) return nullptr;
  if (!index_insert(flow.server_key(), place << 1 | 1)) {
    index_erase(flow.client_key(), place << 1);
    return nullptr;
  }
  free_ = flows_[place].next;
  flows_[place] = flow;
  flows_[place].live = true;
  ++size_;
  link(place);
  return &flows_[place];
}

void FlowTable::erase(Flow& flow) noexcept {
  SALLYPORT_ASSUME(flow.live);
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  index_erase(flow.client_key(), place << 1);
  index_erase(flow.server_key(), place << 1 | 1);
  unlink(place);
  flow.live = false;
  flow.next = free_;
  free_ = place;
  --size_;
}

std::uint32_t FlowTable::tick_of(Instant deadline) const noexcept {
  // Rounded up: a flow is never looked at before its deadline. A list that is half walked gets
  // nothing new: it would be put before the cursor and wait a whole turn.
  const std::int64_t since = (deadline - start_).count();
  const std::int64_t tick = since <= 0 ? 0 : (since + kTick.count() - 1) / kTick.count();
  return std::max(tick_ + (walking_ ? 1 : 0),
                  static_cast<std::uint32_t>(std::min<std::int64_t>(tick, UINT32_MAX / 2)));
}

void FlowTable::link(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  flow.due_tick = tick_of(flow.deadline);
  std::uint32_t& head = wheel_[flow.due_tick % kWheelTicks];
  flow.previous = 0;
  flow.next = head;
  if (head != 0) flows_[head].previous = place;
  head = place;
}

void FlowTable::unlink(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  if (cursor_ == place) cursor_ = flow.next;
  if (flow.next != 0) flows_[flow.next].previous = flow.previous;
  if (flow.previous != 0) {
    flows_[flow.previous].next = flow.next;
  } else {
    wheel_[flow.due_tick % kWheelTicks] = flow.next;
  }
}

void FlowTable::set_deadline(Flow& flow, Instant deadline) noexcept {
  flow.deadline = deadline;
  if (tick_of(deadline) >= flow.due_tick) return;
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  unlink(place);
  link(place);
}

std::uint32_t FlowTable::expire(Instant now, std::uint32_t budget) noexcept {
  std::uint32_t erased = 0;
  const std::int64_t since = (now - start_).count();
  const auto last = static_cast<std::uint32_t>(std::max<std::int64_t>(since / kTick.count(), 0));
  // After a pause of more than a whole turn every list is looked at once; more would be the same.
  if (last > tick_ + kWheelTicks) {
    tick_ = last - static_cast<std::uint32_t>(kWheelTicks);
    walking_ = false;
  }
  while (tick_ <= last) {
    if (!walking_) cursor_ = wheel_[tick_ % kWheelTicks];
    walking_ = true;
    while (cursor_ != 0) {
      if (budget-- == 0) return erased;
      const std::uint32_t place = cursor_;
      Flow& flow = flows_[place];
      cursor_ = flow.next;
      if (flow.deadline <= now) {
        erase(flow);
        ++erased;
      } else if (flow.due_tick <= tick_) {
        // Its packets moved the deadline: file it where it belongs now.
        unlink(place);
        link(place);
      }
    }
    walking_ = false;
    ++tick_;
  }
  return erased;
}

}  // namespace sallyport::dataplane
