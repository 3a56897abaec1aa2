#include "dataplane/flow/flow_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "policy/base/check.h"

namespace sallyport::dataplane {
FlowTable::FlowTable(std::uint32_t capacity, std::array<std::uint64_t, 2> secret, Instant now,
                     PortMappings* mappings)
    : flows_(std::size_t{capacity} + 1),
      eviction_(std::size_t{capacity} + 1),
      held_(wire::kMaxDevices + 1),
      // The factor is odd: nothing of what it multiplies is lost. Of all secrets, poor ones too.
      secret_{secret[0] ^ 0x9e3779b97f4a7c15U, (secret[1] ^ 0xbf58476d1ce4e5b9U) | 1},
      mappings_(mappings),
      capacity_(capacity),
      tick_(FlowTime::reached(now).ticks()) {
  SALLYPORT_CHECK(capacity > 0 && capacity <= kMostFlows);
  // Two keys per flow, four fifths of the ways at most; and so many that a full bucket's keys have
  // several others to move to.
  const std::size_t wanted = (std::size_t{capacity} * 2 * 5 / 4 + kWays - 1) / kWays;
  buckets_.resize(std::bit_ceil(std::max<std::size_t>(wanted, kLeastBuckets)));
  mask_ = buckets_.size() - 1;
  for (std::uint32_t place = capacity; place > 0; --place) {
    flows_[place].next = free_ & kPlace;
    free_ = place;
  }
}

std::uint32_t FlowTable::turned_by_rest(const FlowKey& key) noexcept {
  return std::pair(key.source.words()[0], key.source_port) >
                 std::pair(key.destination.words()[0], key.destination_port)
             ? 1
             : 0;
}

FlowMatch FlowTable::search(const FlowKey& key, std::uint64_t hash) noexcept {
  const Bucket& first = bucket(hash);
  for (const std::uint64_t at : {hash, other(hash)}) {
    const Bucket& candidates = bucket(at);
    for (unsigned found = ways(candidates, tag_of(hash)); found != 0; found &= found - 1) {
      const std::uint32_t reference = candidates.references.data()[std::countr_zero(found)];
      Flow& flow = flows_.data()[referred(reference)];
      const Direction direction = direction_of(key, reference);
      if (is(flow, key, direction)) return {&flow, direction};
    }
    if (first.away == 0) break;
  }
  return {};
}

bool FlowTable::taken(const FlowKey& client, const FlowKey& server, const Hashes& keys) noexcept {
  if (tagged(keys.client) && (search(client, keys.client) || search(server, keys.server)))
    return true;
  return !keys.one && tagged(keys.server) && search(server, keys.server);
}

bool FlowTable::index_insert(std::uint64_t hash, std::uint32_t reference) noexcept {
  Bucket& first = bucket(hash);
  Bucket* to = &first;
  std::size_t way = used(first);
  if (way == kWays) [[unlikely]] {
    to = &bucket(other(hash));
    way = used(*to);
    if (way == kWays) {
      to = make_way(hash);
      if (to == nullptr) return false;
      way = kWays - 1;
    }
    if (to != &first) {
      reference |= kAway;
      ++first.away;
    }
  }
  to->tags.data()[way] = tag_of(hash);
  to->references.data()[way] = reference;
  return true;
}

// That only a key with room at its other place moves, and none for it in turn, bounds the work: one
// look at each of twenty buckets.
FlowTable::Bucket* FlowTable::make_way(std::uint64_t hash) noexcept {
  for (const std::uint64_t at : {hash, other(hash)}) {
    Bucket& full = bucket(at);
    for (std::size_t way = 0; way < kWays; ++way) {
      Bucket& to = bucket(other(at, full.tags[way]));
      const std::size_t free = used(to);
      if (free == kWays) continue;
      to.tags[free] = full.tags[way];
      to.references[free] = full.references[way] ^ kAway;
      if ((full.references[way] & kAway) != 0)
        --to.away;
      else
        ++full.away;
      vacate(full, way);
      return &full;
    }
  }
  return nullptr;
}

void FlowTable::vacate(Bucket& bucket, std::size_t way) noexcept {
  const std::size_t last = used(bucket) - 1;
  bucket.tags[way] = bucket.tags[last];
  bucket.references[way] = bucket.references[last];
  bucket.tags[last] = 0;
}

bool FlowTable::take_out(Bucket& bucket, std::uint16_t tag, std::uint32_t place,
                         std::uint32_t stands) noexcept {
  for (unsigned found = ways(bucket, tag); found != 0; found &= found - 1) {
    const auto way = static_cast<std::size_t>(std::countr_zero(found));
    if ((bucket.references[way] & ~kTurned) != (place << kPlaceShift | stands)) continue;
    vacate(bucket, way);
    return true;
  }
  return false;
}

void FlowTable::index_erase(std::uint64_t hash, std::uint32_t place) noexcept {
  Bucket& first = bucket(hash);
  if (take_out(first, tag_of(hash), place, 0)) return;
  const bool was_away = take_out(bucket(other(hash)), tag_of(hash), place, kAway);
  SALLYPORT_CHECK(was_away);
  --first.away;
}

Flow* FlowTable::insert(const Opening& opening) noexcept {
  if (free_ == 0) return nullptr;
  const Flow& flow = opening.flow;
  const FlowKey client_key = flow.client_key(), server_key = opening.server_key();
  const Hashes keys = hashes_of(client_key, server_key,
                                client_key == expected_.key ? expected_.hash : hash(client_key));
  // A flow whose two keys are one could not be told apart by direction.
  if (client_key == server_key || taken(client_key, server_key, keys)) return nullptr;
  const auto stand_in = stand_ins_.hold(opening.stand_in);
  if (!stand_in) return nullptr;
  const std::uint32_t place = free_;
  const bool first =
      index_insert(keys.client, reference_to(place, client_key, Direction::kFromClient));
  if (!first || (!keys.one && !index_insert(keys.server, reference_to(place, server_key,
                                                                      Direction::kFromServer)))) {
    if (first) index_erase(keys.client, place);
    stand_ins_.release(*stand_in);
    return nullptr;
  }
  Flow& entered = flows_.data()[place];
  free_ = entered.next;
  ask_for(free_);
  entered = flow;
  entered.stand_in = *stand_in & (StandIns::kPlaces - 1);
  entered.flags |= kLive;
  ++size_;
  ++insertions_;
  ++held_[row_of(flow.at_client.device())];
  link(place);
  eviction_.enter(flows_, place);
  return &entered;
}

void FlowTable::erase(Flow& flow) noexcept {
  SALLYPORT_ASSUME(flow.live());
  const auto place = static_cast<std::uint32_t>(&flow - flows_.data());
  const Hashes keys =
      foreseen_.place == place ? std::exchange(foreseen_, {}).keys : hashes_of(flow);
  index_erase(keys.client, place);
  if (!keys.one) index_erase(keys.server, place);
  unlink(place);
  eviction_.leave(flows_, place);
  if (flow.mapped() && mappings_ != nullptr) mappings_->release(flow);
  --held_[row_of(flow.at_client.device())];
  stand_ins_.release(static_cast<std::uint16_t>(flow.stand_in));
  flow.flags = 0;
  flow.next = free_ & kPlace;
  free_ = place;
  --size_;
}

std::size_t FlowTable::away() const noexcept {
  std::size_t out = 0;
  for (const Bucket& each : buckets_) out += each.away;
  return out;
}

void FlowTable::foresee(std::uint32_t place) noexcept {
  if (place == 0) return;
  const Flow& flow = flows_.data()[place];
  foreseen_ = {place, hashes_of(flow)};
  __builtin_prefetch(&bucket(foreseen_.keys.client));
  if (!foreseen_.keys.one) __builtin_prefetch(&bucket(foreseen_.keys.server));
  // Its neighbours in the wheel, of which unlink() writes the second line.
  ask_for(flow.next);
  if ((flow.previous & kHeads) == 0) ask_for(flow.previous);
  if (const std::uint32_t later = eviction_.after(place); later != 0) {
    ask_for(later);
    eviction_.ask_for(later);
  }
}

std::optional<Drop> FlowTable::refusal(DeviceSlot device, std::uint32_t place) const noexcept {
  if (place == 0) return Drop::kFlowTableFull;
  const std::size_t row = row_of(device);
  const bool own = row_of(flows_[place].at_client.device()) == row;
  const std::uint32_t part = row == wire::kMaxDevices ? kShareOfOthers : kShareOfDevice;
  if (own || held_[row] < std::max(capacity() / part, 1U)) return std::nullopt;
  return Drop::kFlowDeviceLimit;
}

void FlowTable::link(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  // A list that is half walked gets nothing new: it would be put before the cursor and wait a whole
  // turn.
  const std::uint32_t due = std::max(tick_ + (walking_ ? 1 : 0), flow.deadline.ticks());
  const std::uint32_t list = due % kWheelTicks, heads = kHeads | list;
  std::uint32_t& head = wheel_[list];
  flow.previous = heads & kPlace;
  flow.next = head & kPlace;
  if (head != 0) flows_[head].previous = place & kPlace;
  head = place;
}

void FlowTable::unlink(std::uint32_t place) noexcept {
  Flow& flow = flows_[place];
  if (cursor_ == place) cursor_ = flow.next;
  if (flow.next != 0) flows_[flow.next].previous = flow.previous & kPlace;
  if ((flow.previous & kHeads) == 0) {
    flows_[flow.previous].next = flow.next & kPlace;
  } else {
    wheel_[flow.previous & (kHeads - 1)] = flow.next;
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
      ask_for(cursor_);
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
