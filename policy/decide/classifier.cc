#include "policy/decide/classifier.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sallyport::decide {
namespace {

// MacAddress::word() of six bytes in memory, as two loads; of its casts g++ 12 makes moves to the
// stack, for each step of a search.
template <class Mac>
std::uint64_t word_of(const Mac& mac) noexcept {
  static_assert(sizeof mac == 6);
  std::uint32_t first;
  std::uint16_t last;
  std::memcpy(&first, &mac, sizeof first);
  std::memcpy(&last, reinterpret_cast<const char*>(&mac) + sizeof first, sizeof last);
  return first | std::uint64_t{last} << 32;
}

template <class Interval>
Location location_of(const Interval& interval) noexcept {
  return Location{.segment = interval.segment(),
                  .device = interval.device(),
                  .source_class = interval.source_class(),
                  .destination_class = interval.destination_class()};
}

}  // namespace

Classifier::Classifier(const wire::SnapshotView& snapshot, const LikelyPlaces* likely)
    : members_(snapshot.members()),
      devices_(snapshot.devices()),
      device_addresses_(snapshot.device_addresses()),
      bind_table_(snapshot.bind_table()),
      partition_(snapshot.intervals4(), snapshot.intervals6(), likely),
      pairs_(snapshot.pairs()),
      ranges_(snapshot.ranges()),
      rules_(snapshot.rules()) {
  says_more_.reserve(rules_.size());
  for (const wire::Rule& rule : rules_)
    says_more_.push_back(rule.kind() != wire::RuleKind::Direct || rule.listener_port() != 0);
  for (std::size_t port = 0; port < untagged_.size(); ++port)
    untagged_[port] = member(static_cast<std::uint16_t>(port), 0);
  for (const wire::Segment* segment : *snapshot.root().segments()) {
    uplinks_[segment->slot()] = segment->role() == wire::Role::Uplink;
    // A management segment has other services, not other identities.
    device_segments_[segment->slot()] = segment->role() != wire::Role::Uplink;
  }
}

Location Classifier::locate(const IpAddress& address) const noexcept {
  return loaded() ? at(kNoPlace, address) : Location();
}

Location Classifier::at(Place hint, const IpAddress& address) const noexcept {
  return partition_.at(address, hint, [](const auto& i) { return location_of(i); });
}

Place Classifier::place_of(std::uint32_t device_slot, const IpAddress& address) const noexcept {
  Place out = kNoPlace;
  partition_.glanced(address, [&](const auto& interval, Place place) {
    if (interval.device() == device_slot) out = place;
  });
  return out;
}

bool Classifier::lives_at(std::uint32_t device_slot, const IpAddress& address,
                          Location& out) const noexcept {
  bool found = false;
  partition_.glanced(address, [&](const auto& interval, Place) {
    found = interval.device() == device_slot;
    if (found) [[likely]]
      out = location_of(interval);
  });
  return found;
}

std::uint32_t Classifier::device_by_mac(const MacAddress& mac) const noexcept {
  if (bind_table_.empty()) return wire::kNoDevice;
  const std::size_t mask = bind_table_.size() - 1;
  const std::uint64_t wanted = word_of(mac);
  std::size_t at = wire::mac_hash(mac.bytes()) & mask;
  for (std::size_t step = 0; step < wire::kMaxProbe; ++step, at = (at + 1) & mask) {
    const wire::BindSlot& slot = bind_table_[at];
    if (slot.device() == wire::kNoDevice) return wire::kNoDevice;
    if (word_of(slot.mac()) == wanted) return slot.device();
  }
  return wire::kNoDevice;
}

std::uint16_t Classifier::member(std::uint16_t port, std::uint16_t vlan) const noexcept {
  const auto at = std::partition_point(members_.begin(), members_.end(), [&](const auto& m) {
    return m.port() < port || (m.port() == port && m.vlan() < vlan);
  });
  if (at == members_.end() || at->port() != port || at->vlan() != vlan) return wire::kNowhere;
  return at->segment();
}

bool Classifier::owns(std::uint32_t device_slot, const IpAddress& address) const noexcept {
  const wire::Device* d = device(device_slot);
  if (d == nullptr) return false;
  // What is listed is found by locate(), and nothing else is: the verifier compares the two.
  for (const wire::Address& own : device_addresses_.subspan(d->first_address(), d->address_count()))
    if (wire::to_ip(own) == address) return true;
  return !address.is_v4() && address.is_link_local() &&
         address == wire::to_mac(d->mac()).link_local();
}

