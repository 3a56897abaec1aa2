// Every packet has one owner: both directions of a flow, under whatever address it leaves, the
// errors about it and the pieces of its datagrams.
#include "dataplane/owner.h"

#include <random>
#include <set>

#include "dataplane/stages/rewrite.h"
#include "tests/support/crowded_plant.h"
#include "tests/support/fragment_builder.h"
#include "tests/support/owner_twin.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using dataplane::FlowKey;
using dataplane::Owners;
using dataplane::WorkerSlot;
using Bytes = std::vector<std::uint8_t>;

class Owner : public ::testing::Test {
 protected:
  // Mostly ends and ports that something is said about.
  FlowKey any_key() {
    const bool v4 = draw(2) == 0;
    const auto address = [&] {
      const std::size_t place = draw(ends_.size() + 1);
      if (place == ends_.size())
        return v4 ? IpAddress::v4(0xcb007100 + static_cast<std::uint32_t>(draw(200)))
                  : *IpAddress::parse("2001:db8:77::" + std::to_string(1 + draw(200)));
      return v4 ? ends_[place].first : ends_[place].second;
    };
    constexpr std::array<std::uint16_t, 12> kPorts = {80,    502,   802,   1883,  5683,  8883,
                                                      10239, 10240, 21504, 32767, 32768, 40000};
    const auto port = [&] {
      return draw(3) == 0 ? static_cast<std::uint16_t>(1 + draw(65535)) : kPorts[draw(12)];
    };
    FlowKey key{address(), address(), port(), port(), IpProtocol::kTcp};
    switch (draw(3)) {
      case 0:
        key.protocol = IpProtocol::kUdp;
        break;
      case 1:
        key.protocol = v4 ? IpProtocol::kIcmp : IpProtocol::kIcmp6;
        key.destination_port = key.source_port;
        break;
      default:
        break;
    }
    return key;
  }
  static FlowKey back(const FlowKey& key) {
    return {key.destination, key.source, key.destination_port, key.source_port, key.protocol};
  }
  std::size_t draw(std::size_t below) { return random_() % below; }
  // A frame with these ends; whoever sends it there.
  static Bytes frame(const FlowKey& key, std::size_t payload = 64) {
    PacketBuilder builder({kAnyMac, key.source, key.source_port},
                          {kAnyMac, key.destination, key.destination_port});
    builder.payload(Bytes(payload));
    switch (key.protocol) {
      case IpProtocol::kTcp:
        return builder.tcp(kTcpAck);
      case IpProtocol::kUdp:
        return builder.udp();
      default:
        return builder.echo(true);
    }
  }
  WorkerSlot of(const Owners& owners, const Bytes& bytes) const {
    return owners.of(bytes, parsed(bytes), world_.tables());
  }

  model::Gateway gateway_ = crowded_plant();
  PipelineWorld world_{1, gateway_};
  std::vector<std::pair<IpAddress, IpAddress>> ends_ = [] {
    std::vector<std::pair<IpAddress, IpAddress>> out = {
        {*IpAddress::parse("192.0.2.2"), *IpAddress::parse("2001:db8::2")},
        {*IpAddress::parse("10.20.0.1"), *IpAddress::parse("fd00:20::1")}};
    for (const auto& [name, host] : plant_hosts()) out.emplace_back(host.v4, host.v6);
    return out;
  }();
  std::uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

TEST_F(Owner, IsTheTwinsAndTheSameForAnswersErrorsAndPieces) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  for (std::size_t workers = 1; workers <= dataplane::kMaxWorkers; ++workers) {
    const Owners owners(workers);
    const OwnerTwin twin(gateway_, world_.tables(), workers);
    std::vector<bool> used(workers);
    for (int i = 0; i < 4000 && !HasFailure(); ++i) {
      const FlowKey key = any_key();
      if (key.source == key.destination) continue;  // bind lets nobody send it
      SCOPED_TRACE(::testing::Message()
                   << key.source.to_string() << ':' << key.source_port << " > "
                   << key.destination.to_string() << ':' << key.destination_port << ' '
                   << to_string(key.protocol) << ", " << workers << " workers");
      const WorkerSlot owner = owners.of(key, world_.tables());
      ASSERT_LT(owner, workers);
      used[owner] = true;
      const std::size_t expected = twin.with_ports(key.source, key.source_port, key.destination,
                                                   key.destination_port, key.protocol);
      if (expected != OwnerTwin::kAnywhere) {
        EXPECT_EQ(owner, expected);
      }
      EXPECT_EQ(owner, owners.of(back(key), world_.tables()));
      const Bytes packet = frame(key);
      EXPECT_EQ(owner, of(owners, packet));
      // Whoever on the way reports on it, to its sender.
      const auto& [reporter4, reporter6] = ends_[draw(ends_.size())];
      const IpAddress& reporter = key.source.is_v4() ? reporter4 : reporter6;
      if (reporter != key.source) {
        const PacketBuilder error({kAnyMac, reporter, 0}, {kAnyMac, key.source, 0});
        EXPECT_EQ(owner, of(owners, error.unreachable(packet)));
      }
      // Pieces meet, those of the answer too: anywhere, but in one place.
      std::optional<WorkerSlot> met;
      for (const FlowKey& way : {key, back(key)})
        for (const Bytes& piece : fragments_of(frame(way, 100), 56, 7)) {
          const WorkerSlot one = of(owners, piece);
          EXPECT_EQ(one, met.value_or(one));
          met = one;
          EXPECT_EQ(one, twin.by_addresses(key.source, key.destination).value_or(one));
        }
    }
    EXPECT_TRUE(std::ranges::all_of(used, [](bool one) { return one; }) || workers > 4);
  }
}

