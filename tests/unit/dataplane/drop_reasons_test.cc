// Every line of the table of drop reasons is produced by a packet, in both IP versions where both
// have it. A new reason without a case fails here; so does a case whose packet is dropped for
// something else. One table, hence longer than most files.
#include <functional>
#include <map>

#include "dataplane/stages/ethernet.h"
#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Reasons that no packet can meet yet, and why. An entry whose reason turns up is an error as well.
const std::map<Drop, std::string_view> kNotProduced = {
    {Drop::kNatPortsExhausted, "in nat_test.cc, where the uplink has NAPT44"},
    {Drop::kNatDeviceLimit, "likewise"},
    {Drop::kWorkerBusy, "in workers_test.cc, where there are several"},
};

class Scene final : public Policy {
 public:
  // Brings about its reason as the last thing that happens in world_.
  using Case = std::function<void(Scene&)>;
  using Cases = std::map<Drop, Case>;
  static const Cases& cases();     // in both versions
  static const Cases& v4_cases();  // what IPv6 does not have
  static const Cases& v6_cases();

  void TestBody() override {}
  bool v4() const { return version() == IpVersion::k4; }
  static constexpr std::size_t kIp = 14;
  std::size_t transport() const { return kIp + (v4() ? 20U : 40U); }
  Bytes syn() const { return packet("scada", 40000, "plc", 502).tcp(kTcpSyn); }
  Bytes datagram() const { return packet("meter", 5000, "plc", 5683).payload({1, 2, 3, 4}).udp(); }
  Bytes large() const { return packet("meter", 5000, "plc", 5683).payload(Bytes(1016)).udp(); }
  // `frame` with some bytes replaced and, if it has one, its IPv4 header sum right again.
  static Bytes with(Bytes frame, std::size_t at, std::initializer_list<int> bytes) {
    for (const int byte : bytes) frame[at++] = static_cast<std::uint8_t>(byte);
    reseal(frame);
    return frame;
  }
  void scada(const Bytes& frame) { send("scada", frame); }
  void meter(const Bytes& frame) { send("meter", frame); }
  Party gateway_of(const char* segment, std::uint16_t port = 0) const {
    return {world_.segment_mac(segment), own(segment), port};
  }
  // The meter's frame with something else behind its MACs.
  Bytes other_type(int type, std::size_t size = 60) const {
    Bytes frame = datagram();
    frame.resize(size);
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    return frame;
  }
  PipelineWorld& fresh(std::optional<model::Gateway> gateway, std::uint32_t flows = 1024) {
    own_world_ = std::make_unique<PipelineWorld>(std::move(gateway), flows);
    return *own_world_;
  }
  std::optional<Drop> last() const {
    return own_world_ ? own_world_->verdict().drop : world_.verdict().drop;
  }
  void question(const Party& from, const Party& to, const char* port) {
    world_.receive(port, PacketBuilder(from, to).neighbour_question());
  }

 private:
  std::unique_ptr<PipelineWorld> own_world_;
};

model::Gateway plant_with(const model::Conduit& more) {
  model::Gateway gateway = plant();
  gateway.conduits.push_back(more);
  return gateway;
}

