// Several workers are one gateway: whoever reads a packet, the same leaves by the same way, and
// nothing that is kept is kept twice.
#include <random>
#include <set>

#include "tests/support/crowded_plant.h"
#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

// One gateway, and what has left it last for each conversation.
struct Side {
  explicit Side(std::size_t workers) : world(workers, crowded_plant()) {}
  // The uplink's hosts answer who asks for them; what comes of it has left as well.
  std::vector<Frame> settled(std::vector<Frame> frames) {
    std::vector<Frame> out;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Headers h = parsed(frames[i].bytes);
      if (!h.is_neighbour()) {
        out.push_back(frames[i]);
        continue;
      }
      for (const char* name : {"cloud", "router"}) {
        const Host& one = host(name);
        const IpAddress& wanted =
            h.message == dataplane::Message::kArp ? h.destination : h.nd_target;
        if (wanted != one.v4 && wanted != one.v6) continue;
        ++asked;
        const Party asker{h.source_mac, h.source, 0};
        auto let_go =
            world.receive("wan", PacketBuilder({one.mac, wanted, 0}, asker).neighbour_answer());
        frames.insert(frames.end(), let_go.begin(), let_go.end());
      }
    }
    return out;
  }
  std::vector<Frame> receive(std::string_view port, const Bytes& frame) {
    return settled(world.receive(port, frame));
  }
  // The reasons that were counted since the last time, by any worker.
  std::string dropped() {
    std::string out;
    for (std::size_t i = 0; i < kDropCount; ++i) {
      std::uint64_t count = 0;
      for (std::size_t w = 0; w < world.workers(); ++w)
        count += world.pipeline_of(w).counters().drops[i];
      for (; counted[i] < count; ++counted[i])
        out += std::string(to_string(static_cast<Drop>(i))) + '\n';
    }
    return out;
  }
  PipelineWorld world;
  std::size_t asked = 0;
  std::array<std::uint64_t, kDropCount> counted{};
};

struct Talk {
  std::string client, server;  // whoever answers it on a wire
  IpProtocol protocol;
  std::uint16_t client_port, port;
  bool v4;
  IpAddress dialled;
};

