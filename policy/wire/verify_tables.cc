// The classifier's tables: partitions of both address spaces, hash tables whose every entry is
// found within kMaxProbe steps, port ranges sorted and disjoint, and rules that fit the ends they
// are given to. Linear in the size of the tables.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "policy/base/units.h"
#include "policy/wire/verify.h"

namespace sallyport::wire {
namespace {

// What kinds of ends a class stands for.
enum Ends : std::uint8_t { kNone = 0, kHost = 1, kGateway = 2, kVirtualEnd = 4 };

struct ClassUse {
  std::vector<std::uint8_t> source;
  std::vector<std::uint8_t> destination;
};

// Both interval types in one form; `last` is known from the next entry.
struct Entry {
  IpAddress first;
  IpAddress last;
  std::uint32_t device = 0;
  std::uint32_t source_class = 0;
  std::uint32_t destination_class = 0;
  std::uint16_t segment = 0;
  bool reserved_zero = true;
};

IpAddress v6_of(std::uint64_t high, std::uint64_t low) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return IpAddress::v6(bytes);
}

Uint128 start_of(const Interval4& i) { return i.first(); }
Uint128 start_of(const Interval6& i) {
  return static_cast<Uint128>(i.first_high()) << 64 | i.first_low();
}
IpAddress address_of(const Interval4*, Uint128 value) {
  return IpAddress::v4(static_cast<std::uint32_t>(value));
}
IpAddress address_of(const Interval6*, Uint128 value) {
  return v6_of(static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value));
}

bool owns(const SnapshotView& view, const Device& device, const IpAddress& address) {
  const auto addresses =
      view.device_addresses().subspan(device.first_address(), device.address_count());
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& a) { return to_ip(a) == address; });
}

bool owns(const Segment& segment, const IpAddress& address) {
  return std::any_of(segment.addresses()->begin(), segment.addresses()->end(),
                     [&](const InterfaceAddress* a) { return to_ip(a->address()) == address; });
}

Fault entry_fault(const SnapshotView& view, const Entry& e, ClassUse& use) {
  if (!e.reserved_zero) return "reserved bits are set";
  if (e.source_class >= use.source.size() || e.destination_class >= use.destination.size())
    return "class out of range";
  const bool placed = e.segment != kNowhere && e.segment != kVirtual;
  const Segment* segment = placed ? view.segment(e.segment) : nullptr;
  if (placed && segment == nullptr) return "no such segment";
  if (!placed && e.device != kNoDevice) return "a device nowhere";
  if (!placed && e.source_class != 0) return "a source that is in no segment";
  if (e.segment == kNowhere && e.destination_class != 0) return "a destination that is nowhere";
  if (e.device == kGatewayHost) {
    if (e.first != e.last || !owns(*segment, e.first)) return "not the gateway's address";
  } else if (e.device != kNoDevice) {
    if (e.device >= view.devices().size() || view.devices()[e.device].valid() == 0)
      return "no such device";
    const Device& device = view.devices()[e.device];
    if (device.segment() != e.segment) return "a device outside its segment";
    if (e.first != e.last || !owns(view, device, e.first)) return "not the device's address";
  }
  const std::uint8_t ends = e.device == kGatewayHost ? kGateway
                            : e.segment == kVirtual  ? kVirtualEnd
                                                     : kHost;
  use.source[e.source_class] |= ends;
  use.destination[e.destination_class] |= ends;
  return std::nullopt;
}

// A partition of the whole space: from zero, strictly ascending, each entry in order. Counts the
// entries of devices and of the gateway.
template <class Interval>
Fault partition_fault(const SnapshotView& view, const char* what,
                      std::span<const Interval> intervals, Uint128 end, ClassUse& use,
                      std::size_t& owned) {
  if (intervals.empty() || start_of(intervals.front()) != 0)
    return fmt::format("{}: does not start at the lowest address", what);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const Interval& interval = intervals[i];
    const Uint128 first = start_of(interval);
    const Uint128 last = i + 1 < intervals.size() ? start_of(intervals[i + 1]) - 1 : end;
    if (i + 1 < intervals.size() && start_of(intervals[i + 1]) <= first)
      return fmt::format("{}: not ascending at entry {}", what, i);
    const Entry entry{.first = address_of(&interval, first),
                      .last = address_of(&interval, last),
                      .device = interval.device(),
                      .source_class = interval.source_class(),
                      .destination_class = interval.destination_class(),
                      .segment = interval.segment(),
                      .reserved_zero = interval.reserved() == 0};
    if (auto fault = entry_fault(view, entry, use))
      return fmt::format("{}: entry {}: {}", what, i, *fault);
    if (entry.device != kNoDevice) ++owned;
  }
  return std::nullopt;
}

