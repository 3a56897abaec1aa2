#include "tests/support/hostile_corpus.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace sallyport::testing {
namespace {

HostileWorld world() {
  const auto host = [](std::uint8_t n) {
    std::array<std::uint8_t, 16> v6{0xfd, 0, 0, 0x20};
    v6[15] = n;
    return HostileHost{MacAddress({2, 0, 0, 0, 0x20, n}), IpAddress::v4(0x0a140000U + n),
                       IpAddress::v6(v6)};
  };
  return {host(5), host(1), {host(6), host(7)}};
}

TEST(HostileCorpus, TheSameSeedGivesTheSameFrames) {
  HostileCorpus a(7, world());
  HostileCorpus b(7, world());
  HostileCorpus other(8, world());
  bool differs = false;
  for (int i = 0; i < 2000; ++i) {
    const auto frame = a.next().bytes;
    EXPECT_EQ(frame, b.next().bytes);
    differs = differs || frame != other.next().bytes;
  }
  EXPECT_TRUE(differs);
}

TEST(HostileCorpus, EveryKindComesInTurnAndVaries) {
  HostileCorpus corpus(1, world());
  std::map<std::string, std::set<std::vector<std::uint8_t>>> seen;
  const std::size_t rounds = 300;
  for (std::size_t i = 0; i < rounds * HostileCorpus::kinds().size(); ++i) {
    const HostileFrame& frame = corpus.next();
    seen[std::string(frame.kind)].insert(frame.bytes);
  }
  EXPECT_EQ(seen.size(), HostileCorpus::kinds().size());
  for (const auto& [kind, frames] : seen) EXPECT_GT(frames.size(), 20U) << kind;
}

TEST(HostileCorpus, HoldsEveryTcpFlagSetInBothVersions) {
  HostileCorpus corpus(1, world());
  std::set<std::pair<std::uint8_t, std::uint8_t>> seen;
  for (std::size_t i = 0; i < 4096 * HostileCorpus::kinds().size() && seen.size() < 512; ++i) {
    const HostileFrame& frame = corpus.next();
    if (frame.kind != "every-tcp-flag-set") continue;
    const bool v4 = frame.bytes[12] == 0x08;
    seen.insert({v4 ? 4 : 6, frame.bytes[14 + (v4 ? 20U : 40U) + 13]});
  }
  EXPECT_EQ(seen.size(), 512U);
}

}  // namespace
}  // namespace sallyport::testing
