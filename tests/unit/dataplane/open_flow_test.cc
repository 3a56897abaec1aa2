// The short way of open flows' packets (dataplane/stages/open_flow.h) and the stages that judge one
// by one, to which an observer sends everything: the same leaves, and the same is kept.
#include <algorithm>

#include "dataplane/stages/ethernet.h"
#include "tests/unit/dataplane/both_ways.h"

namespace sallyport::testing {
namespace {

// One conversation, and what its server saw of it last.
struct Talk {
  const char *client, *server;
  IpProtocol protocol;
  std::uint16_t port;
  IpVersion version = IpVersion::k4;
  std::uint16_t client_port = 0;
  std::optional<Headers> as_left = std::nullopt;
};

class OpenFlow : public BothWays {
 protected:
  OpenFlow() {
    using enum IpProtocol;
    for (const Talk& kind : {Talk{"scada", "plc", kTcp, 502},      // between segments
                             Talk{"meter", "plc", kUdp, 5683},     // within one
                             Talk{"plc", "meter", kUdp, 5683},     // without an answer
                             Talk{"camera", "scada", kUdp, 9000},  // out of a VLAN
                             Talk{"scada", "camera", kTcp, 80},    // into it
                             Talk{"meter", "cloud", kTcp, 8883},   // mapped in IPv4
                             Talk{"plc", "far", kUdp, 5683},       // beyond the router
                             Talk{"plc", "cloud", kUdp, 5683},     // not, by the same port
                             Talk{"cloud", "camera", kTcp, 80},    // from outside
                             Talk{"router", "camera", kTcp, 80}})  // and by another host
      for (const IpVersion version : {IpVersion::k4, IpVersion::k6})
        for (std::uint16_t port = 20'000; port < 20'003; ++port) {
          talks_.push_back(kind);
          talks_.back().version = version;
          talks_.back().client_port = port;
        }
  }
  // Into both by this port; what has left, which must be the same. The uplink's hosts answer
  // whoever asks for them.
  std::vector<Frame> both(const std::string& port, const std::vector<Bytes>& burst) {
    std::vector<Frame> out = give(port, burst);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Headers h = parsed(out[i].bytes);
      if (!h.is_neighbour()) continue;
      for (const char* name : {"cloud", "router"}) {
        const Host& asked = host(name);
        const IpAddress& wanted =
            h.message == dataplane::Message::kArp ? h.destination : h.nd_target;
        if (wanted != asked.v4 && wanted != asked.v6) continue;
        const Party asker{h.source_mac, h.source, 0};
        const auto let_go =
            both("wan", {PacketBuilder({asked.mac, wanted, 0}, asker).neighbour_answer()});
        out.insert(out.end(), let_go.begin(), let_go.end());
      }
    }
    return out;
  }
  PacketBuilder builder(const Talk& talk, bool from_client) const {
    if (from_client) {
      const Host &client = host(talk.client), &server = host(talk.server);
      PacketBuilder out(
          {client.mac, client.address(talk.version), talk.client_port},
          {stages_.segment_mac(client.segment), server.address(talk.version), talk.port});
      return out.vlan(client.vlan);
    }
    const Headers& h = *talk.as_left;
    PacketBuilder out({h.destination_mac, h.destination, h.destination_port},
                      {h.source_mac, h.source, h.source_port});
    return out.vlan(h.vlan);
  }
  Bytes packet(const Talk& talk, bool from_client, std::uint8_t flags) {
    static constexpr std::uint32_t kFirst = PacketBuilder::kFirstSequence;
    PacketBuilder out = builder(talk, from_client);
    out.payload(Bytes(draw(40), static_cast<std::uint8_t>(draw(256))));
    if (flags == kTcpAck)
      out.sequence(kFirst + 1 + static_cast<std::uint32_t>(draw(3000)), kFirst + 1);
    return talk.protocol == IpProtocol::kTcp ? out.tcp(flags) : out.udp();
  }
  void open(Talk& talk) {
    const std::string& port = host(talk.client).port;
    const auto left = both(port, {packet(talk, true, kTcpSyn)});
    for (const Frame& frame : left) {
      const Headers h = parsed(frame.bytes);
      if (!h.is_neighbour() && h.destination_port == talk.port) talk.as_left = h;
    }
    if (!talk.as_left) return;
    const bool silent = std::string_view(talk.client) == "plc" && talk.port == 5683 &&
                        std::string_view(talk.server) == "meter";
    if (!silent) both(host(talk.server).port, {packet(talk, false, kTcpSyn | kTcpAck)});
    both(port, {packet(talk, true, kTcpAck)});
  }
  // Whatever a wire may bring of a conversation, most often what belongs to it.
  Bytes any_packet(const Talk& talk, bool from_client) {
    if (draw(12) != 0) return packet(talk, from_client, kTcpAck);
    switch (draw(8)) {
      case 0:
        return packet(talk, from_client, static_cast<std::uint8_t>(draw(64)));
      case 1: {
        PacketBuilder late = builder(talk, from_client);
        late.ttl(static_cast<std::uint8_t>(1 + draw(2)));
        return talk.protocol == IpProtocol::kTcp ? late.tcp(kTcpAck) : late.udp();
      }
      case 2:
        return builder(talk, from_client)
            .sequence(static_cast<std::uint32_t>(random_()), static_cast<std::uint32_t>(random_()))
            .tcp(kTcpAck);
      case 3: {  // padded, as Ethernet does it
        Bytes out = packet(talk, from_client, kTcpAck);
        out.resize(out.size() + draw(30));
        return out;
      }
      case 4: {  // longer than the other side's link takes
        PacketBuilder large = builder(talk, from_client);
        large.payload(Bytes(1390 + draw(60), 1));
        return talk.protocol == IpProtocol::kTcp ? large.tcp(kTcpAck) : large.udp();
      }
      case 5: {  // by the gateway's own MAC, that of its stacks' wires, nobody's, or a group's
        Bytes out = packet(talk, from_client, kTcpAck);
        const std::size_t whose = draw(4);
        if (whose == 0) std::copy_n(out.begin(), 6, out.begin() + 6);
        if (whose == 1) std::ranges::copy(dataplane::kFixedMac.bytes(), out.begin() + 6);
        if (whose == 2) std::fill_n(out.begin() + 6, 6, std::uint8_t{0});
        if (whose == 3) out[6] |= 1;
        return out;
      }
      case 6: {  // damaged where it matters
        Bytes out = packet(talk, from_client, kTcpAck);
        const std::size_t headers = std::min<std::size_t>(out.size(), 78);
        out[12 + draw(headers - 12)] = static_cast<std::uint8_t>(draw(256));
        return out;
      }
      default: {
        Bytes out = packet(talk, from_client, kTcpAck);
        out[draw(out.size())] ^= static_cast<std::uint8_t>(1U << draw(8));
        return out;
      }
    }
  }
  // From both ends that are on this port.
  std::vector<Bytes> burst(const std::string& port, std::size_t most) {
    std::vector<Bytes> out;
    for (std::size_t tries = 0; tries < 4 * most && out.size() < most; ++tries) {
      const Talk& talk = talks_[draw(talks_.size())];
      const bool astray = draw(30) == 0;  // whoever it belongs to, by the wrong wire
      const bool from_client = astray ? draw(2) == 0 : host(talk.client).port == port;
      if (from_client || ((astray || host(talk.server).port == port) && talk.as_left))
        out.push_back(any_packet(talk, from_client));
    }
    return out;
  }

