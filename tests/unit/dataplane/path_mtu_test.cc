// What does not fit the way out, or has no hop left: cut, or refused with an error to the one
// sender whom policy let through. On real packets, in both IP versions.
#include <algorithm>
#include <numeric>

#include "dataplane/stages/ethernet.h"
#include "dataplane/stages/rewrite.h"
#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::uint16_t kNarrow = 1400;

model::Gateway narrow(std::initializer_list<std::string_view> segments,
                      std::uint16_t mtu = kNarrow) {
  model::Gateway out = plant();
  for (model::Segment& s : out.segments)
    if (std::ranges::find(segments, s.name) != segments.end()) s.mtu = mtu;
  return out;
}

class PathMtu : public Policy {
 protected:
  bool v4() const { return version() == IpVersion::k4; }
  std::size_t ip_head() const { return v4() ? 20 : 40; }
  // Of a packet of so many IP bytes, with a transport header of so many.
  Bytes payload(std::size_t ip_size, std::size_t transport) const {
    Bytes out(ip_size - ip_head() - transport);
    std::iota(out.begin(), out.end(), std::uint8_t{0});
    return out;
  }
  PacketBuilder datagram(std::size_t ip_size) const {
    return packet("meter", 5000, "plc", 5683).payload(payload(ip_size, 8));
  }
  // The gateway's own error to `sender`.
  PacketBuilder from_gateway(std::string_view sender) const {
    const Host& to = host(sender);
    return PacketBuilder({world_.segment_mac(to.segment), own(to.segment), 0},
                         {to.mac, to.address(version()), 0})
        .vlan(to.vlan);
  }
  void expect_told(const std::vector<Frame>& out, std::string_view sender, const Bytes& error,
                   Drop reason) {
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].where, host(sender).port);
    EXPECT_EQ(out[0].bytes, error) << as_scapy(out[0].bytes) << "\n instead of " << as_scapy(error);
    ASSERT_TRUE(world_.verdict().drop.has_value());
    EXPECT_EQ(to_string(*world_.verdict().drop), to_string(reason));
  }
  const dataplane::Counters& counters() { return world_.pipeline().counters(); }
};
SALLYPORT_IN_BOTH_VERSIONS(PathMtu);

TEST_P(PathMtu, WhatDoesNotFitIsRefusedAndItsSenderTold) {
  world_.apply(narrow({"office"}));
  open_tcp();
  const auto answer = [&](std::size_t size) {
    return packet("plc", 502, "scada", 40000).payload(payload(size, 20)).tcp(kTcpAck);
  };
  expect_out(send("plc", answer(kNarrow)), "lan3");
  const Bytes large = answer(kNarrow + 1);
  const std::uint64_t made = counters().originated;
  expect_told(send("plc", large), "plc", from_gateway("plc").too_big(large, kNarrow),
              Drop::kTooBig);
  EXPECT_EQ(counters().originated, made + 1);
  EXPECT_EQ(counters().drop_count(Drop::kTooBig), 1U);
  // The other way is as wide as ever.
  expect_out(send("scada", packet("scada", 40000, "plc", 502)
                               .sequence(1001, 1001)
                               .payload(payload(1500, 20))
                               .tcp(kTcpAck)),
             "lan1");
}

TEST_P(PathMtu, ARevisionChangesIt) {
  expect_out(send("meter", datagram(1500).udp()), "lan1");
  world_.apply(narrow({"field"}));
  const Bytes large = datagram(1500).udp();
  expect_told(send("meter", large), "meter", from_gateway("meter").too_big(large, kNarrow),
              Drop::kTooBig);
  world_.apply(narrow({"field"}, 1280));
  const Bytes less = datagram(1281).udp();
  expect_told(send("meter", less), "meter", from_gateway("meter").too_big(less, 1280),
              Drop::kTooBig);
  expect_out(send("meter", datagram(1280).udp()), "lan1");
}

TEST_P(PathMtu, NoHopLeftIsToldToTheSender) {
  const Bytes first = packet("scada", 40000, "plc", 502).ttl(1).tcp(kTcpSyn);
  expect_told(send("scada", first), "scada", from_gateway("scada").time_exceeded(first),
              Drop::kTtlExpired);
  const Bytes large = datagram(1500).ttl(1).udp();
  expect_told(send("meter", large), "meter", from_gateway("meter").time_exceeded(large),
              Drop::kTtlExpired);
  // Both at once: it would not have come so far.
  world_.apply(narrow({"field"}));
  expect_told(send("meter", large), "meter", from_gateway("meter").time_exceeded(large),
              Drop::kTtlExpired);
}

