// First packets of plain frames' flows, and those that open none: who is refused at once
// (Bind::refuses) or denied before its headers are written down (Pipeline::begins), and the stages
// that judge one by one, to which an observer sends everything. The same becomes of them.
#include "dataplane/stages/bind.h"
#include "dataplane/stages/ethernet.h"
#include "tests/unit/dataplane/both_ways.h"

namespace sallyport::testing {
namespace {

class TurnedAway : public BothWays {
 protected:
  TurnedAway() {
    for (const auto& [name, host] : plant_hosts()) {
      macs_.push_back(host.mac);
      for (const IpVersion v : {IpVersion::k4, IpVersion::k6}) {
        addresses_.push_back(host.address(v));
        if (name != "rogue") ends_.push_back(host.address(v));
      }
      addresses_.push_back(host.mac.link_local());
    }
    for (const char* segment : {"field", "office", "yard", "uplink"})
      gateways_.push_back(stages_.segment_mac(segment));
    for (const char* text :
         {"10.20.0.1", "10.20.0.200", "10.30.0.77", "fd00:20::1", "fd00:20::d9ee:1c0f",
          "169.254.1.1", "fe80::1", "198.51.100.9", "2001:db8:77::1", "0.0.0.0", "::", "127.0.0.1",
          "224.0.0.251", "ff02::fb", "255.255.255.255", "10.20.255.255"})
      addresses_.push_back(*IpAddress::parse(text));
  }
  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[draw(of.size())];
  }