Binding Classifier::bind(std::uint16_t port, std::uint16_t vlan, const MacAddress& mac,
                         const IpAddress& source) const noexcept {
  Binding out;
  out.segment = segment_of(port, vlan);
  const auto refuse = [&out](Drop reason, std::uint32_t owner) {
    out.refused = reason;
    out.owner = owner;
    return out;
  };
  if (out.segment == wire::kNowhere) return refuse(Drop::kSegmentMismatch, wire::kNoDevice);
  if (!device_segments_[out.segment]) return out;
  const std::uint32_t slot = device_by_mac(mac);
  const wire::Device* sender = device(slot);
  const Location place = locate(source);
  if (sender == nullptr)
    return place.is_device() ? refuse(Drop::kStolenIdentity, place.device)
                             : refuse(Drop::kUnknownDevice, wire::kNoDevice);
  if (sender->port() != port || sender->vlan() != vlan || sender->segment() != out.segment)
    return refuse(Drop::kStolenIdentity, slot);
  out.device = slot;
  if (owns(slot, source)) return out;
  return place.is_device() ? refuse(Drop::kStolenIdentity, place.device)
                           : refuse(Drop::kSpoofedSource, wire::kNoDevice);
}

Decision Classifier::decide(std::uint32_t source_class, std::uint32_t destination_class,
                            std::uint8_t protocol, std::uint16_t destination_port) const noexcept {
  if (source_class == 0 || destination_class == 0 || pairs_.empty()) return {};
  const std::uint64_t key = wire::pair_key(source_class, destination_class, protocol);
  const std::size_t mask = pairs_.size() - 1;
  std::size_t at = wire::pair_hash(key) & mask;
  for (std::size_t step = 0; step < wire::kMaxProbe; ++step, at = (at + 1) & mask) {
    const wire::PairSlot& pair = pairs_.data()[at];
    if (pair.key() == key) [[likely]]
      return among(ranges_.subspan(pair.first(), pair.count()), destination_port);
    if (pair.key() == 0) return {};
  }
  return {};
}

// The rule of the range that has this port; of disjoint ranges in their order.
Decision Classifier::among(std::span<const wire::RangeRule> ranges,
                           std::uint16_t port) const noexcept {
  if (ranges.empty()) return {};
  const wire::RangeRule* range = ranges.data();
  __builtin_prefetch(range + ranges.size() - 1);
  for (std::size_t left = ranges.size(); left > 1;) {
    const std::size_t half = left / 2;
    // Which half it is nothing predicts, and of a condition g++ 12 makes a branch.
    range += half & -std::size_t{range[half - 1].last_port() < port};
    left -= half;
  }
  if (port < range->first_port() || port > range->last_port()) return {};
  const std::uint32_t slot = range->rule();
  if (!says_more_[slot]) [[likely]]
    return {slot, 0, wire::RuleKind::Direct};
  const wire::Rule& rule = rules_.data()[slot];
  return {slot, rule.listener_port(), rule.kind()};
}

std::optional<Drop> Classifier::misplaced(const Ingress& ingress,
                                          const Location& source) const noexcept {
  if (ingress.origin == Origin::kHostStack)
    return source.is_gateway() && source.segment == ingress.segment
               ? std::nullopt
               : std::optional(Drop::kHostStackDenied);
  if (source.nowhere()) return Drop::kMartianSource;
  if (ingress.device != wire::kNoDevice)
    return source.device == ingress.device ? std::nullopt : std::optional(Drop::kSpoofedSource);
  return source.segment == ingress.segment && !source.is_gateway()
             ? std::nullopt
             : std::optional(Drop::kReversePath);
}

// What keeps two ends apart whatever the rules say.
std::optional<Drop> Classifier::starts_nothing(const Ingress& ingress, const Tuple& tuple,
                                               const Location& source,
                                               const Location& destination) const noexcept {
  if (tuple.source.is_v4() != tuple.destination.is_v4()) return Drop::kIpVersion;
  if (const auto refused = misplaced(ingress, source)) return refused;
  if (destination.nowhere()) return Drop::kMartianDestination;
  if (source.is_device() && source.device == destination.device) return Drop::kHairpin;
  return std::nullopt;
}

[[gnu::flatten]] Verdict Classifier::classify(const Ingress& ingress, const Tuple& tuple,
                                              std::span<const std::uint32_t> names) const noexcept {
  Verdict out;
  if (!loaded()) return out;
  out.source = at(ingress.place, tuple.source);
  out.destination = at(kNoPlace, tuple.destination);
  decide(ingress, tuple, names, out);
  return out;
}

[[gnu::flatten]] void Classifier::decide(const Ingress& ingress, const Tuple& tuple,
                                         std::span<const std::uint32_t> names,
                                         Verdict& out) const noexcept {
  if (const auto refused = starts_nothing(ingress, tuple, out.source, out.destination))
      [[unlikely]] {
    out.reason = *refused;
    return;
  }
  out.decision = decide(out.source.source_class, out.destination.destination_class, tuple.protocol,
                        tuple.destination_port);
  for (const std::uint32_t name : names) {
    if (out.decision.allowed() || !may_be_named(out.destination)) break;
    out.decision = decide(out.source.source_class, name, tuple.protocol, tuple.destination_port);
  }
  const bool listener = tuple.destination_port >= wire::kFirstListenerPort &&
                        tuple.destination_port <= wire::kLastListenerPort;
  out.reason = ingress.origin == Origin::kHostStack       ? Drop::kHostStackDenied
               : out.destination.is_gateway() && listener ? Drop::kListenerPort
                                                          : Drop::kDefaultDeny;
}

}  // namespace sallyport::decide