// IPv4 lives in intervals4 alone; an IPv6 packet with a mapped address is martian (RFC 4291
// §2.5.5).
Fault mapped_fault(std::span<const Interval6> intervals) {
  constexpr Uint128 kFirst = static_cast<Uint128>(0xffff) << 32;
  constexpr Uint128 kLast = kFirst | 0xffffffffU;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const bool ends_before = i + 1 < intervals.size() && start_of(intervals[i + 1]) <= kFirst;
    if (ends_before || start_of(intervals[i]) > kLast) continue;
    if (intervals[i].segment() != kNowhere)
      return std::string("intervals6: IPv4-mapped addresses are somewhere");
  }
  return std::nullopt;
}

// Every listed address is found as its owner's. Intervals are single addresses of their owners and
// distinct, so equal counts mean that all are found, and that no two lists share one.
Fault owners_fault(const SnapshotView& view, std::size_t owned) {
  std::size_t devices = 0;
  for (const Device& d : view.devices())
    if (d.valid() != 0) devices += d.address_count();
  std::size_t listed = devices;
  for (const Segment* s : *view.root().segments()) listed += s->addresses()->size();
  if (owned != listed) return std::string("a listed address is not found, or listed twice");
  if (devices != view.device_addresses().size())
    return std::string("device_addresses: one belongs to no device");
  return std::nullopt;
}

// Follows the probe sequence to entry `at`; every step before it must be another, occupied entry.
template <class Slot, class Occupied, class SameKey>
bool is_findable(std::span<const Slot> table, std::size_t at, std::uint64_t hash, Occupied occupied,
                 SameKey same_key) {
  const std::size_t mask = table.size() - 1;
  std::size_t probe = hash & mask;
  for (std::size_t step = 0; step < kMaxProbe; ++step, probe = (probe + 1) & mask) {
    if (probe == at) return true;
    if (!occupied(table[probe]) || same_key(table[probe], table[at])) return false;
  }
  return false;
}

Fault bind_fault(const SnapshotView& view) {
  const auto table = view.bind_table();
  const auto devices = view.devices();
  std::size_t occupied_count = 0;
  if (!table.empty() && !std::has_single_bit(table.size()))
    return std::string("bind_table: size is not a power of two");
  const auto occupied = [](const BindSlot& s) { return s.device() != kNoDevice; };
  const auto same = [](const BindSlot& a, const BindSlot& b) {
    return to_mac(a.mac()) == to_mac(b.mac());
  };
  for (std::size_t at = 0; at < table.size(); ++at) {
    const BindSlot& slot = table[at];
    if (slot.reserved() != 0) return fmt::format("bind_table: entry {}: reserved bits", at);
    if (!occupied(slot)) {
      if (!to_mac(slot.mac()).is_zero()) return fmt::format("bind_table: entry {}: not empty", at);
      continue;
    }
    if (slot.device() >= devices.size() || devices[slot.device()].valid() == 0)
      return fmt::format("bind_table: entry {}: no such device", at);
    const MacAddress mac = to_mac(slot.mac());
    if (mac != to_mac(devices[slot.device()].mac()))
      return fmt::format("bind_table: entry {}: not this device's MAC", at);
    if (!is_findable(table, at, mac_hash(mac.bytes()), occupied, same))
      return fmt::format("bind_table: entry {} cannot be found", at);
    ++occupied_count;
  }
  // A MAC that is found stands in the table once, so equal counts mean that every device is found.
  const auto valid =
      std::count_if(devices.begin(), devices.end(), [](const Device& d) { return d.valid() != 0; });
  if (occupied_count != static_cast<std::size_t>(valid))
    return std::string("bind_table: a device is missing");
  return std::nullopt;
}

// The lists tile `ranges` without gap or overlap (pairs may share a list), so each is checked once.
Fault lists_fault(const SnapshotView& view) {
  std::vector<std::uint32_t> length(view.ranges().size());
  for (const PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    if (pair.count() == 0 || pair.first() >= length.size() ||
        pair.count() > length.size() - pair.first())
      return std::string("pairs: ranges out of bounds");
    std::uint32_t& known = length[pair.first()];
    if (known != 0 && known != pair.count()) return std::string("pairs: lists overlap");
    known = pair.count();
  }
  for (std::size_t first = 0; first < length.size(); first += length[first]) {
    if (length[first] == 0) return fmt::format("ranges: entry {} belongs to no pair", first);
    const auto list = view.ranges().subspan(first, length[first]);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const RangeRule& range = list[i];
      if (i > 0 && length[first + i] != 0) return std::string("pairs: lists overlap");
      if (range.first_port() == 0 || range.first_port() > range.last_port())
        return fmt::format("ranges: entry {} is empty", first + i);
      if (i > 0 && range.first_port() <= list[i - 1].last_port())
        return fmt::format("ranges: entry {} is not after its predecessor", first + i);
      if (range.rule() >= view.rules().size() || view.rules()[range.rule()].valid() == 0)
        return fmt::format("ranges: entry {}: no such rule", first + i);
    }
  }
  return std::nullopt;
}