TEST_P(PathMtu, ATaggedSenderIsToldWithItsTag) {
  world_.apply(narrow({"office"}));
  const auto forth = [&](std::uint8_t flags) {
    return send("scada", packet("scada", 40000, "camera", 80).tcp(flags));
  };
  const auto back = [&] { return packet("camera", 80, "scada", 40000).vlan(7); };
  expect_out(forth(kTcpSyn), "lan2");
  expect_out(send("camera", back().tcp(kTcpSyn | kTcpAck)), "lan3");
  expect_out(forth(kTcpAck), "lan2");
  const Bytes large = back().payload(payload(1500, 20)).tcp(kTcpAck);
  const auto out = send("camera", large);
  ASSERT_EQ(out.size(), 1U);
  const Headers h = parsed(out[0].bytes);
  EXPECT_EQ(h.vlan, 7);
  EXPECT_EQ(h.destination_mac, host("camera").mac);
  EXPECT_EQ(h.source, *IpAddress::parse(v4() ? "10.40.0.1" : "fd00:40::1"));
  EXPECT_EQ(out[0].where, "lan2");
}

// Default-deny tells nobody anything.
TEST_P(PathMtu, WhoIsDeniedHearsNothing) {
  world_.apply(narrow({"field", "uplink"}));
  const Bytes large = payload(1500, 8);
  for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{1, 64}) {
    expect_drop(send("meter", packet("meter", 1, "plc", 1).ttl(ttl).payload(large).udp()),
                Drop::kDefaultDeny);
    expect_drop(send("rogue", packet("rogue", 1, "plc", 5683).ttl(ttl).payload(large).udp()),
                Drop::kUnknownDevice);
    expect_drop(
        world_.receive("lan1", packet("meter", 1, "plc", 5683).ttl(ttl).payload(large).udp()),
        Drop::kStolenIdentity);
    expect_drop(world_.receive(
                    "wan", PacketBuilder(at("cloud", 1), via("router", "plc", 9)).ttl(ttl).udp()),
                Drop::kDefaultDeny);
  }
  EXPECT_EQ(counters().originated, 0U);
}

TEST_P(PathMtu, AnErrorIsNeverAnswered) {
  world_.apply(narrow({"office"}, 1280));
  open_tcp();
  const auto query = packet("scada", 40000, "plc", 502)
                         .sequence(1001, 1001)
                         .payload(payload(1500, 20))
                         .tcp(kTcpAck);
  expect_out(send("scada", query), "lan1");
  Bytes body(4);
  body.insert(body.end(), query.begin() + 14, query.end());
  body.resize(1400);
  const PacketBuilder error = packet("plc", 0, "scada", 0);
  expect_drop(send("plc", error.icmp(v4() ? 3 : 1, v4() ? 3 : 4, body)), Drop::kTooBig);
  body.resize(200);
  PacketBuilder spent = error;
  expect_drop(send("plc", spent.ttl(1).icmp(v4() ? 3 : 1, v4() ? 3 : 4, body)), Drop::kTtlExpired);
  if (!v4()) return;
  // It may be cut, though.
  body.resize(1400);
  PacketBuilder soft = error;
  const auto out = send("plc", soft.may_be_cut(9).icmp(3, 3, body));
  EXPECT_EQ(out.size(), 2U);
}

TEST_P(PathMtu, ErrorsAreRationedForEachSender) {
  const auto spent = [&](std::string_view from, std::string_view to, std::uint16_t port) {
    return send(from, packet(from, 5000, to, port).ttl(1).udp()).size();
  };
  std::size_t told = 0;
  for (int i = 0; i < 100; ++i) told += spent("meter", "plc", 5683);
  EXPECT_EQ(told, 20U);
  EXPECT_EQ(counters().drop_count(Drop::kTtlExpired), 100U);
  const Bytes first = packet("scada", 40000, "plc", 502).ttl(1).tcp(kTcpSyn);
  EXPECT_EQ(send("scada", first).size(), 1U) << "another has its own";
  world_.wait(seconds(1));
  told = 0;
  for (int i = 0; i < 100; ++i) told += spent("meter", "plc", 5683);
  EXPECT_EQ(told, 20U);
}

TEST_P(PathMtu, WithoutABufferThereIsNoErrorAndNothingElseHappens) {
  const auto hoard = world_.exhaust_pool_but_one();
  expect_drop(send("meter", datagram(100).ttl(1).udp()), Drop::kTtlExpired);
}

