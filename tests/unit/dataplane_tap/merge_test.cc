#include "dataplane/tap/merge.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "dataplane/stages/parse.h"
#include "dataplane/tap/host_frame.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/plain_sums.h"
#include "tests/unit/dataplane_tap/bulk.h"

namespace sallyport::testing {
namespace {

using dataplane::HostFrame;
using dataplane::Merged;
using dataplane::MergedHead;
using dataplane::Merger;
using dataplane::Packet;
using dataplane::VnetHeader;

struct Written {
  VnetHeader header;
  Bytes frame;
  std::size_t packets;
};

// What a host stack would be given.
class Collector final : public dataplane::MergedWriter {
 public:
  void write(Merged& merged) noexcept override {
    Written out{{}, {}, merged.count};
    const auto append = [&](ConstBytes bytes) {
      out.frame.insert(out.frame.end(), bytes.begin(), bytes.end());
    };
    if (merged.count == 1) {
      append(merged.packets.front().bytes());
    } else {
      const MergedHead head = head_of(merged);
      out.header = head.header;
      append(head.bytes());
      for (std::size_t i = 0; i < merged.count; ++i) append(payload_of(merged.packets[i]));
    }
    written.push_back(std::move(out));
  }
  std::vector<Written> written;
};

Packet packet_of(ConstBytes frame) {
  Packet packet = test_pool().copy_of(frame);
  EXPECT_TRUE(packet);
  EXPECT_FALSE(dataplane::parse_frame(packet.bytes(), packet.meta().headers)) << as_scapy(frame);
  return packet;
}

std::vector<Written> merge(const std::vector<Bytes>& frames) {
  Collector out;
  Merger merger;
  for (const Bytes& frame : frames) merger.add(packet_of(frame), out);
  merger.flush(out);
  return std::move(out.written);
}

std::vector<Bytes> cut_again(const std::vector<Written>& written) {
  std::vector<Bytes> out;
  for (const Written& each : written) {
    auto frame = HostFrame::of(each.header, each.frame);
    EXPECT_TRUE(frame.has_value());
    while (frame && !frame->done()) {
      out.emplace_back(frame->next_size());
      frame->next(out.back());
    }
  }
  return out;
}

std::uint32_t seed_in(const Written& written) {
  const std::size_t at =
      static_cast<std::size_t>(written.header.sum_start) + written.header.sum_offset;
  return static_cast<std::uint32_t>(written.frame[at] << 8 | written.frame[at + 1]);
}

TEST(Merge, WhatWasMergedIsCutIntoTheSamePacketsAgain) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::size_t merged = 0;
  for (int i = 0; i < 1000; ++i) {
    const Bulk bulk = random_bulk(random);
    const auto segments = bulk.segments();
    const auto written = merge(segments);
    ASSERT_EQ(written.size(), (segments.size() + Merged::kMost - 1) / Merged::kMost);
    ASSERT_EQ(cut_again(written), segments);
    for (const Written& each : written) {
      if (each.packets == 1) continue;
      ++merged;
      // The kernel finishes the sum from the seed; then all of it must be right.
      Bytes finished = each.frame;
      const ConstBytes covered = ConstBytes(finished).subspan(each.header.sum_start);
      const std::uint32_t sum = ~plain_words(covered) & 0xffff;
      const std::size_t at = bulk.l4() + 16;
      finished[at] = static_cast<std::uint8_t>(sum >> 8);
      finished[at + 1] = static_cast<std::uint8_t>(sum);
      ASSERT_EQ(wrong_with(finished), "") << seed_in(each);
      ASSERT_EQ(each.header.gso_size, bulk.step);
      ASSERT_EQ(each.header.header_size, bulk.l4() + bulk.tcp_size());
    }
  }
  EXPECT_GT(merged, 300U);
}

// The second of three, changed; what must not be merged is written alone, in its place.
TEST(Merge, WhatDoesNotFollowIsNotMerged) {
  struct Case {
    const char* name;
    std::function<void(Bytes&)> change;
    bool v4 = true;
    std::size_t frames = 3;  // that are written
  };
  const auto at = [](std::size_t where, unsigned mask) {
    return [=](Bytes& frame) { frame[where] = static_cast<std::uint8_t>(frame[where] ^ mask); };
  };
  const Case kCases[] = {
      {"unchanged", [](Bytes&) {}, true, 1},
      {"IPv6 unchanged", [](Bytes&) {}, false, 1},
      {"other source MAC", at(11, 2)},
      {"other class of service", at(15, 4)},
      {"other traffic class", at(15, 0x10), false},
      {"other flow label", at(17, 1), false},
      {"identifier that jumps", at(19, 4)},
      {"do not fragment", at(20, 0x40)},
      {"other hop limit", at(22, 1)},
      {"IPv6 other hop limit", at(21, 1), false},
      {"other acknowledgement", at(34 + 11, 1)},
      {"sequence that jumps", at(34 + 7, 1)},
      {"IPv6 sequence that jumps", at(54 + 7, 1), false},
      {"other window", at(34 + 15, 1)},
      {"other option", at(34 + 31, 1)},
      {"ECE", at(34 + 13, 0x40)},
      {"CWR", at(34 + 13, 0x80), true, 2},  // begins anew
      {"PSH", at(34 + 13, 0x08), true, 2},  // ends what it belongs to
      {"FIN", at(34 + 13, 0x01), true, 2},
      {"IPv6 PSH", at(54 + 13, 0x08), false, 2},
  };
  for (const Case& c : kCases) {
    std::vector<Bytes> frames = Bulk{.v4 = c.v4, .size = 300, .step = 100, .id = 1}.segments();
    c.change(frames[1]);
    // The sums must follow, or nothing is merged for their sake.
    const std::size_t sum_at = (c.v4 ? 34U : 54U) + 16;
    frames[1][sum_at] = frames[1][sum_at + 1] = 0;
    reseal(frames[1]);
    std::uint32_t sum = plain_words(ConstBytes(frames[1]).subspan(c.v4 ? 26 : 22, c.v4 ? 8 : 32));
    sum = plain_words(ConstBytes(frames[1]).subspan(sum_at - 16),
                      sum + 6 + static_cast<std::uint32_t>(frames[1].size() - sum_at + 16));
    frames[1][sum_at] = static_cast<std::uint8_t>(~sum >> 8);
    frames[1][sum_at + 1] = static_cast<std::uint8_t>(~sum);
    ASSERT_EQ(wrong_with(frames[1]), "") << c.name;
    const auto written = merge(frames);
    EXPECT_EQ(written.size(), c.frames) << c.name;
    EXPECT_EQ(cut_again(written), frames) << c.name;
  }
}

TEST(Merge, AWrongSumIsLeftForTheStackToRefuse) {
  for (const bool v4 : {true, false}) {
    for (const std::size_t wrong : {0U, 1U, 2U}) {
      auto frames = Bulk{.v4 = v4, .size = 300, .step = 100}.segments();
      frames[wrong].back() ^= 1;
      const auto written = merge(frames);
      EXPECT_EQ(written.size(), wrong == 1 ? 3U : 2U);
      for (const Written& each : written) {
        if (each.packets != 1 || each.frame != frames[wrong]) continue;
        EXPECT_EQ(each.header.flags, 0) << "nobody vouches for it";
      }
      EXPECT_EQ(cut_again(written), frames);
    }
  }
}

TEST(Merge, AnIdentifierMayStandStillWhereNothingIsCut) {
  for (const bool uncut : {true, false}) {
    std::vector<Bytes> frames;
    for (std::size_t i = 0; i < 3; ++i) {
      frames.push_back(Bulk{.uncut = uncut}.frame(i * 100, 100, 0, 0x10));
    }
    EXPECT_EQ(merge(frames).size(), uncut ? 1U : 3U);
  }
  // But it does not begin to count later, nor stop.
  for (const auto& ids : {std::array{0U, 0U, 1U}, std::array{0U, 1U, 0U}}) {
    std::vector<Bytes> frames;
    for (const std::size_t id : ids)
      frames.push_back(Bulk{.uncut = true}.frame(frames.size() * 100, 100, id, 0x10));
    EXPECT_EQ(merge(frames).size(), 2U);
  }
}

TEST(Merge, ASegmentThatIsLargerThanTheFirstBeginsAnew) {
  const Bulk bulk;
  EXPECT_EQ(merge({bulk.frame(0, 100, 0, 0x10), bulk.frame(100, 101, 1, 0x10)}).size(), 2U);
  EXPECT_EQ(merge({bulk.frame(0, 100, 0, 0x10), bulk.frame(100, 99, 1, 0x10),
                   bulk.frame(199, 99, 2, 0x10)})
                .size(),
            2U);
}

TEST(Merge, ResetsAndUrgentDataAreNeverMerged) {
  const Bulk bulk;
  for (const std::uint8_t flags : std::to_array<std::uint8_t>({0x14, 0x30})) {
    const std::vector<Bytes> frames = {bulk.frame(0, 100, 0, flags),
                                       bulk.frame(100, 100, 1, flags)};
    const auto written = merge(frames);
    EXPECT_EQ(written.size(), 2U);
    EXPECT_EQ(cut_again(written), frames);
  }
}

TEST(Merge, WhatCarriesNothingIsNotKept) {
  Collector out;
  Merger merger;
  const Bulk bulk;
  for (const std::uint8_t flags : std::to_array<std::uint8_t>({0x10, 0x12, 0x14}))
    merger.add(packet_of(bulk.frame(0, 0, 0, flags)), out);
  merger.add(packet_of(bulk.frame(0, 10, 0, 0x18)), out);  // nothing can follow
  EXPECT_EQ(out.written.size(), 4U);
  // It overtakes nothing of its flow.
  merger.add(packet_of(bulk.frame(0, 10, 0, 0x10)), out);
  EXPECT_EQ(out.written.size(), 4U);
  merger.add(packet_of(bulk.frame(10, 0, 1, 0x10)), out);
  ASSERT_EQ(out.written.size(), 6U);
  EXPECT_EQ(out.written[4].frame, bulk.frame(0, 10, 0, 0x10));
  merger.flush(out);
  EXPECT_EQ(out.written.size(), 6U);
}

TEST(Merge, NoMoreThanAnIpPacketCanState) {
  Bulk bulk{.v4 = false, .step = 1428};
  bulk.size = bulk.step * 46;
  const auto written = merge(bulk.segments());
  ASSERT_EQ(written.size(), 2U);
  EXPECT_LE(written[0].frame.size(), HostFrame::kMaxSize);
  EXPECT_EQ(cut_again(written), bulk.segments());
}

// Of many flows at a time each keeps its order, whatever comes between.
TEST(Merge, FlowsDoNotDisturbEachOther) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::map<std::uint16_t, std::vector<Bytes>> sent;
  std::map<std::uint16_t, std::size_t> position;
  Collector out;
  Merger merger;
  const auto port_of = [](const Bytes& frame) {
    const std::size_t l4 = frame[12] == 0x08 ? 34 : 54;
    return static_cast<std::uint16_t>(frame[l4] << 8 | frame[l4 + 1]);
  };
  for (int i = 0; i < 3000; ++i) {
    const auto port = static_cast<std::uint16_t>(1000 + random() % 12);
    const std::uint8_t flags = random() % 20 == 0 ? 0x18 : 0x10;
    const std::size_t size = random() % 10 == 0 ? 0 : 100;
    Bytes frame =
        PacketBuilder(
            {*MacAddress::parse("02:00:00:00:20:05"), *IpAddress::parse("10.20.0.5"), port},
            {*MacAddress::parse("02:00:00:00:00:01"), *IpAddress::parse("10.20.0.1"), 502})
            .may_be_cut(static_cast<std::uint16_t>(sent[port].size()))
            .sequence(static_cast<std::uint32_t>(position[port]), 1)
            .payload(Bytes(size, static_cast<std::uint8_t>(i)))
            .tcp(flags);
    position[port] += size;
    merger.add(packet_of(frame), out);
    sent[port].push_back(std::move(frame));
    if (random() % 50 == 0) merger.flush(out);
  }
  merger.flush(out);
  EXPECT_LT(out.written.size(), 2900U);
  std::map<std::uint16_t, std::vector<Bytes>> arrived;
  for (Bytes& frame : cut_again(out.written)) arrived[port_of(frame)].push_back(std::move(frame));
  EXPECT_EQ(arrived, sent);
}

}  // namespace
}  // namespace sallyport::testing