  MacAddress any_sender() {
    switch (draw(8)) {
      case 0:
        return any(gateways_);
      case 1:
        return draw(2) == 0 ? dataplane::kFixedMac : MacAddress({3, 0, 0, 0, 0, 1});
      case 2:
        return draw(8) == 0 ? MacAddress() : stranger();
      case 3:
        return stranger();
      default:
        return any(macs_);
    }
  }
  MacAddress stranger() {
    const std::uint64_t r = random_();
    return MacAddress({2, 0xee, static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(r >> 8),
                       static_cast<std::uint8_t>(r >> 16), 1});
  }
  IpAddress any_address(const std::vector<IpAddress>& of, IpVersion version) {
    while (true)
      if (const IpAddress& address = any(of); address.version() == version) return address;
  }
  // A source that no device has, of a device's subnet or another.
  IpAddress nobodys(IpVersion version) {
    const auto r = static_cast<std::uint32_t>(random_());
    if (version == IpVersion::k4) return IpAddress::v4(0x0a148000U | r % 32'768);
    auto bytes = IpAddress::parse("fd00:20::")->bytes();
    std::memcpy(&bytes[12], &r, sizeof r);
    return IpAddress::v6(bytes);
  }
  std::uint16_t any_port() {
    constexpr std::uint16_t kOf[] = {0, 67, 68, 546, 547, 80, 502, 802, 5683, 8883, 9000, 20'001};
    return kOf[draw(std::size(kOf))];
  }

  // By the wire of `port`: mostly as a device of it would send, wrong in one thing or another.
  Bytes any_frame(const std::string& port) {
    const IpVersion version = draw(2) == 0 ? IpVersion::k4 : IpVersion::k6;
    const Host& home = any_host(port);
    Party from{home.mac, home.address(version), static_cast<std::uint16_t>(1024 + draw(60'000))};
    Party to{stages_.segment_mac(home.segment), any_address(ends_, version), any_port()};
    std::uint16_t vlan = home.vlan;
    const bool permitted = draw(3) == 0;
    if (permitted && &home == &host("scada")) to = {to.mac, host("plc").address(version), 502};
    if (permitted && &home == &host("meter")) to = {to.mac, host("cloud").address(version), 8883};
    if (draw(2) == 0) from.mac = any_sender();
    if (draw(2) == 0)
      from.address = draw(2) == 0 ? nobodys(version) : any_address(addresses_, version);
    if (draw(8) == 0) to.address = any_address(addresses_, version);
    if (draw(12) == 0) to.mac = draw(2) == 0 ? MacAddress::broadcast() : any(gateways_);
    if (draw(12) == 0) vlan = static_cast<std::uint16_t>(draw(9));
    if (draw(20) == 0) from.port = any_port();
    PacketBuilder builder(from, to);
    builder.vlan(vlan);
    if (draw(20) == 0) builder.ttl(1);
    constexpr std::uint8_t kUsual[] = {kTcpSyn, kTcpSyn, kTcpSyn | kTcpAck, kTcpAck};
    const auto flags =
        draw(8) == 0 ? static_cast<std::uint8_t>(draw(64)) : kUsual[draw(std::size(kUsual))];
    Bytes out = permitted || draw(2) == 0 ? builder.tcp(flags) : builder.udp();
    if (draw(16) == 0) out[12 + draw(out.size() - 12)] ^= static_cast<std::uint8_t>(1U << draw(8));
    if (draw(16) == 0) reseal(out);
    return out;
  }
  const Host& any_host(const std::string& port) {
    while (true) {
      auto at = plant_hosts().begin();
      std::advance(at, static_cast<std::ptrdiff_t>(draw(plant_hosts().size())));
      if (at->second.port == port) return at->second;
    }
  }
  void count(const std::string& port, const Bytes& frame) {
    dataplane::PlainFrame plain;
    const auto slot = short_way_.port_slot(port);
    if (!dataplane::parse_plain(frame, plain)) return;
    refused_ += dataplane::Bind::refuses(frame, plain, slot, short_way_.tables()) ? 1 : 0;
    decide::Location at;
    by_link_ += dataplane::Bind::by_link(frame, plain, slot, short_way_.tables(), at) ? 1 : 0;
  }
  // Bursts in so few seconds that records of them all are kept: which ones are not is by order.
  void play(int rounds, std::size_t most) {
    for (int round = 0; round < rounds && !HasFatalFailure(); ++round) {
      const std::string& port = kPorts[draw(std::size(kPorts))];
      std::vector<Bytes> burst;
      for (std::size_t i = 1 + draw(most); i > 0; --i) {
        burst.push_back(any_frame(port));
        count(port, burst.back());
      }
      give(port, burst);
      if (draw(most == 1 ? 16 : 100) == 0) wait(milliseconds(1 + draw(2000)));
      if (draw(200) == 0) apply(gateway_);
    }
  }

  std::vector<MacAddress> macs_, gateways_;
  std::vector<IpAddress> addresses_, ends_;
  int refused_ = 0, by_link_ = 0;
};

TEST_F(TurnedAway, AsByTheStages) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  one_by_one_ = true;
  play(4000, 1);
  EXPECT_GT(refused_, 400);
  EXPECT_GT(by_link_, 400);
  dataplane::Pipeline& pipeline = short_way_.pipeline();
  for (const Drop reason :
       {Drop::kUnknownDevice, Drop::kSpoofedSource, Drop::kStolenIdentity, Drop::kSegmentMismatch,
        Drop::kBadSourceMac, Drop::kDefaultDeny, Drop::kMidStream, Drop::kPortZero})
    EXPECT_GT(pipeline.counters().drop_count(reason), 0U) << to_string(reason);
  EXPECT_GT(pipeline.counters().flows_made, 10U);
}

TEST_F(TurnedAway, InBurstsAsByTheStages) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  play(600, dataplane::Pipeline::kMaxBurst);
  EXPECT_GT(refused_, 800);
  EXPECT_GT(by_link_, 800);
}

// A burst's own first packet opens the flow that its others are of.
TEST_F(TurnedAway, NobodyWhoseFlowBeginsInTheSameBurst) {
  const Host &meter = host("meter"), &plc = host("plc");
  const PacketBuilder packet({meter.mac, meter.v4, 5000},
                             {stages_.segment_mac("field"), plc.v4, 5683});
  const PacketBuilder denied({meter.mac, meter.v4, 5000},
                             {stages_.segment_mac("field"), plc.v4, 5684});
  EXPECT_EQ(
      give("lan2", {denied.udp(), packet.udp(), packet.udp(), denied.udp(), packet.udp()}).size(),
      3U);
  EXPECT_EQ(short_way_.pipeline().counters().flows_made, 1U);
}

}  // namespace
}  // namespace sallyport::testing
