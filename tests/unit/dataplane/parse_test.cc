// The parser, field by field at its edges: what still passes, what is refused, and for which reason
// when two things are wrong at once (the one that was checked first).
#include "dataplane/stages/parse.h"

#include "policy/decide/plausible.h"
#include "tests/support/fragment_builder.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;
using dataplane::Message;
constexpr std::size_t kIp = 14;

class Parse : public ::testing::TestWithParam<IpVersion> {
 protected:
  bool v4() const { return GetParam() == IpVersion::k4; }
  std::size_t header() const { return v4() ? 20 : 40; }
  std::size_t transport() const { return kIp + header(); }
  PacketBuilder meter() const {
    const Host& from = host("meter");
    const Host& to = host("plc");
    return {{from.mac, from.address(GetParam()), 5000},
            {MacAddress({2, 1, 1, 1, 1, 1}), to.address(GetParam()), 5683}};
  }
  static Bytes with(Bytes frame, std::size_t at, std::initializer_list<int> bytes) {
    for (const int byte : bytes) frame[at++] = static_cast<std::uint8_t>(byte);
    reseal(frame);
    return frame;
  }
  // The length field of the IP header says that `size` bytes follow it.
  Bytes stated(Bytes frame, std::size_t size) const {
    const std::size_t value = size + (v4() ? 20 : 0);
    return with(std::move(frame), kIp + (v4() ? 2U : 4U),
                {static_cast<int>(value >> 8), static_cast<int>(value & 0xff)});
  }
  static std::vector<Bytes> plain_frames(const PacketBuilder& meter) {
    PacketBuilder tagged = meter, long_one = meter, with_options = meter;
    tagged.vlan(20);
    long_one.payload(Bytes(1200, 7));
    with_options.options({2, 4, 5, 0xb4});
    return {PacketBuilder(meter).tcp(dataplane::kTcpAck),
            PacketBuilder(meter).udp(),
            tagged.tcp(dataplane::kTcpAck | dataplane::kTcpFin),
            tagged.udp(),
            long_one.udp(),
            with_options.tcp(dataplane::kTcpSyn)};
  }
  // What is taken at once is taken step by step, is the same, and may begin a flow.
  static bool agree(const Bytes& frame) {
    Headers at_once, stepwise;
    dataplane::PlainFrame plain;
    if (!dataplane::parse_plain(frame, plain) || !plausible(frame, plain)) return true;
    describe(frame, plain, at_once);
    return !dataplane::parse_headers(frame, dataplane::kMtu, stepwise) && at_once == stepwise &&
           !decide::starts_no_flow(stepwise.source, stepwise.destination);
  }
  static std::string reason(const Bytes& frame) {
    Headers h;
    const auto drop = dataplane::parse_frame(frame, h);
    return drop ? std::string(to_string(*drop)) : "passes";
  }
};
SALLYPORT_IN_BOTH_VERSIONS(Parse);

TEST_P(Parse, WhatNearlyAllTrafficIsMadeOfIsTakenAtOnce) {
  for (const Bytes& frame : plain_frames(meter())) {
    dataplane::PlainFrame plain;
    EXPECT_TRUE(dataplane::parse_plain(frame, plain) && plausible(frame, plain)) << frame.size();
    EXPECT_TRUE(agree(frame)) << frame.size();
  }
}

// Every byte of the headers with every value, with a right sum and with a wrong one; every length.
TEST_P(Parse, WhatIsTakenAtOnceIsTakenStepByStep) {
  for (const Bytes& frame : plain_frames(meter())) {
    for (std::size_t at = 0; at < std::min<std::size_t>(frame.size(), 80); ++at) {
      for (int value = 0; value < 256; ++value) {
        Bytes other = frame;
        other[at] = static_cast<std::uint8_t>(value);
        ASSERT_TRUE(agree(other)) << "byte " << at << " is " << value;
        reseal(other);
        ASSERT_TRUE(agree(other)) << "byte " << at << " is " << value << ", resealed";
      }
    }
    for (std::size_t size = 0; size < frame.size(); ++size)
      ASSERT_TRUE(agree(Bytes(frame.begin(), frame.begin() + static_cast<long>(size)))) << size;
    Bytes padded = frame;
    for (; padded.size() < 1530; padded.push_back(0)) ASSERT_TRUE(agree(padded)) << padded.size();
  }
}