// So many, and whether somebody observes them: if not, packets go the short ways.
class SeveralWorkers : public ::testing::TestWithParam<std::tuple<std::size_t, bool>> {
 protected:
  SeveralWorkers() { several_.world.watch(std::get<bool>(GetParam())); }
  static std::size_t workers() { return std::get<std::size_t>(GetParam()); }
  std::size_t draw(std::size_t below) { return random_() % below; }
  Talk any_talk() {
    struct Kind {
      const char *client, *server;
      IpProtocol protocol;
      std::uint16_t port;
    };
    using enum IpProtocol;
    static constexpr Kind kKinds[] = {
        {"scada", "plc", kTcp, 502},   {"meter", "plc", kUdp, 5683},
        {"plc", "meter", kUdp, 5683},  {"camera", "scada", kUdp, 9000},
        {"scada", "camera", kTcp, 80}, {"meter", "cloud", kTcp, 8883},
        {"meter", "far", kUdp, 5683},  {"plc", "cloud", kUdp, 5683},
        {"scada", "far", kUdp, 5683},  {"camera", "cloud", kUdp, 5683},
        {"plc", "far", kIcmp, 8},      {"meter", "cloud", kIcmp, 8},
        {"cloud", "camera", kTcp, 80}, {"cloud", "gateway", kTcp, 802},
        {"meter", "far", kTcp, 1883},  {"camera", "plc", kTcp, 1883},
        {"scada", "plc", kUdp, 5000},  {"scada", "plc", kIcmp, 8}};
    const Kind& kind = kKinds[draw(std::size(kKinds))];
    Talk talk{kind.client, kind.server, kind.protocol, 0, kind.port, draw(2) == 0, {}};
    talk.client_port = static_cast<std::uint16_t>(
        kind.protocol == kUdp && draw(4) == 0 ? kind.port : 20000 + draw(30));
    talk.dialled = talk.server == "gateway" ? (talk.v4 ? *IpAddress::parse("192.0.2.2")
                                                       : *IpAddress::parse("2001:db8::2"))
                                            : host(talk.server).address(version(talk));
    return talk;
  }
  static IpVersion version(const Talk& talk) { return talk.v4 ? IpVersion::k4 : IpVersion::k6; }
  Bytes request(const Talk& talk, std::uint8_t flags, std::size_t payload) const {
    const Host& client = host(talk.client);
    PacketBuilder builder({client.mac, client.address(version(talk)), talk.client_port},
                          {one_.world.segment_mac(client.segment), talk.dialled, talk.port});
    builder.vlan(client.vlan).payload(Bytes(payload, 7));
    return talk.protocol == IpProtocol::kTcp   ? builder.tcp(flags)
           : talk.protocol == IpProtocol::kUdp ? builder.udp()
                                               : builder.echo(true);
  }
  // By whoever got `frame`, a device, a host outside or a stack: the answer to its sender.
  static std::vector<Frame> answered(Side& side, const Frame& frame, std::uint8_t flags) {
    const Headers h = parsed(frame.bytes);
    const Party from{h.destination_mac, h.destination, h.destination_port};
    const Party to{h.source_mac, h.source, h.source_port};
    PacketBuilder builder(from, to);
    builder.vlan(h.vlan).payload(Bytes(20, 9));
    const Bytes answer = h.protocol == IpProtocol::kTcp   ? builder.tcp(flags)
                         : h.protocol == IpProtocol::kUdp ? builder.udp()
                                                          : builder.echo(false);
    return frame.where.starts_with("host:")
               ? side.settled(side.world.receive_from_host(frame.where.substr(5), answer))
               : side.receive(frame.where, answer);
  }
  static std::vector<Frame> reported(Side& side, const Frame& frame) {
    const Headers h = parsed(frame.bytes);
    if (frame.where.starts_with("host:")) return {};
    PacketBuilder builder({h.destination_mac, h.destination, 0}, {h.source_mac, h.source, 0});
    return side.receive(frame.where, builder.vlan(h.vlan).unreachable(frame.bytes));
  }
  // All that can be seen from outside, but for the port of a mapped flow, which is each side's own.
  static std::string seen(Side& side, const std::vector<Frame>& frames) {
    std::string out;
    for (const Frame& frame : frames) {
      const Headers h = parsed(frame.bytes);
      const auto port = [](const IpAddress& address, std::uint16_t number) {
        const bool mapped = address == *IpAddress::parse("192.0.2.2") && wire::is_nat_port(number);
        return address.to_string() + (mapped ? " mapped" : ' ' + std::to_string(number));
      };
      const bool echo = h.protocol == IpProtocol::kIcmp;
      out += frame.where + ": " + h.source_mac.to_string() + ' ' + h.destination_mac.to_string() +
             ' ' + port(h.source, h.source_port) + " > " +
             (echo ? h.destination.to_string() : port(h.destination, h.destination_port)) + ' ' +
             std::to_string(frame.bytes.size()) + '\n';
    }
    return out + side.dropped();
  }
  // Plays it to both; what left of each.
  template <class Play>
  std::pair<std::vector<Frame>, std::vector<Frame>> both(const Play& play) {
    several_.world.read_by(draw(workers()));
    std::pair out{play(one_, 0), play(several_, 1)};
    EXPECT_EQ(seen(one_, out.first), seen(several_, out.second));
    return out;
  }

  Side one_{1};
  Side several_{workers()};
  std::uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

TEST_P(SeveralWorkers, AreSeenAsOne) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  std::size_t opened = 0, errors = 0, pieces = 0;
  for (int i = 0; i < 400 && !HasFailure(); ++i) {
    const Talk talk = any_talk();
    SCOPED_TRACE(::testing::Message()
                 << "step " << i << ": " << talk.client << ':' << talk.client_port << " > "
                 << talk.server << ':' << talk.port << ' ' << to_string(talk.protocol)
                 << (talk.v4 ? " v4" : " v6"));
    const std::string& port = host(talk.client).port;
    const bool tcp = talk.protocol == IpProtocol::kTcp;
    const Bytes first = request(talk, kTcpSyn, tcp ? 0 : 30);
    auto [a, b] = both([&](Side& side, int) { return side.receive(port, first); });
    if (a.size() != 1 || b.size() != 1) continue;
    ++opened;
    const std::array last = {a.front(), b.front()};
    both([&](Side& side, int n) {
      return answered(side, last[static_cast<std::size_t>(n)], kTcpSyn | kTcpAck);
    });
    both([&](Side& side, int) { return side.receive(port, request(talk, kTcpAck, 10)); });
    if (draw(2) == 0)
      errors += both([&](Side& side, int n) {
                  return reported(side, last[static_cast<std::size_t>(n)]);
                }).second.size();
    // A VLAN's frames are not cut by the builder.
    if (!tcp && host(talk.client).vlan == 0) {
      const auto cut = fragments_of(request(talk, 0, 900), 400, static_cast<std::uint32_t>(i) + 1);
      for (const Bytes& piece : cut)
        pieces += both([&](Side& side, int) { return side.receive(port, piece); }).second.size();
    }
    if (draw(8) == 0)
      both([&](Side& side, int) { return side.settled(side.world.wait(seconds(2))); });
  }
  EXPECT_GT(opened, 100U);
  EXPECT_GT(errors, 10U);
  EXPECT_GT(pieces, 20U);
  // Each flow once, wherever it is.
  std::size_t flows = 0, having = 0, handed_over = 0;
  for (std::size_t i = 0; i < workers(); ++i) {
    dataplane::Pipeline& p = several_.world.pipeline_of(i);
    flows += p.flows().size();
    having += p.flows().size() != 0 ? 1 : 0;
    handed_over += p.counters().handed_over;
    EXPECT_EQ(p.counters().drop_count(Drop::kWorkerBusy), 0U);
  }
  EXPECT_EQ(flows, one_.world.pipeline().flows().size());
  EXPECT_GT(having, 1U);
  EXPECT_GT(handed_over, 100U);
  // Not one for each worker; when one's knowledge grows old depends on what went through it.
  EXPECT_LE(several_.asked, one_.asked + workers()) << "questions on the wire";
}