// May a rule of this kind connect these ends? Classes never mix the gateway with anyone else.
bool kind_fits(RuleKind kind, std::uint8_t from, std::uint8_t to) {
  const bool from_gateway = from == kGateway;
  const bool from_hosts = from == kHost;
  switch (kind) {
    case RuleKind::Direct:
      return from_hosts && to == kHost;
    case RuleKind::Terminate:
      return from_hosts;
    case RuleKind::LegB:
      return from_gateway && to == kHost;
    case RuleKind::HostService:
      return (from_gateway && to == kHost) || (from_hosts && to == kGateway);
  }
  return false;
}

bool protocol_fits(std::uint8_t protocol, std::span<const RangeRule> list) {
  const auto single = [&](std::uint16_t type) {
    return list.size() == 1 && list[0].first_port() == type && list[0].last_port() == type;
  };
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
      return true;
    case IpProtocol::kIcmp:
      return single(8);
    case IpProtocol::kIcmp6:
      return single(128);
  }
  return false;
}

Fault pair_fault(const SnapshotView& view, const PairSlot& pair, const ClassUse& use) {
  const auto source = static_cast<std::uint32_t>(pair.key() >> 40);
  const auto destination = static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU;
  const auto protocol = static_cast<std::uint8_t>(pair.key());
  if (pair_key(source, destination, protocol) != pair.key()) return "stray bits in the key";
  if (source == 0 || source >= use.source.size() || use.source[source] == kNone)
    return "source class of no address";
  if (destination == 0 || destination >= use.destination.size() ||
      use.destination[destination] == kNone)
    return "destination class of no address";
  const auto list = view.ranges().subspan(pair.first(), pair.count());
  if (!protocol_fits(protocol, list)) return "ranges do not fit the protocol";
  const bool ports = protocol == static_cast<std::uint8_t>(IpProtocol::kTcp) ||
                     protocol == static_cast<std::uint8_t>(IpProtocol::kUdp);
  for (const RangeRule& range : list) {
    const RuleKind kind = view.rules()[range.rule()].kind();
    if (!kind_fits(kind, use.source[source], use.destination[destination]))
      return "a rule's kind does not fit its ends";
    if (!ports && kind == RuleKind::Terminate) return "only TCP and UDP are terminated";
  }
  return std::nullopt;
}

Fault pairs_fault(const SnapshotView& view, const ClassUse& use) {
  const auto table = view.pairs();
  if (!table.empty() && !std::has_single_bit(table.size()))
    return std::string("pairs: size is not a power of two");
  if (auto fault = lists_fault(view)) return fault;
  const auto occupied = [](const PairSlot& p) { return p.key() != 0; };
  const auto same = [](const PairSlot& a, const PairSlot& b) { return a.key() == b.key(); };
  std::size_t steps = 0;  // lists may be shared by many pairs; the whole walk stays bounded
  for (std::size_t at = 0; at < table.size(); ++at) {
    if (!occupied(table[at])) {
      if (table[at].first() != 0 || table[at].count() != 0)
        return fmt::format("pairs: entry {}: not empty", at);
      continue;
    }
    steps += table[at].count();
    if (steps > kMaxTableSlots * 4) return std::string("pairs: too many ranges in all");
    if (!is_findable(table, at, pair_hash(table[at].key()), occupied, same))
      return fmt::format("pairs: entry {} cannot be found", at);
    if (auto fault = pair_fault(view, table[at], use))
      return fmt::format("pairs: entry {}: {}", at, *fault);
  }
  return std::nullopt;
}

}  // namespace

Fault tables_fault(const SnapshotView& view) {
  const std::size_t classes =
      view.intervals4().size() + view.intervals6().size() + view.root().names()->size() + 1;
  ClassUse use{.source = std::vector<std::uint8_t>(classes),
               .destination = std::vector<std::uint8_t>(classes)};
  std::size_t owned = 0;
  if (auto fault = partition_fault(view, "intervals4", view.intervals4(), 0xffffffffU, use, owned))
    return fault;
  if (auto fault = partition_fault(view, "intervals6", view.intervals6(), ~Uint128{0}, use, owned))
    return fault;
  if (auto fault = mapped_fault(view.intervals6())) return fault;
  if (auto fault = owners_fault(view, owned)) return fault;
  for (const Name* name : *view.root().names()) {
    if (name->destination_class() >= classes)
      return fmt::format("names: {}: class out of range", text(name->name()));
    use.destination[name->destination_class()] |= kHost;
  }
  if (auto fault = bind_fault(view)) return fault;
  return pairs_fault(view, use);
}

}  // namespace sallyport::wire
