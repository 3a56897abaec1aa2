// The decision itself: what a verified snapshot says about a packet that would start a flow. The
// dataplane calls these per new flow, `explain` and `prove` call the same functions; there is no
// second implementation outside the tests' reference twin.
//
// Sits between bind (who sent it) and the flow table (what is already allowed). All lookups read
// the snapshot's bytes in place: binary search over the address partition, or a look where an index
// says that the address is listed (policy/decide/partition.h), one hash probe sequence bounded by
// kMaxProbe, binary search over disjoint port ranges.
//
// Valid inputs: anything. Nothing here allocates, throws, logs or blocks. A Classifier is a small
// value over memory that must outlive it; a default-constructed one knows nothing and denies
// everything. Thread: immutable, shared freely.
//
// Failures: none; what is not permitted is a default-constructed Decision, which is deny. 2.4.7.1.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "policy/base/drop_reasons.h"
#include "policy/base/net.h"
#include "policy/decide/partition.h"
#include "policy/wire/snapshot.h"

namespace sallyport::decide {

// Where an address lives, and the classes that stand for it in the rule tables.
struct Location {
  std::uint16_t segment = wire::kNowhere;  // slot, kNowhere (martian) or kVirtual
  std::uint32_t device = wire::kNoDevice;  // slot, kNoDevice or kGatewayHost
  std::uint32_t source_class = 0;
  std::uint32_t destination_class = 0;

  bool nowhere() const noexcept { return segment == wire::kNowhere; }
  bool is_virtual() const noexcept { return segment == wire::kVirtual; }
  bool is_gateway() const noexcept { return device == wire::kGatewayHost; }
  bool is_device() const noexcept { return device < wire::kGatewayHost; }
  friend bool operator==(const Location&, const Location&) = default;
};

// Allow under a rule, or deny. Only Classifier makes one that allows.
class Decision {
 public:
  constexpr Decision() noexcept = default;  // deny
  constexpr bool allowed() const noexcept { return rule_ != wire::kNoRule; }
  // Below: meaningful only if allowed().
  constexpr std::uint32_t rule() const noexcept { return rule_; }
  constexpr wire::RuleKind kind() const noexcept { return kind_; }
  constexpr std::uint16_t listener_port() const noexcept { return listener_port_; }  // Terminate
  friend constexpr bool operator==(const Decision&, const Decision&) = default;

 private:
  friend class Classifier;
  Decision(std::uint32_t rule, std::uint16_t listener_port, wire::RuleKind kind) noexcept
      : rule_(rule), listener_port_(listener_port), kind_(kind) {}
  std::uint32_t rule_ = wire::kNoRule;
  std::uint16_t listener_port_ = 0;
  wire::RuleKind kind_ = wire::RuleKind::Direct;
  // So that it is one word, and returned as one.
  [[maybe_unused]] std::uint8_t whole_ = 0;
};
static_assert(sizeof(Decision) == 8 && std::has_unique_object_representations_v<Decision>);

enum class Origin : std::uint8_t { kWire, kHostStack };

// How a packet came in, after the bind stage. `device` is the enrolled device whose port, VLAN and
// MAC it carries, kNoDevice on an uplink or from a host stack.
struct Ingress {
  std::uint16_t segment = wire::kNowhere;
  Origin origin = Origin::kWire;
  std::uint32_t device = wire::kNoDevice;
  Place place = kNoPlace;  // where bind found the source; a hint, see Partition::find()
};

// The start of a flow. For ICMP echo the destination port is the message type (8 or 128).
struct Tuple {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

// Who sent a frame, judged by role: on device segments port, VLAN, MAC and address must be one
// enrolled device's. `refused` and `owner` (whose identity was shown elsewhere) only when not.
struct Binding {
  std::uint16_t segment = wire::kNowhere;
  std::uint32_t device = wire::kNoDevice;
  std::optional<Drop> refused;
  std::uint32_t owner = wire::kNoDevice;
};

// A decision with the places of both ends. `reason` is why, meaningful only if denied.
struct Verdict {
  Decision decision;
  Drop reason = Drop::kNoSnapshot;
  Location source;
  Location destination;
};

class Classifier {
 public:
  constexpr Classifier() noexcept { untagged_.fill(wire::kNowhere); }
  // `likely`, of the same snapshot, finds listed addresses faster; it must outlive this object,
  // too. Takes a bit for each rule from the heap.
  explicit Classifier(const wire::SnapshotView& snapshot, const LikelyPlaces* likely = nullptr);

  bool loaded() const noexcept { return !partition_.empty(); }