const Scene::Cases& Scene::cases() {
  using W = Scene;
  static const Cases table = {
      // policy
      {Drop::kDefaultDeny,
       [](W& w) { w.scada(w.packet("scada", 40000, "plc", 503).tcp(kTcpSyn)); }},
      {Drop::kNoSnapshot, [](W& w) { w.fresh(std::nullopt).receive("lan3", w.syn()); }},
      {Drop::kUnknownDevice,
       [](W& w) { w.send("rogue", w.packet("rogue", 1, "plc", 502).tcp(kTcpSyn)); }},
      {Drop::kStolenIdentity, [](W& w) { w.world_.receive("lan1", w.syn()); }},
      {Drop::kSpoofedSource,
       [](W& w) {
         w.meter(PacketBuilder({host("meter").mac, host("far").address(w.version()), 1},
                               w.via("meter", "plc", 5683))
                     .udp());
       }},
      {Drop::kReversePath,
       [](W& w) {
         w.world_.receive("wan",
                          PacketBuilder({host("cloud").mac, host("plc").address(w.version()), 1},
                                        w.gateway_of("uplink", 802))
                              .tcp(kTcpSyn));
       }},
      {Drop::kSegmentMismatch,
       [](W& w) { w.meter(w.packet("meter", 5000, "plc", 5683).vlan(9).udp()); }},
      {Drop::kNotEnforceable,
       [](W& w) { w.meter(PacketBuilder(w.at("meter", 5000), w.at("plc", 5683)).udp()); }},
      {Drop::kHostStackDenied,
       [](W& w) {
         w.world_.receive_from_host("field",
                                    PacketBuilder(w.gateway_of("field", 50000),
                                                  {kAnyMac, host("plc").address(w.version()), 22})
                                        .tcp(kTcpSyn));
       }},
      {Drop::kListenerPort,
       [](W& w) {
         w.world_.receive(
             "wan",
             PacketBuilder(w.at("cloud", 50000), w.gateway_of("uplink", 40000)).tcp(kTcpSyn));
       }},
      {Drop::kMidStream, [](W& w) { w.scada(w.packet("scada", 40000, "plc", 502).tcp(kTcpAck)); }},
      {Drop::kRevoked,
       [](W& w) {
         w.open_tcp();
         model::Gateway less = plant();
         std::erase_if(less.conduits, [](const auto& c) { return c.name == "scada-plc"; });
         w.world_.apply(less);
         w.scada(w.packet("scada", 40000, "plc", 502).tcp(kTcpAck));
       }},
      {Drop::kNoBroadcast,
       [](W& w) {
         w.meter(PacketBuilder(w.at("meter", 5000),
                               {MacAddress::broadcast(), host("plc").address(w.version()), 5683})
                     .udp());
       }},
      {Drop::kHairpin,
       [](W& w) {
         // A conduit from a segment to itself includes the device that asks.
         model::Conduit all = plant().conduits[0];
         all.name = "field-field";
         all.from = model::SegmentEnd{"field", {}};
         all.to = model::SegmentEnd{"field", {}};
         all.service = {"tcp/7777", IpProtocol::kTcp, {7777, 7777}, false};
         model::Gateway gateway = plant_with(all);
         for (model::Device& d : gateway.devices) {
           if (d.name != "meter") continue;
           d.addresses.push_back(*IpAddress::parse("10.20.0.106"));
           d.addresses.push_back(*IpAddress::parse("fd00:20::106"));
         }
         w.world_.apply(gateway);
         const IpAddress second = *IpAddress::parse(w.v4() ? "10.20.0.106" : "fd00:20::106");
         w.meter(PacketBuilder(w.at("meter", 1), {w.world_.segment_mac("field"), second, 7777})
                     .tcp(kTcpSyn));
       }},
      // ethernet and VLAN
      {Drop::kRunt,
       [](W& w) {
         auto frame = w.syn();
         frame.resize(kIp + 19);
         w.scada(frame);
       }},
      {Drop::kGiant,
       [](W& w) { w.meter(w.packet("meter", 5000, "plc", 5683).payload(Bytes(1600)).udp()); }},
      {Drop::kBadSourceMac, [](W& w) { w.scada(with(w.syn(), 6, {3})); }},
      {Drop::kVlanInvalid,
       [](W& w) { w.scada(w.packet("scada", 40000, "plc", 502).vlan(4095).tcp(kTcpSyn)); }},
      {Drop::kQinQ,
       [](W& w) {
         w.scada(with(w.packet("scada", 1, "plc", 502).vlan(7).tcp(kTcpSyn), 12, {0x88, 0xa8}));
       }},
      {Drop::kEtherType, [](W& w) { w.meter(w.other_type(0x88cc)); }},
      {Drop::kLlcFrame, [](W& w) { w.meter(w.other_type(38)); }},
      // IPv4 and IPv6
      {Drop::kIpVersion, [](W& w) { w.scada(with(w.syn(), kIp, {w.v4() ? 0x65 : 0x45})); }},
      {Drop::kBadTotalLength,
       [](W& w) { w.scada(with(w.syn(), kIp + (w.v4() ? 2U : 4U), {0x05, 0xd0})); }},
      {Drop::kFragment,
       [](W& w) {
         // The bit that must be zero; a fragment of a fragment.
         if (w.v4()) return w.scada(with(w.syn(), kIp + 6, {0x80, 0}));
         Bytes nested = fragment_of(w.syn(), {0, 20, false}, 1);
         nested[kIp + 40] = 44;
         w.scada(nested);
       }},
      {Drop::kFragmentMalformed, [](W& w) { w.meter(fragment_of(w.large(), {0, 100, true}, 1)); }},
      {Drop::kFragmentOverlap,
       [](W& w) {
         for (int i = 0; i < 2; ++i) w.meter(fragment_of(w.large(), {0, 512, true}, 1));
       }},
      {Drop::kFragmentTimeout,
       [](W& w) {
         w.meter(fragment_of(w.large(), {0, 512, true}, 1));
         w.world_.wait(seconds(3));
       }},
      {Drop::kFragmentDeviceLimit,
       [](W& w) {
         for (std::uint32_t id = 0; id <= dataplane::Fragments::kDatagrams / 4; ++id)
           w.meter(fragment_of(w.large(), {0, 512, true}, id));
       }},
      {Drop::kFragmentTableFull,
       [](W& w) {
         for (std::uint32_t n = 0; n <= dataplane::Fragments::kDatagrams; ++n) {
           const std::string text = w.v4() ? "203.0.113." + std::to_string(n + 1)
                                           : "2001:db9:0:" + std::to_string(n + 1) + "::1";
           const Party somebody{host("router").mac, *IpAddress::parse(text), 5000};
           const auto large =
               PacketBuilder(somebody, w.via("router", "plc", 5683)).payload(Bytes(1016)).udp();
           w.world_.receive("wan", fragment_of(large, {0, 512, true}, n));
         }
       }},
      {Drop::kTtlExpired,
       [](W& w) { w.scada(w.packet("scada", 40000, "plc", 502).ttl(1).tcp(kTcpSyn)); }},
      {Drop::kMartianSource,
       [](W& w) {
         const auto source = *IpAddress::parse(w.v4() ? "127.0.0.1" : "::1");
         w.meter(PacketBuilder({host("meter").mac, source, 1}, w.via("meter", "plc", 5683)).udp());
       }},
      {Drop::kMartianDestination,
       [](W& w) {
         const auto nowhere = *IpAddress::parse(w.v4() ? "127.0.0.1" : "::1");
         w.meter(
             PacketBuilder(w.at("meter", 1), {w.world_.segment_mac("field"), nowhere, 1}).udp());
       }},
      {Drop::kLand,
       [](W& w) {
         w.meter(PacketBuilder(w.at("meter", 1), {w.world_.segment_mac("field"),
                                                  host("meter").address(w.version()), 1})
                     .udp());
       }},
      {Drop::kLinkLocalForward,
       [](W& w) {
         const auto near = *IpAddress::parse(w.v4() ? "169.254.1.1" : "fe80::1");
         w.meter(PacketBuilder(w.at("meter", 1), {w.world_.segment_mac("field"), near, 1}).udp());
       }},
      {Drop::kIpProtocol, [](W& w) { w.scada(with(w.syn(), kIp + (w.v4() ? 9U : 6U), {132})); }},
      // transport
      {Drop::kTruncatedTransport,
       [](W& w) {
         auto frame = w.syn();
         frame.resize(w.transport() + 19);
         w.scada(w.v4() ? with(frame, kIp + 2, {0, 39}) : with(frame, kIp + 4, {0, 19}));
       }},
      {Drop::kBadTransportLength, [](W& w) { w.scada(with(w.syn(), w.transport() + 12, {0x60})); }},
      {Drop::kBadTransportChecksum,
       [](W& w) {
         auto frame = PacketBuilder(w.at("cloud", 50000), w.gateway_of("uplink", 802)).tcp(kTcpSyn);
         frame.back() ^= 1;
         w.world_.receive("wan", frame);
       }},
      {Drop::kTcpFlags,
       [](W& w) { w.scada(w.packet("scada", 1, "plc", 502).tcp(kTcpSyn | kTcpFin)); }},
      {Drop::kPortZero, [](W& w) { w.scada(w.packet("scada", 0, "plc", 502).tcp(kTcpSyn)); }},
      {Drop::kBadTcpState,
       [](W& w) {
         w.scada(w.syn());
         w.scada(w.packet("scada", 40000, "plc", 502).tcp(kTcpAck));
       }},
      {Drop::kBadTcpWindow,
       [](W& w) {
         w.open_tcp();
         w.scada(w.packet("scada", 40000, "plc", 502).sequence(0x40000000, 1001).tcp(kTcpAck));
       }},
      {Drop::kIcmpType,
       [](W& w) {
         w.scada(w.packet("scada", 0, "plc", 0).icmp(w.v4() ? 13 : 139, 0, {0, 0, 0, 0}));
       }},
      {Drop::kIcmpUnrelated,
       [](W& w) { w.send("plc", w.packet("plc", 0, "meter", 0).unreachable(w.datagram())); }},
      // bounds
      {Drop::kFlowTableFull,
       [](W& w) {
         PipelineWorld& small = w.fresh(plant(), 1);
         small.receive("lan3", w.packet("scada", 1, "plc", 502).tcp(kTcpSyn));
         small.receive("lan1", w.packet("plc", 502, "scada", 1).tcp(kTcpSyn | kTcpAck));
         small.receive("lan3", w.packet("scada", 1, "plc", 502).tcp(kTcpAck));
         small.receive("lan3", w.packet("scada", 2, "plc", 502).tcp(kTcpSyn));
       }},
      {Drop::kFlowDeviceLimit,
       [](W& w) {
         PipelineWorld& small = w.fresh(plant(), 2);
         small.receive("lan2", w.packet("meter", 1, "plc", 5683).udp());
         small.receive("lan3", w.packet("scada", 1, "plc", 502).tcp(kTcpSyn));
         small.receive("lan3", w.packet("scada", 2, "plc", 502).tcp(kTcpSyn));
       }},
      {Drop::kHostStackBusy,
       [](W& w) {
         w.world_.pipeline().exits().detach_host_stack(w.world_.segment_slot("uplink"));
         w.world_.receive(
             "wan", PacketBuilder(w.at("cloud", 50000), w.gateway_of("uplink", 802)).tcp(kTcpSyn));
       }},
      {Drop::kHostStackPoliced,
       [](W& w) {
         for (int i = 0; i < 50; ++i) w.question(w.at("meter"), w.gateway_of("field"), "lan2");
       }},
      {Drop::kNeighbourPending,
       [](W& w) {
         for (int i = 0; i < 2; ++i) w.meter(w.packet("meter", 40000, "cloud", 8883).tcp(kTcpSyn));
       }},
      {Drop::kNeighbourTableFull,
       [](W& w) {
         model::Conduit out = plant().conduits[0];
         out.name = "meter-uplink";
         out.from = model::DeviceEnd{"meter"};
         out.to = model::SegmentEnd{"uplink", {}};
         out.service = {"tcp/7", IpProtocol::kTcp, {7, 7}, false};
         model::Gateway wide = plant_with(out);
         for (model::InterfaceAddress& own : wide.segments[3].addresses)
           own.subnet = *IpPrefix::make(own.address, own.address.is_v4() ? 16 : 64);
         w.world_.apply(wide);
         // Nobody of the link answers, so some bucket is full long before all are.
         for (unsigned n = 0; n < 4096 && w.last() != Drop::kNeighbourTableFull; ++n) {
           const IpAddress near = w.v4() ? IpAddress::v4(0xc0001001 + n)
                                         : *IpAddress::parse("2001:db8::1:" + std::to_string(n));
           w.meter(PacketBuilder(w.at("meter", static_cast<std::uint16_t>(1 + n)),
                                 {w.world_.segment_mac("field"), near, 7})
                       .tcp(kTcpSyn));
         }
       }},
      {Drop::kAdmissionFull,
       [](W& w) {
         for (std::uint16_t port = 50000; port < 50003; ++port)
           w.world_.receive(
               "wan", PacketBuilder(w.at("cloud", port), w.gateway_of("uplink", 802)).tcp(kTcpSyn));
       }},
      {Drop::kTxQueueFull,
       [](W& w) {
         w.world_.block("lan1");
         w.scada(w.syn());
       }},
      {Drop::kPortDown,
       [](W& w) {
         w.world_.unplug("lan1");
         w.scada(w.syn());
       }},
      {Drop::kNoBuffer,
       [](W& w) {
         const auto hoard = w.world_.exhaust_pool_but_one();
         w.question(w.at("meter"), w.at("plc"), "lan2");
       }},
      {Drop::kTooBig,
       [](W& w) {
         model::Gateway gateway = plant();
         for (model::Segment& s : gateway.segments) s.mtu = 1280;
         w.world_.apply(gateway);
         w.meter(w.packet("meter", 5000, "plc", 5683).payload(Bytes(1300)).udp());
       }},
      {Drop::kDhcpSpoofed,
       [](W& w) {
         const bool four = w.v4();
         const auto source = static_cast<std::uint16_t>(four ? 68 : 546);
         const auto destination = static_cast<std::uint16_t>(four ? 67 : 547);
         w.meter(PacketBuilder(w.at("meter", source), w.gateway_of("field", destination))
                     .payload(Bytes(240, 2))
                     .udp());
       }},
      {Drop::kRogueRouter,
       [](W& w) { w.meter(w.packet("meter", 0, "plc", 0).icmp(w.v4() ? 5 : 134, 0, Bytes(12))); }},
  };
  return table;
}

