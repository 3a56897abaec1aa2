#include "dataplane/tables.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "dataplane/names/dynamic_names.h"
#include "dataplane/stages/ethernet.h"

namespace sallyport::dataplane {
namespace {

std::unique_ptr<SegmentInfo> gather(const wire::Segment& from, const wire::SnapshotView& view) {
  auto out = std::make_unique<SegmentInfo>();
  out->slot = from.slot();
  out->name = wire::text(from.name());
  out->role = from.role();
  out->mac = wire::to_mac(*from.mac());
  out->link_local = out->mac.link_local();
  for (const wire::InterfaceAddress* address : *from.addresses()) {
    const IpAddress own = wire::to_ip(address->address());
    if (auto subnet = IpPrefix::make(own, address->prefix_length())) {
      out->addresses.push_back(own);
      out->subnets.push_back(*subnet);
    }
  }
  for (const wire::Address* gateway : *from.gateways()) {
    const IpAddress hop = wire::to_ip(*gateway);
    (hop.is_v4() ? out->gateway4 : out->gateway6) = hop;
  }
  std::ranges::copy_if(view.members(), std::back_inserter(out->members),
                       [&](const wire::Member& m) { return m.segment() == from.slot(); });
  out->services = from.services();
  out->isolated = from.isolated();
  out->napt44 = from.napt44();
  out->mtu = from.mtu();
  return out;
}

DeviceLink link_of(DeviceSlot slot, const wire::Device& device, const SegmentInfo& segment) {
  return {mac_word(device.mac()) << 16 | device.port(), mac_word(segment.mac) << 16 | device.vlan(),
          segment.slot, segment.mtu, home_of(slot, segment.slot)};
}

// What a flow's permission asks of its ends' segments (stages/classify.cc).
bool as_before(const SegmentInfo* now, const SegmentInfo* before) {
  return now != nullptr && before != nullptr && now->role == before->role &&
         now->napt44 == before->napt44 && now->addresses == before->addresses &&
         now->subnets == before->subnets;
}

std::span<const wire::Address> addresses_of(const wire::Device& device,
                                            const wire::SnapshotView& view) {
  return view.device_addresses().subspan(device.first_address(), device.address_count());
}

// The same of a device: who it is and what addresses it may use. At another port it is the same.
bool as_before(DeviceSlot slot, const wire::SnapshotView& now, const wire::SnapshotView& before) {
  if (slot >= before.devices().size()) return false;
  const wire::Device &is = now.devices()[slot], &was = before.devices()[slot];
  return is.valid() != 0 && was.valid() != 0 && same_mac(is.mac(), was.mac()) &&
         is.segment() == was.segment() &&
         std::ranges::equal(addresses_of(is, now), addresses_of(was, before), {}, wire::to_ip,
                            wire::to_ip);
}

// Does every address live where it lived?
bool as_before(const wire::SnapshotView& now, const wire::SnapshotView& before) {
  const auto alike = [](const auto& a, const auto& b) {
    return a.device() == b.device() && a.segment() == b.segment();
  };
  return std::ranges::equal(now.intervals4(), before.intervals4(),
                            [&](const wire::Interval4& a, const wire::Interval4& b) {
                              return a.first() == b.first() && alike(a, b);
                            }) &&
         std::ranges::equal(now.intervals6(), before.intervals6(),
                            [&](const wire::Interval6& a, const wire::Interval6& b) {
                              return a.first_high() == b.first_high() &&
                                     a.first_low() == b.first_low() && alike(a, b);
                            });
}

std::uint32_t next_serial() {
  static std::atomic<std::uint32_t> built = 0;
  return ++built;
}

}  // namespace

bool SegmentInfo::owns(const IpAddress& address) const noexcept {
  return address == link_local || std::ranges::find(addresses, address) != addresses.end();
}

const IpAddress* SegmentInfo::host_address(IpVersion version) const noexcept {
  const auto found =
      std::ranges::find_if(addresses, [&](const IpAddress& a) { return a.version() == version; });
  return found == addresses.end() ? nullptr : &*found;
}

bool SegmentInfo::on_link(const IpAddress& address) const noexcept {
  return std::ranges::any_of(subnets, [&](const IpPrefix& p) { return p.contains(address); });
}

std::unique_ptr<const Tables> Tables::build(const wire::SnapshotView& snapshot,
                                            std::shared_ptr<const void> keep_alive,
                                            const Tables* before) {
  std::unique_ptr<Tables> out(new Tables(snapshot, std::move(keep_alive), next_serial()));
  for (std::uint32_t which = 0; which < out->silences_.size(); ++which) {
    auto& asked = out->silences_[which];
    for (const wire::Rule& rule : snapshot.rules())
      asked.push_back(rule.valid() == 0 ? 0 : rule.silence_s()->Get(which));
    // Behind the last that asks for something there is nothing to read.
    while (!asked.empty() && asked.back() == 0) asked.pop_back();
  }
  for (const wire::Segment* segment : *snapshot.root().segments()) {
    if (segment->slot() >= out->segments_.size()) out->segments_.resize(segment->slot() + 1U);
    out->segments_[segment->slot()] = gather(*segment, snapshot);
  }
  for (const wire::Device& device : snapshot.devices()) {
    const SegmentInfo* segment = device.valid() == 0 ? nullptr : out->segment(device.segment());
    const auto slot = static_cast<DeviceSlot>(out->device_links_.size());
    out->device_links_.push_back(segment == nullptr ? DeviceLink{}
                                                    : link_of(slot, device, *segment));
    if (segment != nullptr && !same_mac(device.mac(), segment->mac) &&
        !same_mac(device.mac(), kFixedMac))
      out->likely_senders_.put(hash_of_mac(mac_word(device.mac())), slot);
  }
  out->last_link_ = out->device_links_.size();
  out->device_links_.emplace_back();
  for (const wire::Rule& rule : snapshot.rules()) {
    if (rule.valid() != 0 && rule.kind() == wire::RuleKind::Terminate) {
      out->listener_ports_.set(rule.listener_port());
    }
  }
  for (const wire::PairSlot& pair : snapshot.pairs()) {
    if (pair.key() == 0) continue;
    for (const wire::RangeRule& range : snapshot.ranges().subspan(pair.first(), pair.count())) {
      if (snapshot.rules()[range.rule()].kind() == wire::RuleKind::Terminate) {
        const std::size_t to = pair.key() >> 16 & 0xffffff;
        out->terminated_classes_.resize(std::max(out->terminated_classes_.size(), to + 1));
        out->terminated_classes_[to] = true;
      }
    }
  }
  for (const wire::Name* name : *snapshot.root().names()) {
    out->name_classes_.emplace(name_hash(wire::text(name->name())), name->destination_class());
  }
  out->date(before);
  return out;
}

void Tables::date(const Tables* before) {
  rules_since_.assign(view_.rules().size(), serial_);
  segments_since_.assign(segments_.size(), serial_);
  devices_since_.assign(view_.devices().size(), serial_);
  if (before == nullptr) return;
  for (std::size_t slot = 0; slot < rules_since_.size(); ++slot) {
    const wire::Rule& rule = view_.rules()[slot];
    if (rule.valid() != 0 &&
        before->classifier().still_means(static_cast<RuleSlot>(slot), rule.meaning()))
      rules_since_[slot] = before->rules_since_[slot];
  }
  places_since_ = as_before(view_, before->view_) ? before->places_since_ : serial_;
  for (std::size_t slot = 0; slot < segments_since_.size(); ++slot)
    if (const auto at = static_cast<SegmentSlot>(slot); as_before(segment(at), before->segment(at)))
      segments_since_[slot] = before->segments_since_[slot];
  for (std::size_t slot = 0; slot < devices_since_.size(); ++slot)
    if (as_before(static_cast<DeviceSlot>(slot), view_, before->view_))
      devices_since_[slot] = before->devices_since_[slot];
}

std::optional<std::uint32_t> Tables::class_of_name(std::uint64_t hash) const noexcept {
  const auto found = name_classes_.find(hash);
  return found == name_classes_.end() ? std::nullopt : std::optional(found->second);
}

bool Tables::conducts(const decide::Location& from, const decide::Location& to) const noexcept {
  if (from.source_class == 0 || to.destination_class == 0) return false;
  const auto pairs = view_.pairs();
  if (pairs.empty()) return false;
  constexpr auto kProtocols =
      std::to_array({IpProtocol::kTcp, IpProtocol::kUdp, IpProtocol::kIcmp, IpProtocol::kIcmp6});
  return std::ranges::any_of(kProtocols, [&](IpProtocol protocol) {
    const auto key = wire::pair_key(from.source_class, to.destination_class,
                                    static_cast<std::uint8_t>(protocol));
    std::size_t at = wire::pair_hash(key) & (pairs.size() - 1);
    for (std::size_t step = 0; step < wire::kMaxProbe; ++step) {
      if (pairs[at].key() == key) return true;
      if (pairs[at].key() == 0) return false;
      at = (at + 1) & (pairs.size() - 1);
    }
    return false;
  });
}

decide::Location Tables::locate_sender(DeviceSlot slot, const IpAddress& source) const noexcept {
  const wire::Device* device = classifier_.device(slot);
  if (device == nullptr || !source.is_link_local()) return classifier_.locate(source);
  for (const wire::Address& own : addresses_of(*device, view_)) {
    const IpAddress address = wire::to_ip(own);
    if (address.version() == source.version()) return classifier_.locate(address);
  }
  return {};
}

DeviceSlot Tables::device_by_link_local(SegmentSlot segment,
                                        const IpAddress& address) const noexcept {
  if (address.is_v4() || !address.is_link_local()) return kNoDevice;
  const auto& b = address.bytes();
  // RFC 4291 appendix A, backwards.
  const MacAddress mac({static_cast<std::uint8_t>(b[8] ^ 0x02U), b[9], b[10], b[13], b[14], b[15]});
  if (mac.link_local() != address) return kNoDevice;
  const DeviceSlot slot = classifier_.device_by_mac(mac);
  const wire::Device* device = classifier_.device(slot);
  return device != nullptr && device->segment() == segment ? slot : kNoDevice;
}

}  // namespace sallyport::dataplane