TEST_F(Owner, OfWhatLeavesUnderAnotherAddressIsItsOwnBothWays) {
  for (std::size_t workers = 1; workers <= dataplane::kMaxWorkers; ++workers) {
    const Owners owners(workers);
    std::uint32_t next = wire::kFirstNatPort;
    for (const WorkerSlot worker : dataplane::all_of(workers)) {
      const dataplane::PortShare share = owners.share(worker);
      EXPECT_EQ(share.first, next) << "shares adjoin";
      next = share.last + 1U;
      for (const std::uint16_t port : {share.first, share.last})
        EXPECT_EQ(owners.of({host("far").v4, *IpAddress::parse("192.0.2.2"), 5683, port,
                             IpProtocol::kUdp},
                            world_.tables()),
                  worker);
    }
    EXPECT_EQ(next, wire::kLastNatPort + 1U);
  }
}

TEST_F(Owner, OfADeviceIsOneForAllOfItsAddresses) {
  const Owners owners(2);
  for (const char* name : {"plc", "meter", "camera", "scada"}) {
    const auto of_version = [&](IpVersion v) {
      return owners.of(
          {host(name).address(v), host("far").address(v), 40000, 5683, IpProtocol::kUdp},
          world_.tables());
    };
    EXPECT_EQ(of_version(IpVersion::k4), of_version(IpVersion::k6)) << name;
  }
}

TEST_F(Owner, OfWhatHostStacksAnswerIsTheFirst) {
  const Owners owners(3);
  const Party meter{host("meter").mac, host("meter").v4, 68};
  for (const Bytes& frame :
       {PacketBuilder(meter, {kAnyMac, *IpAddress::parse("10.20.0.5"), 0}).neighbour_question(),
        PacketBuilder(meter, {kAnyMac, *IpAddress::parse("255.255.255.255"), 67}).udp(),
        PacketBuilder(meter, {kAnyMac, *IpAddress::parse("10.20.0.1"), 53}).udp()})
    EXPECT_EQ(of(owners, frame), dataplane::kFirstWorker);
}

TEST_F(Owner, WhatTerminatesIsKnownOfEachClass) {
  const wire::SnapshotView& view = world_.tables().view();
  std::set<std::uint32_t> terminated;
  for (const wire::PairSlot& pair : view.pairs()) {
    if (pair.key() == 0) continue;
    for (const wire::RangeRule& range : view.ranges().subspan(pair.first(), pair.count()))
      if (view.rules()[range.rule()].kind() == wire::RuleKind::Terminate)
        terminated.insert(static_cast<std::uint32_t>(pair.key() >> 16 & 0xffffff));
  }
  ASSERT_GT(terminated.size(), 1U);
  decide::Location at;
  for (; at.destination_class < *terminated.rbegin() + 100; ++at.destination_class)
    EXPECT_EQ(world_.tables().terminates_at(at), terminated.contains(at.destination_class))
        << at.destination_class;
}

}  // namespace
}  // namespace sallyport::testing