// As if the largest fragment had come alone.
TEST_P(PathMtu, FragmentsThatDoNotFit) {
  world_.apply(narrow({"field"}));
  const Bytes whole = packet("meter", 5000, "plc", 5683).payload(Bytes(2000, 7)).udp();
  auto pieces = fragments_of(whole, 1440, 77);
  if (v4()) {
    for (Bytes& piece : pieces) {
      piece[14 + 6] |= 0x40;
      reseal(piece);
    }
  }
  EXPECT_TRUE(send("meter", pieces[0]).empty());
  expect_told(send("meter", pieces[1]), "meter", from_gateway("meter").too_big(pieces[0], kNarrow),
              Drop::kTooBig);
  // Those that fit go on, however large the whole.
  std::vector<Frame> out;
  for (const Bytes& piece : fragments_of(whole, 1344, 78)) out = send("meter", piece);
  EXPECT_EQ(out.size(), 2U);
  // And no hop left is told once.
  Bytes last = packet("meter", 5000, "plc", 5683).ttl(1).payload(Bytes(2000, 7)).udp();
  pieces = fragments_of(last, 1344, 79);
  EXPECT_TRUE(send("meter", pieces[0]).empty());
  expect_told(send("meter", pieces[1]), "meter", from_gateway("meter").time_exceeded(pieces[0]),
              Drop::kTtlExpired);
}

// It takes nothing that bears its own address, so the far end's router is said to have spoken.
TEST_P(PathMtu, TheGatewaysOwnStackIsToldInItsOwnNumbers) {
  world_.apply(narrow({"uplink"}));
  const auto in = world_.receive(
      "wan", PacketBuilder(at("cloud", 50000), {world_.segment_mac("uplink"), own("uplink"), 802})
                 .tcp(kTcpSyn));
  expect_out(in, "host:uplink");
  const Party stack{world_.segment_mac("uplink"), own("uplink"),
                    parsed(in[0].bytes).destination_port};
  const Party client{dataplane::kFixedMac, host("cloud").address(version()), 50000};
  const auto answer = [&](std::uint8_t flags) { return PacketBuilder(stack, client).tcp(flags); };
  world_.receive_from_host("uplink", answer(kTcpSyn | kTcpAck));
  const Bytes large = PacketBuilder(stack, client).payload(payload(1500, 20)).tcp(kTcpAck);
  const auto out = world_.receive_from_host("uplink", large);
  expect_out(out, "host:uplink");
  const Bytes error =
      PacketBuilder({dataplane::kFixedMac, client.address, 0}, {stack.mac, stack.address, 0})
          .too_big(large, kNarrow);
  EXPECT_EQ(out[0].bytes, error) << as_scapy(out[0].bytes);
  EXPECT_EQ(world_.verdict().drop, Drop::kTooBig);
}

// --- IPv4 alone -------------------------------------------------------------------------------

class PathMtuOf4 : public PathMtu {};
INSTANTIATE_TEST_SUITE_P(Ipv4, PathMtuOf4, ::testing::Values(IpVersion::k4), version_name);

TEST_P(PathMtuOf4, WhatMayBeCutLeavesInPieces) {
  for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{1280, 1400, 1481, 1499}) {
    world_.apply(narrow({"field"}, mtu));
    const Bytes large = datagram(1500).may_be_cut(4711).udp();
    const std::uint64_t made = counters().originated;
    const auto out = send("meter", large);
    ASSERT_EQ(out.size(), 2U) << mtu;
    std::vector<Bytes> pieces;
    for (const Frame& frame : out) {
      EXPECT_EQ(frame.where, "lan1");
      EXPECT_LE(frame.bytes.size(), 14U + mtu);
      parsed(frame.bytes);
      pieces.push_back(frame.bytes);
    }
    EXPECT_GT(pieces[0].size(), 14U + mtu - 8) << "as large as it may be";
    Bytes expected = large;
    std::ranges::copy(host("plc").mac.bytes(), expected.begin());
    std::ranges::copy(world_.segment_mac("field").bytes(), expected.begin() + 6);
    --expected[14 + 8];
    reseal(expected);
    EXPECT_EQ(put_together(pieces), expected);
    EXPECT_EQ(counters().originated, made + 1);
  }
  EXPECT_EQ(counters().drop_count(Drop::kTooBig), 0U);
}

TEST_P(PathMtuOf4, FragmentsThatDoNotFitAreCutSmaller) {
  world_.apply(narrow({"field"}, 1280));
  const Bytes whole = packet("meter", 5000, "plc", 5683).payload(Bytes(9000, 7)).udp();
  std::vector<Frame> out;
  for (const Bytes& piece : fragments_of(whole, 1480, 77)) out = send("meter", piece);
  ASSERT_EQ(out.size(), 8U);
  std::vector<Bytes> pieces;
  for (const Frame& frame : out) {
    EXPECT_LE(frame.bytes.size(), 14U + 1280);
    pieces.push_back(frame.bytes);
  }
  EXPECT_EQ(put_together(pieces).size(), whole.size());
}

// --- TCP's own measure -------------------------------------------------------------------------

