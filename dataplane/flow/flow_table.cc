#include "dataplane/flow/flow_table.h"

#include <algorithm>
#include <bit>

#include "policy/base/check.h"

namespace sallyport::dataplane {
FlowTable::FlowTable(std::uint32_t capacity, std::array<std::uint64_t, 2> secret, Instant now,
                     PortMappings* mappings)
    : capacity_(capacity),
      flows_(std::size_t{capacity} + 1),
      eviction_(std::size_t{capacity} + 1),
      held_(wire::kMaxDevices + 1),
      secret_{secret[0], secret[1], secret[0] ^ 0x9e3779b97f4a7c15U},
      mappings_(mappings),
      tick_(FlowTime::reached(now).ticks()) {
  SALLYPORT_CHECK(capacity > 0 && capacity < (1U << 30));
  // Two keys per flow, half of the ways left free.
  const std::size_t wanted = std::size_t{capacity} * 2 * 2 / kWays;
  buckets_.resize(std::bit_ceil(std::max<std::size_t>(wanted, 2)));
  mask_ = buckets_.size() - 1;
  for (std::uint32_t place = capacity; place > 0; --place) {
    flows_[place].next = free_;
    free_ = place;
  }
}

FlowMatch FlowTable::search(const FlowKey& key, std::uint64_t hash) noexcept {
  for (const Bucket* bucket : candidates(hash)) {
    for (unsigned found = ways(*bucket, tag_of(hash)); found != 0; found &= found - 1) {
      const std::uint32_t reference =
          bucket->references[static_cast<unsigned>(std::countr_zero(found))];
      Flow& flow = flows_[reference >> 1];
      const auto direction = static_cast<Direction>(reference & 1);
      if (flow.is(key, direction)) return {&flow, direction};
    }
  }
  return {};
}

bool FlowTable::index_insert(const FlowKey& key, std::uint32_t reference) noexcept {
  const std::uint64_t h = hash(key);
  const auto used = [](const Bucket* bucket) {
    return std::ranges::count_if(bucket->tags, [](std::uint16_t tag) { return tag != 0; });
  };
  const auto [first, second] = candidates(h);
  Bucket& bucket = used(second) < used(first) ? *second : *first;
  for (std::size_t way = 0; way < kWays; ++way) {
    if (bucket.tags[way] != 0) continue;
    bucket.tags[way] = tag_of(h);
    bucket.references[way] = reference;
    return true;
  }
  return false;
}

void FlowTable::index_erase(const FlowKey& key, std::uint32_t reference) noexcept {
  const std::uint64_t h = hash(key);
  for (Bucket* bucket : candidates(h)) {
    for (std::size_t way = 0; way < kWays; ++way) {
      if (bucket->tags[way] != tag_of(h) || bucket->references[way] != reference) continue;
      bucket->tags[way] = 0;
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
  flows_[place].flags |= kLive;
  ++size_;
  ++insertions_;
  ++held_[row_of(flow.client_device)];
  link(place);
  eviction_.enter(flows_, place);
  return &flows_[place];
}

void FlowTable::erase(Flow& flow) noexcept {
  SALLYPORT_ASSUME(flow.live());
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  index_erase(flow.client_key(), place << 1);
  index_erase(flow.server_key(), place << 1 | 1);
  unlink(place);
  eviction_.leave(flows_, place);
  if (flow.mapped() && mappings_ != nullptr) mappings_->release(flow);
  --held_[row_of(flow.client_device)];
  flow.flags = 0;
  flow.next = free_;
  free_ = place;
  --size_;
}

std::optional<Drop> FlowTable::refusal(DeviceSlot device, std::uint32_t place) const noexcept {
  if (place == 0) return Drop::kFlowTableFull;
  const std::size_t row = row_of(device);
  const bool own = row_of(flows_[place].client_device) == row;
  const std::uint32_t part = row == wire::kMaxDevices ? kShareOfOthers : kShareOfDevice;
  if (own || held_[row] < std::max(capacity() / part, 1U)) return std::nullopt;
  return Drop::kFlowDeviceLimit;
}

void FlowTable::link(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  // A list that is half walked gets nothing new: it would be put before the cursor and wait a whole
  // turn.
  const std::uint32_t due = std::max(tick_ + (walking_ ? 1 : 0), flow.deadline.ticks());
  const auto list = static_cast<std::uint32_t>(due % kWheelTicks);
  std::uint32_t& head = wheel_[list];
  flow.previous = kHeads | list;
  flow.next = head;
  if (head != 0) flows_[head].previous = place;
  head = place;
}

void FlowTable::unlink(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  if (cursor_ == place) cursor_ = flow.next;
  if (flow.next != 0) flows_[flow.next].previous = flow.previous;
  if ((flow.previous & kHeads) == 0) {
    flows_[flow.previous].next = flow.next;
  } else {
    wheel_[flow.previous & ~kHeads] = flow.next;
  }
}

void FlowTable::advance(Flow& flow) noexcept {
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  unlink(place);
  link(place);
}

void FlowTable::file(Flow& flow) noexcept {
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  eviction_.leave(flows_, place);
  eviction_.enter(flows_, place);
}

std::uint32_t FlowTable::expire(Instant now, std::uint32_t budget) noexcept {
  std::uint32_t erased = 0;
  const std::uint32_t last = FlowTime::reached(now).ticks();
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
      if (flow.deadline.ticks() <= last) {
        erase(flow);
        ++erased;
      } else {
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
