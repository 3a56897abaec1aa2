#include "dataplane/tap/host_frame.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/plain_sums.h"
#include "tests/unit/dataplane_tap/bulk.h"

namespace sallyport::testing {
namespace {

using dataplane::HostFrame;
using dataplane::VnetHeader;

// Nothing if it is refused.
std::vector<Bytes> cut(const VnetHeader& header, ConstBytes frame) {
  std::vector<Bytes> out;
  auto taken = HostFrame::of(header, frame);
  while (taken && !taken->done()) {
    out.emplace_back(taken->next_size());
    taken->next(out.back());
  }
  return out;
}

TEST(HostFrame, ASuperFrameIsCutIntoWhatAPeerWithoutOffloadsWouldHaveSent) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 3000; ++i) {
    const Bulk bulk = random_bulk(random);
    const auto made = cut(bulk.header(), bulk.whole());
    const auto expected = bulk.segments();
    ASSERT_EQ(made.size(), expected.size());
    for (std::size_t s = 0; s < expected.size(); ++s) {
      ASSERT_EQ(made[s], expected[s])
          << as_scapy(made[s]) << "\ninstead of " << as_scapy(expected[s]);
      ASSERT_EQ(wrong_with(made[s]), "");
    }
  }
}

TEST(HostFrame, TheLargestOneOfEachVersionIsCut) {
  for (const bool v4 : {true, false}) {
    Bulk bulk{.v4 = v4, .step = v4 ? 1448U : 1428U};
    bulk.size = 65535 - (v4 ? 20 : 0) - bulk.tcp_size();
    const Bytes whole = bulk.whole();
    EXPECT_LE(whole.size(), HostFrame::kMaxSize);
    EXPECT_EQ(cut(bulk.header(), whole), bulk.segments());
  }
}

// The seed that the kernel leaves in the field is not what the sum rests on.
TEST(HostFrame, ASuperFramesOwnSumsDoNotMatter) {
  for (const bool v4 : {true, false}) {
    const Bulk bulk{.v4 = v4};
    Bytes whole = bulk.whole();
    whole[bulk.l4() + 16] ^= 0x5a;
    if (v4) whole[24] ^= 0x11;
    EXPECT_EQ(cut(bulk.header(), whole), bulk.segments());
  }
}

TEST(HostFrame, AHintOfAnySizeIsNotBelieved) {
  const Bulk bulk;
  for (const std::uint16_t hint : std::to_array<std::uint16_t>({0, 1, 54, 4000, 65535})) {
    VnetHeader header = bulk.header();
    header.header_size = hint;
    EXPECT_EQ(cut(header, bulk.whole()), bulk.segments()) << hint;
  }
}

TEST(HostFrame, AFrameThatIsFinishedPassesAsItIs) {
  const Bytes frame = Bulk{.size = 100}.whole();
  for (const std::uint8_t flags : {std::uint8_t{0}, VnetHeader::kSumRight})
    EXPECT_EQ(cut({.flags = flags}, frame), std::vector<Bytes>{frame});
  // Not judged here: whatever it is, the parser says.
  const Bytes odd(14, 0xff);
  EXPECT_EQ(cut(VnetHeader{}, odd), std::vector<Bytes>{odd});
}

// As a kernel leaves it: the pseudo header's sum in the field.
TEST(HostFrame, AnUnfinishedSumIsFinished) {
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      for (const std::size_t size : {0U, 1U, 2U, 999U, 1400U}) {
        const Bulk bulk{.v4 = v4};
        const auto party = [&](const char* four, const char* six, std::uint16_t port) {
          return Party{*MacAddress::parse("02:00:00:00:20:05"), *IpAddress::parse(v4 ? four : six),
                       port};
        };
        PacketBuilder builder(party("10.20.0.5", "fd00:20::5", 502),
                              party("10.20.0.1", "fd00:20::1", 9));
        builder.payload(bulk.payload(3, size));
        const Bytes right = tcp ? builder.tcp(0x18) : builder.udp();
        const std::size_t at = bulk.l4() + (tcp ? 16 : 6);
        const ConstBytes ip = ConstBytes(right).subspan(14);
        const std::uint32_t seed =
            plain_words(v4 ? ip.subspan(12, 8) : ip.subspan(8, 32),
                        static_cast<std::uint32_t>(right.size() - bulk.l4()) + (tcp ? 6 : 17));
        Bytes unfinished = right;
        unfinished[at] = static_cast<std::uint8_t>(seed >> 8);
        unfinished[at + 1] = static_cast<std::uint8_t>(seed);
        VnetHeader header;
        header.flags = VnetHeader::kNeedsSum;
        header.sum_start = static_cast<std::uint16_t>(bulk.l4());
        header.sum_offset = tcp ? 16 : 6;
        EXPECT_EQ(cut(header, unfinished), std::vector<Bytes>{right}) << v4 << tcp << size;
      }
    }
  }
}