class Mss : public PathMtu {
 protected:
  static std::uint16_t asked(const Frame& frame, std::size_t at) {
    const Headers h = parsed(frame.bytes);
    dataplane::Packet whole = test_pool().copy_of(frame.bytes);
    whole.meta().headers = h;
    EXPECT_TRUE(dataplane::transport_sum_right(whole)) << as_scapy(frame.bytes);
    return static_cast<std::uint16_t>(frame.bytes[h.l4 + 20 + at] << 8 |
                                      frame.bytes[h.l4 + 21 + at]);
  }
  std::uint16_t most(std::uint16_t mtu) const {
    return static_cast<std::uint16_t>(mtu - ip_head() - 20);
  }
  static Bytes mss(std::uint16_t value) {
    return {2, 4, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
  }
  std::vector<Frame> syn(std::uint16_t port, Bytes options) {
    auto out =
        send("scada", packet("scada", port, "plc", 502).options(std::move(options)).tcp(kTcpSyn));
    EXPECT_EQ(out.size(), 1U);
    return out;
  }
};
SALLYPORT_IN_BOTH_VERSIONS(Mss);

TEST_P(Mss, BothSidesAskForWhatTheNarrowSegmentCarries) {
  for (const char* segment : {"office", "field"}) {
    world_.apply(narrow({segment}));
    const std::uint16_t port = segment[0] == 'o' ? 40000 : 40001;
    EXPECT_EQ(asked(syn(port, mss(1460))[0], 2), most(kNarrow));
    const auto back =
        send("plc", packet("plc", 502, "scada", port).options(mss(8960)).tcp(kTcpSyn | kTcpAck));
    expect_out(back, "lan3");
    EXPECT_EQ(asked(back[0], 2), most(kNarrow));
  }
}

TEST_P(Mss, IsNeverRaised) {
  world_.apply(narrow({"office"}));
  std::uint16_t port = 40000;
  for (const int value : {0, 1, 536, most(kNarrow) - 1, +most(kNarrow)})
    EXPECT_EQ(asked(syn(port++, mss(static_cast<std::uint16_t>(value)))[0], 2), value);
  world_.apply(plant());
  EXPECT_EQ(asked(syn(port++, mss(most(1500)))[0], 2), most(1500));
  EXPECT_EQ(asked(syn(port++, mss(65535))[0], 2), most(1500)) << "no frame carries more";
}

TEST_P(Mss, IsFoundWhereverItStands) {
  world_.apply(narrow({"office"}));
  std::uint16_t port = 40000;
  // Behind a window scale, at an odd place.
  EXPECT_EQ(asked(syn(port++, {3, 3, 7, 2, 4, 0x22, 0x33, 1})[0], 5), most(kNarrow));
  EXPECT_EQ(asked(syn(port++, {1, 2, 4, 0xff, 0x00, 0, 0, 0})[0], 3), most(kNarrow));
  EXPECT_EQ(asked(syn(port++, {4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 5, 0xb4})[0], 14),
            most(kNarrow));
  // Said twice.
  const auto twice = syn(port++, {2, 4, 0x22, 0x33, 2, 4, 0x44, 0x55})[0];
  EXPECT_EQ(asked(twice, 2), most(kNarrow));
  EXPECT_EQ(asked(twice, 6), most(kNarrow));
}

// What does not parse stays as it is.
TEST_P(Mss, BehindNonsenseNothingIsTouched) {
  world_.apply(narrow({"office"}));
  std::uint16_t port = 41000;
  for (const Bytes& options : std::initializer_list<Bytes>{
           {0, 2, 4, 0xff, 0xff, 0, 0, 0},  // behind the end
           {5, 0, 2, 4, 0xff, 0xff, 0, 0},  // no size
           {5, 1, 2, 4, 0xff, 0xff, 0, 0},  // too small a size
           {5, 9, 2, 4, 0xff, 0xff, 0, 0},  // past the header
           {2, 3, 0xff, 2, 3, 0xff, 1, 1},  // no MSS
           {2, 5, 0xff, 0xff, 0xff, 1, 1, 1},
           {1, 1, 1, 2},
           {1, 2, 4, 0xff},
       }) {
    const Bytes sent = packet("scada", port++, "plc", 502).options(options).tcp(kTcpSyn);
    const auto out = send("scada", sent);
    expect_out(out, "lan1");
    const std::size_t tcp = 14 + ip_head();
    EXPECT_TRUE(
        std::ranges::equal(ConstBytes(out[0].bytes).subspan(tcp), ConstBytes(sent).subspan(tcp)));
  }
  // Only those that open a connection speak of it.
  open_tcp();
  const auto later =
      send("scada", packet("scada", 40000, "plc", 502).options(mss(9000)).tcp(kTcpAck));
  expect_out(later, "lan1");
  EXPECT_EQ(asked(later[0], 2), 9000);
}

}  // namespace
}  // namespace sallyport::testing