const Scene::Cases& Scene::v4_cases() {
  using W = Scene;
  static const auto asks = [](W& w) {
    return PacketBuilder(w.at("meter"), w.gateway_of("field")).neighbour_question();
  };
  static const Cases table = {
      {Drop::kArpMalformed, [](W& w) { w.meter(with(asks(w), kIp + 6, {0, 3})); }},
      {Drop::kArpSpoofed, [](W& w) { w.meter(with(asks(w), kIp + 8, {2, 0, 0, 0, 0x20, 5})); }},
      {Drop::kArpUnanswered, [](W& w) { w.question(w.at("meter"), w.at("rogue"), "lan2"); }},
      {Drop::kArpUnsolicited,
       [](W& w) {
         w.meter(PacketBuilder(w.at("meter"), w.gateway_of("field")).neighbour_answer());
       }},
      {Drop::kBadHeaderLength, [](W& w) { w.scada(with(w.syn(), kIp, {0x44})); }},
      {Drop::kBadIpChecksum,
       [](W& w) {
         auto frame = w.syn();
         frame[kIp + 10] ^= 1;
         w.scada(frame);
       }},
      {Drop::kIpOptions,
       [](W& w) {
         auto frame = w.syn();
         frame.insert(frame.begin() + kIp + 20, {1, 1, 1, 0});
         w.scada(with(with(frame, kIp + 2, {0, 44}), kIp, {0x46}));
       }},
  };
  return table;
}