INSTANTIATE_TEST_SUITE_P(TwoThreeAndFive, SeveralWorkers,
                         ::testing::Combine(::testing::Values(2, 3, 5), ::testing::Bool()));

// --- two workers -------------------------------------------------------------------------------

class TwoWorkers : public ::testing::Test {
 protected:
  static PacketBuilder datagram(const PipelineWorld& world, const char* from, std::uint16_t port,
                                std::uint16_t to = 5683) {
    return {{host(from).mac, host(from).v4, port},
            {world.segment_mac(host(from).segment), host("far").v4, to}};
  }
  // Which no conduit allows, so that nothing of it leaves.
  static PacketBuilder denied(const PipelineWorld& world, const char* from) {
    return datagram(world, from, 9, 9);
  }
  // One of the two whose packets worker `owner` has.
  static const char* device_of(PipelineWorld& world, std::size_t owner) {
    for (const char* name : {"plc", "meter"})
      if (dataplane::Owners(2).of({host(name).v4, host("far").v4, 1, 1, IpProtocol::kUdp},
                                  world.tables()) == owner)
        return name;
    ADD_FAILURE() << "both have the same owner";
    return "plc";
  }
  // What leaves of a flow's first packet, as somebody outside sees it.
  std::vector<Frame> open_mapped(const char* name) {
    const Bytes first = datagram(world_, name, 40000).udp();
    world_.receive(host(name).port, first);
    auto let_go = world_.receive(
        "wan", PacketBuilder({host("router").mac, host("router").v4, 0},
                             {world_.segment_mac("uplink"), *IpAddress::parse("192.0.2.2"), 0})
                   .neighbour_answer());
    return let_go.empty() ? world_.receive(host(name).port, first) : let_go;
  }
  PipelineWorld world_{2, crowded_plant()};
};

TEST_F(TwoWorkers, APacketOfTheOthersCrossesOnceAndItsOwnNever) {
  for (const std::size_t owner : {0U, 1U}) {
    const char* name = device_of(world_, owner);
    for (const std::size_t reader : {0U, 1U}) {
      const auto handed = [&](std::size_t i) {
        return world_.pipeline_of(i).counters().handed_over;
      };
      const auto before = std::array{handed(0), handed(1)};
      world_.read_by(reader);
      world_.receive(host(name).port, denied(world_, name).udp());
      EXPECT_EQ(world_.verdict().drop, Drop::kDefaultDeny);
      EXPECT_EQ(handed(reader) - before[reader], reader == owner ? 0U : 1U);
      EXPECT_EQ(handed(1 - reader), before[1 - reader]);
    }
  }
}

TEST_F(TwoWorkers, WhoIsNobodyCrossesNothing) {
  const Host& rogue = host("rogue");
  for (int i = 0; i < 4; ++i) {
    world_.receive(rogue.port, PacketBuilder({rogue.mac, rogue.v4, 9},
                                             {world_.segment_mac("field"), host("far").v4, 9})
                                   .udp());
    EXPECT_EQ(world_.verdict().drop, Drop::kUnknownDevice);
  }
  for (const std::size_t i : {0U, 1U}) EXPECT_EQ(world_.pipeline_of(i).counters().handed_over, 0U);
}

TEST_F(TwoWorkers, AFullRingDropsByName) {
  const char* name = device_of(world_, 1);
  dataplane::Pipeline& reader = world_.pipeline_of(0);
  const Bytes frame = denied(world_, name).udp();
  // The second time nobody observes it.
  for (const std::uint32_t times : {1U, 2U}) {
    world_.watch(times == 1);
    for (std::uint32_t i = 0; i <= dataplane::Crossing::kRoom; ++i)
      reader.from_port(world_.port_slot(host(name).port), test_pool().copy_of(frame), world_.now());
    EXPECT_EQ(reader.counters().handed_over, times * dataplane::Crossing::kRoom);
    EXPECT_EQ(reader.counters().drop_count(Drop::kWorkerBusy), times);
    const auto records = reader.exits().drop_records().snapshot();
    ASSERT_EQ(records.size(), times);  // one a second
    EXPECT_EQ(records.front().key.reason(), Drop::kWorkerBusy);
    EXPECT_EQ(records.front().key, records.back().key);
    // The other one comes round.
    world_.wait(milliseconds(3000));
    EXPECT_EQ(world_.pipeline_of(1).counters().taken_over, times * dataplane::Crossing::kRoom);
  }
}

