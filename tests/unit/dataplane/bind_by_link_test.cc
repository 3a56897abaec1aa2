// An enrolled device's first packets are bound by its link, and who is surely nobody is refused at
// once; whoever that settles, bind itself must settle in the same way. Every part of an identity
// with every other.
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

  // Calls use(port, frame) for each, also of such as no parser takes.
  template <class Use>
  void each(Use&& use) const {
    for (const char* port : {"lan1", "lan2", "lan3", "wan"})
      for (const std::uint16_t vlan : std::to_array<std::uint16_t>({0, 7, 8}))
        for (const MacAddress& mac : macs_)
          for (const IpAddress& from : addresses_)
            for (const MacAddress& to : destinations_)
              for (const std::uint16_t source_port : std::to_array<std::uint16_t>({0, 5000})) {
                PacketBuilder builder({mac, from, source_port}, {to, far(from.version()), 502});
                use(port, builder.vlan(vlan).udp());
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

// Of each of a plant's frames: what is said at once, and what bind says.
template <class Use>
void each_settled(PipelineWorld& world, Use&& use) {
  const Frames frames(world);
  frames.each([&](const char* port, const std::vector<std::uint8_t>& frame) {
    PlainFrame plain;
    if (!parse_plain(frame, plain)) return;
    auto parsed = frames.parsed(port, frame);
    const PortSlot slot = world.port_slot(port);
    decide::Location at;
    const auto sender = Bind::by_link(frame, plain, slot, world.tables(), at);
    const auto refused = Bind::refuses(frame, plain, slot, world.tables());
    if (!sender && !refused) return;
    SCOPED_TRACE(std::string(port) + " " + as_scapy(frame));
    if (!parsed) {
      // Who sends it may be known of a frame whose ports are wrong, but nobody is refused for it.
      EXPECT_FALSE(refused);
      return;
    }
    auto other = Bind::run(*std::move(parsed), world.tables(), world.events(), world.now());
    if (sender) {
      EXPECT_EQ(at, world.tables().classifier().locate(plain.key.source));
    }
    use(sender, refused, other);
  });
}

TEST(BindByLink, SettlesNothingInAnotherWay) {
  PipelineWorld world;
  std::set<std::pair<DeviceSlot, IpVersion>> bound;
  each_settled(world, [&](const auto& sender, const auto&, const auto& other) {
    if (!sender) return;
    ASSERT_TRUE(other);
    const PacketMeta& meta = other->meta();
    EXPECT_EQ(sender->segment, meta.segment);
    EXPECT_EQ(sender->device, meta.device);
    bound.emplace(meta.device, meta.headers.source.version());
  });
  // Of use to every device in both versions.
  std::size_t devices = 0;
  for (const wire::Device& device : world.tables().view().devices()) devices += device.valid();
  EXPECT_EQ(bound.size(), 2 * devices);
}

TEST(BindByLink, RefusesNothingInAnotherWay) {
  PipelineWorld world;
  std::set<std::pair<DeviceSlot, IpVersion>> spoofed, unknown;  // the latter by segment
  each_settled(world, [&](const auto&, const auto& refused, const auto& other) {
    if (!refused) return;
    ASSERT_FALSE(other);
    EXPECT_EQ(to_string(refused->reason()), to_string(other.error().reason));
    const PacketMeta& meta = other.error().packet.meta();
    EXPECT_EQ(refused->segment(), meta.segment);
    EXPECT_EQ(refused->device(), meta.device);
    const bool stranger = refused->reason() == Drop::kUnknownDevice;
    (stranger ? unknown : spoofed)
        .emplace(stranger ? meta.segment : meta.device, meta.headers.source.version());
    Event event;
    EXPECT_FALSE(world.events().take(event));
  });
  std::size_t devices = 0;
  for (const wire::Device& device : world.tables().view().devices()) devices += device.valid();
  EXPECT_EQ(spoofed.size(), 2 * devices);
  EXPECT_EQ(unknown.size(), 2 * 3U) << "of all three segments of devices";
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
    const auto frame = builder.udp();
    PlainFrame plain;
    ASSERT_TRUE(parse_plain(frame, plain));
    decide::Location at;
    EXPECT_FALSE(Bind::by_link(frame, plain, world.port_slot("lan2"), world.tables(), at));
    world.receive("lan2", builder.udp());
    EXPECT_EQ(world.verdict().drop, Drop::kBadSourceMac);
  }
}

}  // namespace
}  // namespace sallyport::testing
