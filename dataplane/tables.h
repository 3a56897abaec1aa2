// What the packet path needs of one snapshot, built aside by the control thread and then immutable:
// the classifier over the snapshot's own bytes, and small per-segment facts gathered from its
// tables. Lives until the worker has let go of it (app/worker.h, quiescent swap).
//
// Lookups are noexcept, allocate nothing and accept any slot; an absent segment or device is
// nullptr. Thread: immutable, shared.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/enrolled_filter.h"
#include "dataplane/flow/flow.h"
#include "dataplane/headers.h"
#include "policy/base/hash.h"
#include "policy/base/likely_numbers.h"
#include "policy/base/result.h"
#include "policy/decide/classifier.h"
#include "policy/decide/names.h"
#include "policy/wire/snapshot.h"

namespace sallyport::dataplane {

struct SegmentInfo {
  SegmentSlot slot = kNoSegment;
  std::string name;
  wire::Role role = wire::Role::Devices;
  std::uint16_t mtu = kMostMtu;  // bytes of IP
  MacAddress mac;
  IpAddress link_local;
  std::vector<IpAddress> addresses;  // the gateway's own
  std::vector<IpPrefix> subnets;     // in the same order
  std::optional<IpAddress> gateway4;
  std::optional<IpAddress> gateway6;
  std::vector<wire::Member> members;
  std::uint16_t services = 0;
  bool isolated = false;
  bool napt44 = false;

  // Who sends here must be enrolled. A management segment has other services, not other identities.
  bool devices_only() const { return role != wire::Role::Uplink; }
  // One of the gateway's addresses here, or its link-local.
  bool owns(const IpAddress& address) const noexcept;
  // The gateway's address of this version; nullptr if there is none.
  const IpAddress* host_address(IpVersion version) const noexcept;
  bool on_link(const IpAddress& address) const noexcept;
  // Is this port, with this tag, one of its own? They are sorted by both, as in the snapshot.
  bool has_member(PortSlot port, std::uint16_t vlan) const noexcept {
    const auto key = [](std::uint32_t of_port, std::uint16_t tag) { return of_port << 16 | tag; };
    return std::ranges::binary_search(
        members, key(port, vlan), {},
        [&](const wire::Member& member) { return key(member.port(), member.vlan()); });
  }
};

// An enrolled device's end of its segment's link, in words to compare and to write by: what
// wire::Device and SegmentInfo say of it, gathered. MACs lie above the lower 16 bits.
struct DeviceLink {
  std::uint64_t own = 0;      // its MAC and its port; no MAC is zero
  std::uint64_t gateway = 0;  // its segment's MAC and its VLAN
  SegmentSlot segment = kNoSegment;
  std::uint16_t mtu = 0;
  std::uint32_t home = home_of(kNoDevice, kNoSegment);  // as a flow's end has it

  PortSlot port() const noexcept { return static_cast<PortSlot>(own); }
  std::uint16_t vlan() const noexcept { return static_cast<std::uint16_t>(gateway); }
};

class Tables {
 public:
  // `snapshot` was verified; `keep_alive` owns its bytes. Cannot fail on a verified snapshot.
  // `before` are those in force until these are; without them every rule counts as changed.
  static std::unique_ptr<const Tables> build(const wire::SnapshotView& snapshot,
                                             std::shared_ptr<const void> keep_alive,
                                             const Tables* before = nullptr);
  // The same again, to come into force once more after others did.
  std::unique_ptr<const Tables> again(const Tables* before) const {
    return build(view_, keep_alive_, before);
  }