// Pieces that met at the first worker, because an own address is its, are another's datagram once
// they have ports; it crosses among frames.
TEST_F(TwoWorkers, FramesAndDatagramsCrossTogether) {
  const char* name = device_of(world_, 1);
  const std::vector<Frame> opened = open_mapped(name);
  ASSERT_EQ(opened.size(), 1U);
  const Headers h = parsed(opened[0].bytes);
  const auto reply = [&](std::size_t size) {
    return PacketBuilder({host("router").mac, h.destination, h.destination_port},
                         {h.source_mac, h.source, h.source_port})
        .payload(Bytes(size, 7))
        .udp();
  };
  std::vector<Bytes> all = {reply(10), reply(20)};
  std::ranges::copy(fragments_of(reply(900), 400, 1), std::back_inserter(all));
  all.push_back(reply(30));
  std::ranges::copy(fragments_of(reply(800), 400, 2), std::back_inserter(all));
  const std::uint64_t before = world_.pipeline_of(0).counters().handed_over;
  for (const Bytes& frame : all)
    world_.pipeline_of(0).from_port(world_.port_slot("wan"), test_pool().copy_of(frame),
                                    world_.now());
  EXPECT_EQ(world_.pipeline_of(0).counters().handed_over, before + 5);
  std::multiset<std::size_t> sizes;  // of their IP payload; datagrams leave in such pieces again
  for (const Frame& frame : world_.wait(milliseconds(50)))
    if (frame.where == host(name).port)
      sizes.insert(frame.bytes.size() - dataplane::kEthernetSize - dataplane::kIpv4Size);
  EXPECT_EQ(sizes, (std::multiset<std::size_t>{8, 18, 28, 38, 108, 400, 400, 400, 400}));
}

// Its address moved to another device while it waited to be taken over: nobody judges it under the
// old policy, and the new owner's flow is not begun by somebody else.
class OnTheWay : public TwoWorkers, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(ObservedOrNot, OnTheWay, ::testing::Bool());
TEST_P(OnTheWay, APacketWhoseOwnerChangesIsDroppedAndItsFlowCut) {
  world_.watch(GetParam());
  const char* name = device_of(world_, 1);
  model::Gateway to_terminate = crowded_plant();
  for (model::Conduit& c : to_terminate.conduits) {
    if (c.name != std::string(name) + "-coap") continue;
    c.service = {"tcp/5684", IpProtocol::kTcp, {5684, 5684}, false};
  }
  PacketBuilder opening({host(name).mac, host(name).v4, 40000},
                        {world_.segment_mac("field"), host("far").v4, 5684});
  world_.apply(to_terminate);
  world_.pipeline_of(0).from_port(world_.port_slot(host(name).port),
                                  test_pool().copy_of(opening.tcp(kTcpSyn)), world_.now());
  EXPECT_EQ(world_.pipeline_of(0).counters().handed_over, 1U);
  for (model::Conduit& c : to_terminate.conduits) {
    if (c.name != std::string(name) + "-coap") continue;
    model::Terminate outbound;
    outbound.side = model::Side::kOutbound;
    outbound.server_name = "broker.example";
    outbound.server_address = host("cloud").v4;
    outbound.server_port = 8883;
    outbound.server_ca = "cloud-ca";
    c.terminate = outbound;
  }
  world_.apply(to_terminate);
  world_.wait(milliseconds(100));
  EXPECT_EQ(world_.pipeline_of(1).counters().taken_over, 1U);
  EXPECT_EQ(world_.pipeline_of(1).counters().drop_count(Drop::kWorkerBusy), 1U);
  EXPECT_EQ(world_.pipeline_of(1).flows().size(), 0U);
}

TEST_F(TwoWorkers, PortsThatStandForInsideEndpointsComeFromTheOwnersShare) {
  for (const std::size_t owner : {0U, 1U}) {
    const char* name = device_of(world_, owner);
    const dataplane::PortShare share =
        dataplane::Owners(2).share(static_cast<dataplane::WorkerSlot>(owner));
    const std::vector<Frame> opened = open_mapped(name);
    ASSERT_EQ(opened.size(), 1U);
    const Headers h = parsed(opened[0].bytes);
    EXPECT_GE(h.source_port, share.first);
    EXPECT_LE(h.source_port, share.last);
    EXPECT_EQ(world_.pipeline_of(owner).mappings().size(), 1U);
  }
}

}  // namespace
}  // namespace sallyport::testing