const Scene::Cases& Scene::v6_cases() {
  using W = Scene;
  static const auto asks = [](W& w) {
    return PacketBuilder(w.at("meter"), w.gateway_of("field")).neighbour_question();
  };
  static const Cases table = {
      {Drop::kNdMalformed, [](W& w) { w.meter(with(asks(w), kIp + 7, {64})); }},
      {Drop::kNdSpoofed,
       [](W& w) {
         Bytes frame = PacketBuilder({host("plc").mac, host("meter").v6, 0}, w.gateway_of("field"))
                           .neighbour_question();
         std::ranges::copy(host("meter").mac.bytes(), frame.begin() + 6);
         w.meter(frame);
       }},
      {Drop::kNdUnanswered, [](W& w) { w.question(w.at("meter"), w.at("rogue"), "lan2"); }},
      {Drop::kNdUnsolicited,
       [](W& w) {
         w.meter(PacketBuilder(w.at("meter"), w.gateway_of("field")).neighbour_answer());
       }},
      {Drop::kExtensionHeader, [](W& w) { w.scada(with(w.syn(), kIp + 6, {60})); }},
  };
  return table;
}

class EveryReason : public Policy {};
SALLYPORT_IN_BOTH_VERSIONS(EveryReason);

TEST_P(EveryReason, IsProducedByAPacketOrSaysWhyNot) {
  const bool v4 = version() == IpVersion::k4;
  const Scene::Cases& cases = Scene::cases();
  const Scene::Cases& own = v4 ? Scene::v4_cases() : Scene::v6_cases();
  const Scene::Cases& foreign = v4 ? Scene::v6_cases() : Scene::v4_cases();
  for (std::size_t i = 0; i < kDropCount; ++i) {
    const auto reason = static_cast<Drop>(i);
    SCOPED_TRACE(to_string(reason));
    const bool listed = kNotProduced.contains(reason);
    const Scene::Case* here = nullptr;
    for (const Scene::Cases* table : {&cases, &own}) {
      if (const auto found = table->find(reason); found != table->end()) here = &found->second;
    }
    EXPECT_NE(listed, here != nullptr || foreign.contains(reason))
        << "a case, or a line in kNotProduced that says why there is none";
    if (here == nullptr) continue;
    Scene scene;
    (*here)(scene);
    ASSERT_TRUE(scene.last().has_value()) << "the packet passed";
    EXPECT_EQ(to_string(*scene.last()), to_string(reason));
  }
}

// A driver that hands up less than the frame: RxFault stands for the rest.
TEST_P(EveryReason, AFrameThatADriverCutOrUntaggedIsDroppedForThat) {
  const auto syn = packet("scada", 40000, "plc", 502).tcp(kTcpSyn);
  world_.next_fault(dataplane::RxFault::kChained);
  expect_drop(send("scada", syn), Drop::kGiant);
  world_.next_fault(dataplane::RxFault::kTagLost);
  expect_drop(send("scada", syn), Drop::kVlanInvalid);
  expect_out(send("scada", syn), "lan1");
}

}  // namespace
}  // namespace sallyport::testing