// RFC 768: a sum of zero would say that there is none.
TEST(HostFrame, ASumThatComesToZeroIsSentAsAllOnes) {
  Bytes frame(14 + 8, 0);
  frame[14] = 0xff;
  frame[15] = 0xff;
  const auto made = cut({.flags = VnetHeader::kNeedsSum, .sum_start = 14, .sum_offset = 6}, frame);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made.front()[20], 0xff);
  EXPECT_EQ(made.front()[21], 0xff);
}

TEST(HostFrame, AHeaderThatContradictsItsFrameIsRefused) {
  struct Case {
    const char* name;
    std::function<void(VnetHeader&, Bytes&)> change;
    bool v4 = true;
  };
  const auto at = [](std::size_t where, std::uint8_t value) {
    return [=](VnetHeader&, Bytes& frame) { frame[where] = value; };
  };
  const Case kCases[] = {
      {"no Ethernet header", [](VnetHeader& h, Bytes& f) { h = {}, f.resize(13); }},
      {"longer than anything",
       [](VnetHeader& h, Bytes& f) { h = {}, f.resize(HostFrame::kMaxSize + 1); }},
      {"sum past the end",
       [](VnetHeader& h, Bytes& f) {
         h = {.flags = 1, .sum_start = static_cast<std::uint16_t>(f.size() - 1)};
       }},
      {"sum far past the end",
       [](VnetHeader& h, Bytes&) { h = {.flags = 1, .sum_start = 65535, .sum_offset = 65535}; }},
      {"sum in the link layer", [](VnetHeader& h, Bytes&) { h = {.flags = 1, .sum_start = 13}; }},
      {"unknown kind", [](VnetHeader& h, Bytes&) { h.gso_type = 3; }},
      {"UDP's kind", [](VnetHeader& h, Bytes&) { h.gso_type = 5; }},
      {"nothing but congestion", [](VnetHeader& h, Bytes&) { h.gso_type = 0x80; }},
      {"sum said to be finished", [](VnetHeader& h, Bytes&) { h.flags = 0; }},
      {"segments of nothing", [](VnetHeader& h, Bytes&) { h.gso_size = 0; }},
      {"segments longer than a frame", [](VnetHeader& h, Bytes&) { h.gso_size = 1449; }},
      {"segments of 64 KiB", [](VnetHeader& h, Bytes&) { h.gso_size = 65535; }},
      {"sum starts before TCP", [](VnetHeader& h, Bytes&) { h.sum_start = 33; }},
      {"sum in another field", [](VnetHeader& h, Bytes&) { h.sum_offset = 4; }},
      {"other version by its type", [](VnetHeader& h, Bytes&) { h.gso_type = VnetHeader::kTcp6; }},
      {"IPv6 as IPv4", [](VnetHeader& h, Bytes&) { h.gso_type = VnetHeader::kTcp4; }, false},
      {"tagged", at(12, 0x81)},
      {"other version in its header", at(14, 0x65)},
      {"IPv6 with another version", at(14, 0x40), false},
      {"header of 16 bytes", at(14, 0x44)},
      {"options where TCP is", at(14, 0x46)},
      {"longer than it says", at(17, 0)},
      {"IPv6 longer than it says", at(19, 0), false},
      {"a fragment", at(20, 0x20)},
      {"a later fragment", at(21, 1)},
      {"UDP", at(23, 17)},
      {"IPv6 with an extension", at(20, 0), false},
      {"TCP header of 16 bytes", at(34 + 12, 0x40)},
      {"TCP header past the end",
       [](VnetHeader&, Bytes& f) { f.resize(34 + 40), f[17] = 60, f[16] = 0, f[34 + 12] = 0xf0; }},
      {"no TCP header", [](VnetHeader&, Bytes& f) { f.resize(34 + 19), f[17] = 39, f[16] = 0; }},
      {"no payload", [](VnetHeader&, Bytes& f) { f.resize(34 + 32), f[17] = 52, f[16] = 0; }},
      {"SYN", at(34 + 13, 0x12)},
      {"RST", at(34 + 13, 0x14)},
      {"URG", at(34 + 13, 0x30)},
  };
  for (const Case& c : kCases) {
    const Bulk bulk{.v4 = c.v4};
    VnetHeader header = bulk.header();
    Bytes frame = bulk.whole();
    ASSERT_TRUE(HostFrame::of(header, frame).has_value());
    c.change(header, frame);
    EXPECT_FALSE(HostFrame::of(header, frame).has_value()) << c.name;
  }
}

TEST(HostFrame, ItSaysHowMuchIsLeft) {
  const Bulk bulk{.size = 1400 * 2 + 1};
  const Bytes whole = bulk.whole();
  auto frame = *HostFrame::of(bulk.header(), whole);
  Bytes out;
  for (const std::size_t left : {3U, 2U, 1U}) {
    EXPECT_TRUE(frame.is_super());
    EXPECT_EQ(frame.left(), left);
    EXPECT_EQ(frame.next_size(), 34U + 32 + (left == 1 ? 1 : 1400));
    out.resize(frame.next_size());
    frame.next(out);
  }
  EXPECT_TRUE(frame.done());
  EXPECT_TRUE(HostFrame{}.done());
}

}  // namespace
}  // namespace sallyport::testing