  std::uint64_t revision() const noexcept { return revision_; }
  // Counts all tables that this process built, from 1: who has the greater one was built later, and
  // only later ones ever come into force (Pipeline::set_tables).
  std::uint32_t serial() const noexcept { return serial_; }
  // What flows keep of it: its lower half. The sweep sees to it that none is behind by as much as
  // kMostBehind (housekeeping.cc).
  static constexpr std::uint32_t kMostBehind = 1U << 16;
  std::uint16_t mark() const noexcept { return static_cast<std::uint16_t>(serial_); }
  // Does a rule mean what it meant when a flow was held good that was marked so? Of a rule that
  // these tables know.
  bool still_means(RuleSlot rule, std::uint16_t mark) const noexcept {
    return since(rules_since_, rule) <= when(mark);
  }
  // Is all that a flow's permission rests on as it was when the flow was held good: its rule's
  // meaning, and where its ends live? Then it need not be asked for.
  bool still_stands(const Flow& flow) const noexcept {
    return still_means(flow.rule, flow.checked) &&
           std::max(since(flow.at_client), since(flow.at_server)) <= when(flow.checked);
  }
  const wire::SnapshotView& view() const noexcept { return view_; }
  const decide::Classifier& classifier() const noexcept { return classifier_; }
  const EnrolledFilter& enrolled() const noexcept { return enrolled_; }
  const decide::Names& names() const noexcept { return names_; }
  const SegmentInfo* segment(SegmentSlot slot) const noexcept {
    return slot < segments_.size() ? segments_.data()[slot].get() : nullptr;
  }
  // Of an enrolled device. A hole's has no MAC and no segment; a slot's out of range neither.
  const DeviceLink& device_link(DeviceSlot slot) const noexcept {
    return device_links_.data()[std::min<std::size_t>(slot, last_link_)];
  }
  // It is read soon.
  void ask_for_link(DeviceSlot slot) const noexcept { __builtin_prefetch(&device_link(slot)); }
  // For how long a rule lets such flows be silent, in seconds; 0 is as long as usual. A rule's row
  // is forty bytes; so no packet of a flow reads it for this.
  std::uint16_t silence(RuleSlot slot, wire::Silence which) const noexcept {
    const auto& asked = silences_[static_cast<std::size_t>(which)];
    return slot < asked.size() ? asked.data()[slot] : std::uint16_t{0};
  }
  // The enrolled device with this MAC, if a look is enough; nullptr says nothing. Only of those
  // whom bind could find at their link: a MAC of the gateway's own is nobody's.
  [[gnu::always_inline]] const DeviceLink* likely_sender(std::uint64_t mac,
                                                         DeviceSlot& slot) const noexcept {
    slot = likely_senders_.of(hash_of_mac(mac));
    const DeviceLink& link = device_link(slot);
    return link.own >> 16 == mac && link.segment != kNoSegment ? &link : nullptr;
  }
  std::span<const std::unique_ptr<SegmentInfo>> segments() const noexcept { return segments_; }
  bool is_listener_port(std::uint16_t port) const noexcept { return listener_ports_[port]; }
  // Is there any reviewed conduit from the one to the other, whatever the protocol and port?
  bool conducts(const decide::Location& from, const decide::Location& to) const noexcept;
  // Where a device asking from its link-local address lives: the place of its first address of that
  // version. Others: where the address itself does.
  decide::Location locate_sender(DeviceSlot device, const IpAddress& source) const noexcept;
  // Does some Terminate rule stand behind this destination class (the gateway listens for it)?
  bool terminates_at(const decide::Location& to) const noexcept {
    return to.destination_class < terminated_classes_.size() &&
           terminated_classes_[to.destination_class];
  }
  // The class of a DNS name that policy knows, by name_hash() of its lower-case text.
  std::optional<std::uint32_t> class_of_name(std::uint64_t name_hash) const noexcept;
  // The device of this segment whose MAC makes this link-local address; kNoDevice if none.
  DeviceSlot device_by_link_local(SegmentSlot segment, const IpAddress& address) const noexcept;

  Tables(const Tables&) = delete;  // it refers to itself
  Tables& operator=(const Tables&) = delete;

 private:
  // The serial of the tables whose mark a flow has.
  std::uint32_t when(std::uint16_t mark) const noexcept {
    return serial_ - static_cast<std::uint16_t>(this->mark() - mark);
  }
  // Of what these tables do not know: later than ever.
  static std::uint32_t since(const std::vector<std::uint32_t>& dates, std::size_t slot) noexcept {
    return slot < dates.size() ? dates.data()[slot] : UINT32_MAX;
  }
  // Since when is who an end is, and what may live there, as it is?
  std::uint32_t since(const FlowEnd& end) const noexcept {
    const std::uint32_t segment = since(segments_since_, end.segment());
    const DeviceSlot device = end.device();
    return std::max(segment, device == kNoDevice ? places_since_ : since(devices_since_, device));
  }
  void date(const Tables* before);
  static std::uint64_t hash_of_mac(std::uint64_t mac) noexcept {
    return fold(mac ^ 0x9e3779b97f4a7c15U, 0xff51afd7ed558ccdU);
  }
  Tables(const wire::SnapshotView& view, std::shared_ptr<const void> keep_alive,
         std::uint32_t serial)
      : keep_alive_(std::move(keep_alive)),
        view_(view),
        revision_(view.revision()),
        serial_(serial),
        places_since_(serial),
        likely_places_(view),
        likely_senders_(view.devices().size()),
        classifier_(view, &likely_places_),
        enrolled_(view),
        names_(view) {}
  std::shared_ptr<const void> keep_alive_;
  wire::SnapshotView view_;
  std::uint64_t revision_;
  std::uint32_t serial_;
  // Since which serial a rule means what it means, a segment and a device are what they are, and
  // all addresses live where they live. By slot.
  std::vector<std::uint32_t> rules_since_, segments_since_, devices_since_;
  std::uint32_t places_since_;
  // By wire::Silence, then by rule, up to the last that is not 0.
  std::array<std::vector<std::uint16_t>, wire::kSilences> silences_;
  decide::LikelyPlaces likely_places_;
  LikelyNumbers likely_senders_;   // slots, by MAC
  decide::Classifier classifier_;  // by them
  EnrolledFilter enrolled_;
  decide::Names names_;
  std::vector<std::unique_ptr<SegmentInfo>> segments_;  // by slot, with holes
  std::vector<DeviceLink> device_links_;                // by slot, with holes; the last is one
  std::size_t last_link_ = 0;
  std::bitset<65536> listener_ports_;
  std::vector<bool> terminated_classes_;  // by class, up to the last
  std::unordered_map<std::uint64_t, std::uint32_t> name_classes_;
};

}  // namespace sallyport::dataplane