  // As it was, without something, or otherwise in something.
  model::Gateway another() {
    model::Gateway g = gateway_;
    model::Conduit& conduit = g.conduits[draw(g.conduits.size())];
    model::Device& device = g.devices[draw(g.devices.size())];
    switch (draw(5)) {
      case 0:
        g.conduits.erase(g.conduits.begin() + (&conduit - g.conduits.data()));
        break;
      case 1:
        if (conduit.service.protocol == IpProtocol::kTcp)
          conduit.timeouts.seconds[of(TimeoutClass::kEstablished)] = 10;
        break;
      case 2:  // what it sends from is nobody's then
        if (device.addresses.size() > 1) device.addresses.erase(device.addresses.begin());
        break;
      case 3:
        device.mac = MacAddress({2, 0, 0, 9, 9, 9});
        break;
      default:
        break;
    }
    return g;
  }
  // Returns how many frames there were.
  std::uint64_t play(int rounds, std::size_t most) {
    for (Talk& talk : talks_) open(talk);
    std::uint64_t given = 0;
    for (int round = 0; round < rounds && !HasFatalFailure(); ++round) {
      const std::string port = kPorts[draw(std::size(kPorts))];
      const auto frames = burst(port, 1 + draw(most));
      given += frames.size();
      both(port, frames);
      if (draw(4) == 0) wait(milliseconds(1 + draw(2000)));
      if (draw(40) == 0) open(talks_[draw(talks_.size())]);
      if (draw(60) == 0) apply(another());
    }
    return given;
  }