TEST_P(Parse, LengthsAtTheirEdges) {
  const Bytes tcp = meter().payload(Bytes(10, 7)).tcp(kTcpAck);
  const Bytes udp = meter().payload(Bytes(10, 7)).udp();
  EXPECT_EQ(reason(tcp), "passes");
  EXPECT_EQ(reason(udp), "passes");
  // Every cut of a frame is a named reason and never "passes".
  for (std::size_t size = 0; size < tcp.size(); ++size) {
    const Bytes cut(tcp.begin(), tcp.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(reason(cut), size < kIp + header() ? "runt" : "bad-total-length") << size;
  }
  // Trailing bytes belong to nobody: the stated length counts.
  Bytes padded = tcp;
  padded.resize(padded.size() + 30, 0xff);
  Headers h;
  ASSERT_FALSE(dataplane::parse_frame(padded, h));
  EXPECT_EQ(h.end, tcp.size());
  EXPECT_EQ(reason(stated(tcp, 31)), "bad-total-length") << "one byte more than there is";
  EXPECT_EQ(reason(stated(tcp, 29)), "passes") << "one byte less";
  EXPECT_EQ(reason(stated(tcp, 20)), "passes");
  EXPECT_EQ(reason(stated(tcp, 19)), "truncated-transport");
  EXPECT_EQ(reason(stated(tcp, 0)), "truncated-transport");
  EXPECT_EQ(reason(stated(udp, 17)), "bad-transport-length") << "UDP says 18";
  EXPECT_EQ(reason(stated(udp, 7)), "truncated-transport");
  if (v4()) {
    EXPECT_EQ(reason(with(tcp, kIp + 2, {0, 19})), "bad-total-length") << "below the header";
    EXPECT_EQ(reason(with(tcp, kIp + 2, {0, 0})), "bad-total-length");
  }
}

TEST_P(Parse, TheMtuIsTheEdgeOfAFrame) {
  const std::size_t most = 1500 - header() - 8;
  EXPECT_EQ(reason(meter().payload(Bytes(most)).udp()), "passes");
  EXPECT_EQ(reason(meter().payload(Bytes(most + 1)).udp()), "giant");
  EXPECT_EQ(reason(meter().vlan(7).payload(Bytes(most)).udp()), "passes");
  EXPECT_EQ(reason(meter().vlan(7).payload(Bytes(most + 1)).udp()), "giant");
}

TEST_P(Parse, TagsAtTheirEdges) {
  EXPECT_EQ(reason(meter().vlan(1).udp()), "passes");
  EXPECT_EQ(reason(meter().vlan(4094).udp()), "passes");
  EXPECT_EQ(reason(meter().vlan(4095).udp()), "vlan-invalid");
  EXPECT_EQ(reason(with(meter().vlan(7).udp(), 14, {0, 0})), "vlan-invalid") << "a priority tag";
  EXPECT_EQ(reason(with(meter().vlan(7).udp(), 14, {0xe0, 7})), "passes") << "priority bits";
  for (const auto& type : {std::pair{0x88, 0xa8}, {0x91, 0x00}})
    EXPECT_EQ(reason(with(meter().vlan(7).udp(), 12, {type.first, type.second})), "qinq");
  // A second tag, whatever the first one's number.
  for (const int id : {0, 7, 4095}) {
    Bytes twice = meter().vlan(7).udp();
    twice.insert(twice.begin() + 12,
                 {0x81, 0x00, static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)});
    EXPECT_EQ(reason(twice), "qinq") << id;
  }
  Bytes cut = meter().vlan(7).udp();
  cut.resize(17);
  EXPECT_EQ(reason(cut), "runt");
}