  Location locate(const IpAddress& address) const noexcept;
  // The same for what is asked for twice; only when loaded(). `hint` may be anything.
  Place find(const IpAddress& address) const noexcept { return partition_.find(address); }
  Location at(Place hint, const IpAddress& address) const noexcept;
  // Where this address stands in the partition, if that is known at once and the interval is this
  // device's; else kNoPlace, which says nothing.
  Place place_of(std::uint32_t device_slot, const IpAddress& address) const noexcept;
  // The same, and what locate() says of it: true if it is known at once.
  bool lives_at(std::uint32_t device_slot, const IpAddress& address, Location& out) const noexcept;

  // The enrolled device with this MAC; kNoDevice if there is none. The caller still compares the
  // device's port, VLAN and segment.
  std::uint32_t device_by_mac(const MacAddress& mac) const noexcept;
  // The segment of a port and VLAN (0 = untagged); kNowhere if none.
  std::uint16_t segment_of(std::uint16_t port, std::uint16_t vlan) const noexcept {
    return vlan == 0 && port < untagged_.size() ? untagged_[port] : member(port, vlan);
  }
  // nullptr for a hole or a slot out of range.
  const wire::Device* device(std::uint32_t slot) const noexcept { return at(devices_, slot); }
  const wire::Rule* rule(std::uint32_t slot) const noexcept { return at(rules_, slot); }
  // Is this one of the device's listed addresses, or its MAC's link-local?
  bool owns(std::uint32_t device_slot, const IpAddress& address) const noexcept;

  // 2.4.7.4. For packets with an address; what a host sends before it has one is the bind stage's
  // own business. Uplinks bind nobody: their sources are held against the way back by classify().
  Binding bind(std::uint16_t port, std::uint16_t vlan, const MacAddress& mac,
               const IpAddress& source) const noexcept;

  // The source held against how it came in: martians, the way back to the same identity.
  std::optional<Drop> misplaced(const Ingress& ingress, const Location& source) const noexcept;

  // The rule tables alone. Class 0 takes part in no rule.
  Decision decide(std::uint32_t source_class, std::uint32_t destination_class,
                  std::uint8_t protocol, std::uint16_t destination_port) const noexcept;

  // Everything that policy says about the first packet of a flow: both ends located, the source
  // held against how it came in, martians, the way back to the same identity, then decide().
  // `names` are the classes under which the destination was learned from DNS (wire::Name), tried
  // after the address's own, and only for addresses beyond an uplink.
  // Rationale: an answer that names an inside address (DNS rebinding) must open nothing inside.
  Verdict classify(const Ingress& ingress, const Tuple& tuple,
                   std::span<const std::uint32_t> names = {}) const noexcept;
  // The same for who has located both ends already; only when loaded().
  void decide(const Ingress& ingress, const Tuple& tuple, std::span<const std::uint32_t> names,
              Verdict& located) const noexcept;

  // May this address be learned from a DNS answer? Only hosts of an uplink.
  bool may_be_named(const Location& location) const noexcept {
    return location.segment < wire::kMaxSegments && uplinks_[location.segment] &&
           location.device == wire::kNoDevice;
  }

  // Could binding let somebody start a flow from here? In device segments only who is enrolled and,
  // from its host stack, the gateway; in the others everyone who lives there.
  bool may_speak(const Location& location) const noexcept {
    return location.segment < wire::kMaxSegments &&
           (!device_segments_[location.segment] || location.device != wire::kNoDevice);
  }

  // Does a flow that was allowed under (rule, meaning) still mean the same?
  bool still_means(std::uint32_t rule_slot, std::uint64_t meaning) const noexcept {
    const wire::Rule* r = rule(rule_slot);
    return r != nullptr && r->meaning() == meaning;
  }

 private:
  std::uint16_t member(std::uint16_t port, std::uint16_t vlan) const noexcept;
  Decision among(std::span<const wire::RangeRule> ranges, std::uint16_t port) const noexcept;
  std::optional<Drop> starts_nothing(const Ingress& ingress, const Tuple& tuple,
                                     const Location& source,
                                     const Location& destination) const noexcept;
  template <class T>
  static const T* at(std::span<const T> table, std::uint32_t slot) noexcept {
    if (slot >= table.size()) return nullptr;
    const T* entry = table.data() + slot;
    return entry->valid() == 0 ? nullptr : entry;
  }

  std::span<const wire::Member> members_;
  std::span<const wire::Device> devices_;
  std::span<const wire::Address> device_addresses_;
  std::span<const wire::BindSlot> bind_table_;
  Partition partition_;
  std::span<const wire::PairSlot> pairs_;
  std::span<const wire::RangeRule> ranges_;
  std::span<const wire::Rule> rules_;
  // By slot: is it another rule than a direct one, so that a decision needs its row? The first
  // packet of a direct flow reads nothing else of its rule.
  std::vector<bool> says_more_;
  std::array<std::uint16_t, wire::kMaxPorts> untagged_{};  // what member() says of VLAN 0
  std::bitset<wire::kMaxSegments> uplinks_;
  std::bitset<wire::kMaxSegments> device_segments_;
};

}  // namespace sallyport::decide