  std::vector<Talk> talks_;
};

TEST_F(OpenFlow, IsJudgedAsByTheStages) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  const std::uint64_t given = play(600, dataplane::Pipeline::kMaxBurst);
  EXPECT_EQ(stages_.sent_on(), 0U);
  EXPECT_GT(short_way_.sent_on(), given / 3) << "of " << given;
}

TEST_F(OpenFlow, IsDroppedAsByTheStages) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  one_by_one_ = true;
  const std::uint64_t given = play(6000, 1);
  EXPECT_GT(short_way_.sent_on(), given / 3) << "of " << given;
  EXPECT_GT(short_way_.pipeline().counters().drop_count(Drop::kTcpFlags), 0U);
}

// The first packet after a revision goes the short way, too, if its flow does.
TEST_F(OpenFlow, IsHeldAgainstARevisionOnTheWay) {
  for (Talk& talk : talks_) open(talk);
  for (const bool without : {false, true}) {
    model::Gateway next = gateway_;
    if (without) std::erase_if(next.conduits, [](const auto& c) { return c.name == "scada-plc"; });
    apply(next);
    const std::uint64_t cut = short_way_.pipeline().counters().flows_cut;
    const std::uint64_t before = short_way_.sent_on();
    std::uint64_t left = 0;
    for (const Talk& talk : talks_)
      if (talk.as_left) left += both(host(talk.client).port, {packet(talk, true, kTcpAck)}).size();
    EXPECT_GT(left, 5U);
    EXPECT_EQ(short_way_.sent_on() - before, left);
    EXPECT_EQ(short_way_.pipeline().counters().flows_cut > cut, without);
  }
}

// An IPv4-mapped address is no IPv6 host's, and looks like an IPv4 flow's.
TEST_F(OpenFlow, IsNotThatOfAnotherVersion) {
  Talk& talk = talks_.front();
  ASSERT_EQ(talk.version, IpVersion::k4);
  open(talk);
  ASSERT_TRUE(talk.as_left);
  const std::string& port = host(talk.client).port;
  ASSERT_EQ(both(port, {packet(talk, true, kTcpAck)}).size(), 1U);
  Talk other = talk;
  other.version = IpVersion::k6;
  Bytes frame = packet(other, true, kTcpAck);
  std::ranges::copy(host(talk.client).v4.bytes(), frame.begin() + 22);
  std::ranges::copy(host(talk.server).v4.bytes(), frame.begin() + 38);
  EXPECT_TRUE(both(port, {frame}).empty());
}

// Who is no device has no link to be compared with, not one of zeros.
TEST_F(OpenFlow, IsNobodysWithoutAMac) {
  for (Talk& talk : talks_) {
    if (std::string_view(talk.server) != "far") continue;
    open(talk);
    Bytes frame = packet(talk, false, kTcpAck);
    std::fill_n(frame.begin(), 12, std::uint8_t{0});
    for (const std::string& port : kPorts) EXPECT_TRUE(both(port, {frame}).empty()) << port;
  }
}