TEST_P(Parse, FragmentsAreNamedOrTold) {
  const Bytes udp = meter().payload(Bytes(32, 1)).udp();  // 40 bytes behind the IP header
  const auto cut = [&](std::size_t offset, std::size_t size, bool more) {
    Bytes frame = udp;
    frame.resize(20'000);
    return fragment_of(frame, {offset, size, more}, 0x01020304);
  };
  const auto message = [](const Bytes& frame) {
    Headers h;
    EXPECT_FALSE(dataplane::parse_frame(frame, h));
    EXPECT_EQ(h.fragment_id & 0xffff, 0x0304U);
    return h.message;
  };
  EXPECT_EQ(message(cut(0, 40, true)), Message::kFragment);
  EXPECT_EQ(message(cut(8, 8, true)), Message::kFragment);
  EXPECT_EQ(message(cut(40, 1, false)), Message::kFragment);
  EXPECT_EQ(reason(cut(0, 7, true)), "fragment-malformed") << "no whole eight";
  EXPECT_EQ(reason(cut(0, 0, true)), "fragment-malformed") << "empty";
  EXPECT_EQ(reason(cut(8, 0, false)), "fragment-malformed") << "empty";
  EXPECT_EQ(reason(cut(16, 9, true)), "fragment-malformed") << "no whole eight";
  EXPECT_EQ(message(cut(11'928, 8, false)), Message::kFragment) << "the largest datagram";
  EXPECT_EQ(reason(cut(11'928, 9, false)), "fragment-malformed") << "one byte more";
  if (v4()) {
    EXPECT_EQ(reason(with(udp, kIp + 6, {0x80, 0})), "fragment") << "reserved bit";
    EXPECT_EQ(reason(with(udp, kIp + 6, {0x40, 0})), "passes") << "do not fragment";
    EXPECT_EQ(message(with(cut(0, 40, true), kIp + 6, {0x60, 0})), Message::kFragment);
    EXPECT_EQ(reason(with(cut(0, 40, true), kIp + 9, {132})), "ip-protocol");
  } else {
    EXPECT_EQ(message(cut(0, 40, false)), Message::kAtomicFragment);
    EXPECT_EQ(reason(with(cut(0, 40, true), kIp + 40, {44})), "fragment") << "of a fragment";
    EXPECT_EQ(reason(with(cut(0, 40, true), kIp + 40, {60})), "ip-protocol");
    EXPECT_EQ(reason(stated(with(udp, kIp + 6, {44}), 0)), "runt") << "without its header";
    EXPECT_EQ(reason(stated(with(udp, kIp + 6, {44}), 7)), "runt") << "one byte less";
  }
}

TEST_P(Parse, OptionsAndExtensionHeadersOfEveryKindAreNamed) {
  const Bytes tcp = meter().tcp(kTcpSyn);
  if (v4()) {
    for (int words = 0; words < 16; ++words) {
      // The words that the header claims are there, so that only the claim is judged.
      Bytes frame = tcp;
      frame.insert(frame.begin() + kIp + 20, 40, 1);
      frame = stated(frame, frame.size() - kIp - 20);
      const std::string expected = words < 5    ? "bad-header-length"
                                   : words == 5 ? "tcp"
                                                : "ip-options";
      const std::string seen = reason(with(frame, kIp, {0x40 | words}));
      if (words != 5) {
        EXPECT_EQ(seen, expected) << words;
      }
    }
    EXPECT_EQ(reason(with(tcp, kIp, {0x4f})), "bad-header-length") << "past the end";
    return;
  }
  for (const int type : {0, 43, 50, 51, 60, 135, 139, 140}) {
    // Also one that leads to itself for ever, with a length of nothing.
    for (const int next : {6, type}) {
      Bytes frame = tcp;
      frame.insert(frame.begin() + kIp + 40,
                   {static_cast<std::uint8_t>(next), 0, 0, 0, 0, 0, 0, 0});
      EXPECT_EQ(reason(stated(with(frame, kIp + 6, {type}), 28)), "extension-header") << type;
    }
    EXPECT_EQ(reason(stated(with(tcp, kIp + 6, {type}), 0)), "extension-header") << type;
  }
  // Jumbo payload (RFC 2675): length 0 and an option.
  Bytes jumbo = tcp;
  jumbo.insert(jumbo.begin() + kIp + 40, {6, 0, 0xc2, 4, 0, 1, 0, 0});
  EXPECT_EQ(reason(stated(with(jumbo, kIp + 6, {0}), 0)), "extension-header");
  EXPECT_EQ(reason(with(tcp, kIp + 6, {59})), "ip-protocol") << "no next header";
}

TEST_P(Parse, TransportHeadersAtTheirEdges) {
  const Bytes tcp = meter().payload(Bytes(20, 1)).tcp(kTcpAck);
  for (int words = 0; words < 16; ++words) {
    EXPECT_EQ(reason(with(tcp, transport() + 12, {words << 4})),
              words < 5 || words > 10 ? "bad-transport-length" : "passes")
        << words;
  }
  const Bytes udp = meter().payload(Bytes(4, 1)).udp();
  for (const int length : {0, 7, 8, 11, 13, 0xffff})
    EXPECT_EQ(reason(with(udp, transport() + 4, {length >> 8, length & 0xff})),
              "bad-transport-length");
  EXPECT_EQ(reason(with(udp, transport() + 6, {0, 0})), v4() ? "passes" : "bad-transport-checksum");
  for (const std::size_t port : {std::size_t{0}, std::size_t{2}}) {
    EXPECT_EQ(reason(with(udp, transport() + port, {0, 0})), "port-zero");
    EXPECT_EQ(reason(with(tcp, transport() + port, {0, 0})), "port-zero");
  }
  // RFC 9293: one of SYN, RST and ACK leads.
  int possible = 0;
  for (int flags = 0; flags < 64; ++flags)
    possible += reason(with(tcp, transport() + 13, {flags})) == "passes" ? 1 : 0;
  EXPECT_EQ(possible, 2 + 4 + 8) << "SYN with or without ACK; RST; ACK with FIN, PSH, URG";
}

TEST_P(Parse, AddressesThatNobodyHas) {
  const auto from = [&](const char* text) {
    return reason(PacketBuilder({host("meter").mac, *IpAddress::parse(text), 1},
                                {MacAddress(), host("plc").address(GetParam()), 1})
                      .udp());
  };
  const auto to = [&](const char* text) {
    return reason(PacketBuilder({host("meter").mac, host("meter").address(GetParam()), 1},
                                {MacAddress(), *IpAddress::parse(text), 1})
                      .udp());
  };
  if (v4()) {
    for (const char* source : {"0.0.0.1", "127.0.0.1", "127.255.255.255", "224.0.0.1",
                               "239.255.255.255", "240.0.0.1", "255.255.255.255"})
      EXPECT_EQ(from(source), "martian-source") << source;
    for (const char* target : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254"})
      EXPECT_EQ(to(target), "martian-destination") << target;
    for (const char* fine : {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"})
      EXPECT_EQ(from(fine), "passes") << fine;
  } else {
    for (const char* source : {"::1", "ff02::1", "ff0e::1"})
      EXPECT_EQ(from(source), "martian-source") << source;
    for (const char* target : {"::", "::1"}) EXPECT_EQ(to(target), "martian-destination") << target;
    // IPv4-mapped, written by hand: no table may take them for IPv4.
    Bytes mapped = meter().udp();
    const Bytes v4_in_6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 20, 0, 5};
    std::ranges::copy(v4_in_6, mapped.begin() + kIp + 8);
    EXPECT_EQ(reason(mapped), "martian-source");
    mapped = meter().udp();
    std::ranges::copy(v4_in_6, mapped.begin() + kIp + 24);
    EXPECT_EQ(reason(mapped), "martian-destination");
  }
}

TEST_P(Parse, WhatIsCheckedFirstIsWhatIsNamed) {
  Bytes frame = meter().udp();
  frame[transport()] = frame[transport() + 1] = 0;  // port zero
  EXPECT_EQ(reason(frame), "port-zero");
  frame[kIp + (v4() ? 8U : 7U)] = 0;  // used up
  if (v4()) {
    EXPECT_EQ(reason(frame), "bad-ip-checksum");
    reseal(frame);
  }
  EXPECT_EQ(reason(frame), "ttl-expired");
  const std::size_t source = kIp + (v4() ? 12U : 8U);
  const std::size_t size = v4() ? 4 : 16;
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(source + size), size,
              frame.begin() + static_cast<std::ptrdiff_t>(source));
  reseal(frame);
  EXPECT_EQ(reason(frame), "land");
  frame = stated(frame, 2000);
  EXPECT_EQ(reason(frame), "bad-total-length");
  frame[kIp] = static_cast<std::uint8_t>(v4() ? 0x54 : 0x40);
  EXPECT_EQ(reason(frame), "ip-version") << "the version before anything that depends on it";
  frame[6] |= 1;
  EXPECT_EQ(reason(frame), "bad-source-mac");
}

TEST_P(Parse, NeighbourMessagesAtTheirEdges) {
  const Bytes asks = meter().neighbour_question();
  const Bytes says = meter().neighbour_answer();
  EXPECT_EQ(reason(asks), "passes");
  EXPECT_EQ(reason(says), "passes");
  if (v4()) {
    for (const auto& [what, at, value] : {std::tuple{"hardware type", 1, 6},
                                          {"protocol", 2, 0x86},
                                          {"hardware length", 4, 8},
                                          {"protocol length", 5, 16},
                                          {"RARP", 7, 3},
                                          {"no operation", 7, 0},
                                          {"group sender", 8, 3},
                                          {"sender 224.0.0.0/4", 14, 224},
                                          {"sender 127.0.0.0/8", 14, 127},
                                          {"target 224.0.0.0/4", 24, 224}})
      EXPECT_EQ(reason(with(asks, kIp + static_cast<std::size_t>(at), {value})), "arp-malformed")
          << what;
    EXPECT_EQ(reason(with(asks, kIp + 8, {0, 0, 0, 0, 0, 0})), "arp-malformed") << "no sender";
    EXPECT_EQ(reason(with(asks, kIp + 24, {0, 0, 0, 0})), "arp-malformed") << "no target";
    Bytes cut = asks;
    cut.resize(kIp + 27);
    EXPECT_EQ(reason(cut), "runt");
    return;
  }
  // With a right sum each time, so that nothing but the field is wrong.
  const auto nd = [&](std::uint8_t type, std::uint8_t code, std::uint8_t hops, Bytes body,
                      const char* to = nullptr, const char* from = nullptr) {
    const Party sender{host("meter").mac,
                       from == nullptr ? host("meter").v6 : *IpAddress::parse(from), 0};
    const Party target{MacAddress(), *IpAddress::parse(to == nullptr ? "ff02::1:ff00:5" : to), 0};
    return reason(PacketBuilder(sender, target).ttl(hops).icmp(type, code, std::move(body)));
  };
  Bytes body(20);
  std::ranges::copy(host("plc").v6.bytes(), body.begin() + 4);
  const auto and_option = [&](Bytes option) {
    Bytes out = body;
    out.insert(out.end(), option.begin(), option.end());
    return out;
  };
  EXPECT_EQ(nd(135, 0, 255, body), "passes");
  for (const std::uint8_t hops : std::to_array<std::uint8_t>({254, 64, 1}))
    EXPECT_EQ(nd(135, 0, hops, body), "nd-malformed");
  EXPECT_EQ(nd(135, 1, 255, body), "nd-malformed") << "code";
  EXPECT_EQ(nd(135, 0, 255, Bytes(16)), "nd-malformed") << "no room for a target";
  EXPECT_EQ(nd(135, 0, 255, Bytes(20)), "nd-malformed") << "target ::";
  EXPECT_EQ(nd(135, 0, 255, and_option({1, 1, 2, 0, 0, 0, 0x20, 6})), "passes");
  EXPECT_EQ(nd(135, 0, 255, and_option({1, 0, 2, 0, 0, 0, 0x20, 6})), "nd-malformed") << "no end";
  EXPECT_EQ(nd(135, 0, 255, and_option({1, 2, 2, 0, 0, 0, 0x20, 6})), "nd-malformed") << "too long";
  EXPECT_EQ(nd(135, 0, 255, and_option({1, 1, 3, 0, 0, 0, 0x20, 6})), "nd-malformed") << "group";
  EXPECT_EQ(nd(135, 0, 255, and_option({14, 1, 9, 9, 9, 9, 9, 9})), "passes") << "a nonce";
  EXPECT_EQ(nd(135, 0, 255, body, nullptr, "::"), "passes") << "duplicate address detection";
  EXPECT_EQ(nd(135, 0, 255, and_option({1, 1, 2, 0, 0, 0, 0x20, 6}), nullptr, "::"),
            "nd-malformed");
  EXPECT_EQ(nd(135, 0, 255, body, "ff02::1", "::"), "nd-malformed") << "not the solicited node";
  EXPECT_EQ(nd(135, 0, 255, body, "fd00:20::5", "::"), "nd-malformed");
  Bytes solicited = body;
  solicited[0] = 0x40;
  EXPECT_EQ(nd(136, 0, 255, solicited, "fd00:20::5"), "passes");
  EXPECT_EQ(nd(136, 0, 255, solicited, "ff02::1"), "nd-malformed") << "solicited by everybody";
  EXPECT_EQ(nd(136, 0, 255, body, "ff02::1"), "passes");
  EXPECT_EQ(nd(136, 0, 255, body, "ff02::1", "::"), "nd-malformed");
  Bytes damaged = asks;
  damaged.back() ^= 1;
  EXPECT_EQ(reason(damaged), "nd-malformed");
  for (const std::uint8_t router : std::to_array<std::uint8_t>({134, 137}))
    EXPECT_EQ(nd(router, 0, 255, body), "rogue-router");
}

}  // namespace
}  // namespace sallyport::testing
