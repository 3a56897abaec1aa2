// An enrolled device's first packets are bound by its link; whoever that settles, bind itself must
// settle in the same way. Every part of an identity with every other.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "dataplane/stages/bind.h"
#include "dataplane/stages/ethernet.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/policy/draft_tables.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;

// Frames that come by the ports of a plant.
class Frames {
 public:
  explicit Frames(PipelineWorld& world) : world_(world) {
    for (const auto& [name, host] : plant_hosts()) {
      macs_.push_back(host.mac);
      for (const IpVersion v : {IpVersion::k4, IpVersion::k6})
        addresses_.push_back(host.address(v));
      addresses_.push_back(host.mac.link_local());
    }
    for (const char* segment : {"field", "office", "yard", "uplink"})
      destinations_.push_back(world.segment_mac(segment));
    macs_.insert(macs_.end(), destinations_.begin(), destinations_.end());
    macs_.push_back(kFixedMac);
    destinations_.push_back(MacAddress::broadcast());
    for (const auto& segment : world.tables().segments())
      if (segment != nullptr)
        addresses_.insert(addresses_.end(), segment->addresses.begin(), segment->addresses.end());
    for (const char* text :
         {"10.20.0.200", "fd00:20::d9ee:1c0f", "169.254.1.1", "fe80::1", "198.51.100.9"})
      addresses_.push_back(*IpAddress::parse(text));
  }

  // Calls use(parsed, once more) for each.
  template <class Use>
  void each(Use&& use) const {
    for (const char* port : {"lan1", "lan2", "lan3", "wan"})
      for (const std::uint16_t vlan : std::to_array<std::uint16_t>({0, 7, 8}))
        for (const MacAddress& mac : macs_)
          for (const IpAddress& from : addresses_)
            for (const MacAddress& to : destinations_) {
              PacketBuilder builder({mac, from, 5000}, {to, far(from.version()), 502});
              builder.vlan(vlan);
              auto one = parsed(port, builder.udp()), other = parsed(port, builder.udp());
              if (one && other) use(*std::move(one), *std::move(other));
            }
  }
  std::optional<ParsedPacket> parsed(const char* port,
                                     const std::vector<std::uint8_t>& frame) const {
    Packet packet = test_pool().copy_of(frame);
    packet.meta().port = world_.port_slot(port);
    auto out = Parse::run(std::move(packet));
    return out ? std::optional(*std::move(out)) : std::nullopt;
  }

 private:
  static IpAddress far(IpVersion version) {
    return *IpAddress::parse(version == IpVersion::k4 ? "198.51.100.7" : "2001:db8:9::7");
  }
  PipelineWorld& world_;
  std::vector<MacAddress> macs_, destinations_;
  std::vector<IpAddress> addresses_;
};

TEST(BindByLink, SettlesNothingInAnotherWay) {
  PipelineWorld world;
  const Tables& tables = world.tables();
  std::set<std::pair<DeviceSlot, IpVersion>> bound, spoofed;
  Frames(world).each([&](ParsedPacket&& packet, ParsedPacket&& again) {
    const Headers h = packet.headers();
    SCOPED_TRACE(h.source_mac.to_string() + " " + h.source.to_string() + " vlan " +
                 std::to_string(h.vlan) + " to " + h.destination_mac.to_string());
    const auto settled = Bind::run_by_link(packet, tables);
    const auto other = Bind::run(std::move(again), tables, world.events(), world.now());
    if (!settled) return;
    ASSERT_EQ(settled->has_value(), other.has_value());
    const PacketMeta& as_is = *settled ? (*settled)->meta() : settled->error().packet.meta();
    const PacketMeta& as_was = other ? other->meta() : other.error().packet.meta();
    EXPECT_EQ(as_is.segment, as_was.segment);
    EXPECT_EQ(as_is.device, as_was.device);
    EXPECT_EQ(as_is.stages, as_was.stages);
    EXPECT_EQ(as_is.source_place, as_was.source_place);
    if (!other) {
      EXPECT_EQ(settled->error().reason, other.error().reason);
    }
    (other ? bound : spoofed).emplace(as_is.device, h.source.version());
  });
  // Of use to every device in both versions.
  std::size_t devices = 0;
  for (const wire::Device& device : tables.view().devices()) devices += device.valid();
  EXPECT_EQ(bound.size(), 2 * devices);
  EXPECT_EQ(spoofed.size(), 2 * devices);
}

// A snapshot may say so, though no compiler does; bind refuses such a sender, and no link finds it.
TEST(BindByLink, FindsNoDeviceUnderTheGatewaysMac) {
  PipelineWorld world;
  const Host& meter = plant_hosts().at("meter");
  const MacAddress field = world.segment_mac("field");
  for (const MacAddress& mac : {kFixedMac, field}) {
    Draft draft = draft_of(world.tables().view().bytes());
    for (std::uint32_t slot = 0; slot < draft.devices.size(); ++slot)
      if (draft.device_names[slot] == "meter")
        draft.devices[slot].mutable_mac() =
            draft::Mac(flatbuffers::span<const std::uint8_t, 6>(mac.bytes().data(), 6));
    hash_devices(draft, 64);
    world.enforce(seal(draft));
    const PacketBuilder builder({mac, meter.v4, 5000}, {field, plant_hosts().at("plc").v4, 5683});
    auto packet = Frames(world).parsed("lan2", builder.udp());
    ASSERT_TRUE(packet);
    EXPECT_FALSE(Bind::run_by_link(*packet, world.tables()));
    world.receive("lan2", builder.udp());
    EXPECT_EQ(world.verdict().drop, Drop::kBadSourceMac);
  }
}

}  // namespace
}  // namespace sallyport::testing