TEST(SegmentInfo, KnowsItsPortsAndTags) {
  dataplane::SegmentInfo uplink;
  EXPECT_FALSE(uplink.has_member(0, 0));
  const auto is = [](unsigned port, unsigned vlan) { return (port * 7 + vlan) % 3 == 0; };
  for (std::uint16_t port = 0; port < 5; ++port)
    for (std::uint16_t vlan = 0; vlan < 20; ++vlan)
      if (is(port, vlan)) uplink.members.emplace_back(port, vlan, std::uint16_t{1});
  for (std::uint16_t port = 0; port < 6; ++port)
    for (std::uint16_t vlan = 0; vlan < 21; ++vlan)
      EXPECT_EQ(uplink.has_member(port, vlan), port < 5 && vlan < 20 && is(port, vlan));
}

// What was known of the next hop in one burst is asked for again in the next.
TEST_F(OpenFlow, ForgetsTheNextHop) {
  for (Talk& talk : talks_) {
    if (host(talk.server).port != "wan") continue;
    open(talk);
    const auto frame = packet(talk, true, kTcpAck);
    EXPECT_EQ(both(host(talk.client).port, {frame}).size(), 1U);
    wait(std::chrono::seconds(50));
    EXPECT_EQ(both(host(talk.client).port, {frame}).size(), 2U) << "and a question";
  }
}

// A revision may put behind the router who was on the uplink's link, and back.
TEST_F(OpenFlow, LearnsWhoIsBehindTheRouter) {
  for (Talk& talk : talks_) open(talk);
  for (const auto& [which, length] : {std::pair(0U, 29U), {0U, 24U}, {1U, 124U}, {1U, 64U}}) {
    model::Gateway next = gateway_;
    model::InterfaceAddress& own =
        std::ranges::find(next.segments, "uplink", &model::Segment::name)->addresses[which];
    own.subnet = *IpPrefix::make(own.address, length);
    apply(next);
    for (const Talk& talk : talks_) {
      if (!talk.as_left || talk.version != own.address.version() || host(talk.server).port != "wan")
        continue;
      const auto left = both(host(talk.client).port, {packet(talk, true, kTcpAck)});
      const bool to_router = std::ranges::any_of(left, [](const Frame& frame) {
        const Headers h = parsed(frame.bytes);
        return !h.is_neighbour() && h.destination_mac == host("router").mac;
      });
      EXPECT_EQ(to_router, !own.subnet.contains(host(talk.server).address(talk.version)))
          << talk.server << " and " << own.subnet.to_string();
    }
  }
}

// What its driver does not take is dropped by what it was, although nobody wrote that down.
TEST_F(OpenFlow, WhatItsDriverDoesNotTakeIsDroppedByName) {
  for (Talk& talk : talks_) open(talk);
  for (PipelineWorld* world : {&short_way_, &stages_}) world->block("lan1", 2);
  for (int round = 0; round < 50 && !HasFatalFailure(); ++round) {
    both("lan3", burst("lan3", 20));
    both("lan2", burst("lan2", 20));
  }
  EXPECT_GT(short_way_.pipeline().counters().drop_count(Drop::kTxQueueFull), 100U);
}

TEST_F(OpenFlow, NobodysPortIsLeftToTheStages) {
  for (Talk& talk : talks_) open(talk);
  for (PipelineWorld* world : {&short_way_, &stages_}) world->unplug("lan1");
  bytes_ = bytes_counted();
  for (int round = 0; round < 20 && !HasFatalFailure(); ++round) both("lan3", burst("lan3", 20));
  EXPECT_GT(short_way_.pipeline().counters().drop_count(Drop::kPortDown), 20U);
}

}  // namespace
}  // namespace sallyport::testing
