// The hostile corpus through the real pipeline: more than 1,000,000 frames over every ordered pair
// of ports, against a gateway without policy (nothing leaves) and against one with a plant behind
// it (what leaves is what some conduit, service or open flow allows, judged beside the product).
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/exit_judge.h"
#include "tests/support/hostile_corpus.h"

namespace sallyport::testing {
namespace {

constexpr std::uint64_t kSeed = 20261123;
// Twelve ordered pairs of the plant's four ports.
constexpr int kFramesWithoutPolicy = 24'000;  // for each: 288,000
constexpr int kFramesWithPolicy = 60'000;     // for each: 720,000
static_assert(12 * (kFramesWithoutPolicy + kFramesWithPolicy) >= 1'000'000);
constexpr std::size_t kBufferSize = 2048;  // longer frames come from a driver in several

constexpr auto kPorts = std::to_array<const char*>({"lan1", "lan2", "lan3", "wan"});

std::vector<const Host*> hosts_of(std::string_view port) {
  std::vector<const Host*> out;
  for (const auto& [name, host] : plant_hosts()) {
    if (host.port == port) out.push_back(&host);
  }
  return out;
}

HostileHost as_hostile(const Host& host) { return {host.mac, host.v4, host.v6}; }

HostileHost gateway_of(const PipelineWorld& world, const std::string& segment) {
  for (const model::Segment& s : plant().segments) {
    if (s.name == segment)
      return {world.segment_mac(segment), s.addresses[0].address, s.addresses[1].address};
  }
  ADD_FAILURE() << "no segment " << segment;
  return {};
}

// One frame as a driver hands it up.
std::vector<Frame> put(PipelineWorld& world, const std::string& port, ConstBytes frame) {
  if (frame.size() > kBufferSize) {
    world.next_fault(dataplane::RxFault::kChained);
    frame = frame.first(kBufferSize);
  }
  return world.receive(port, frame);
}

struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t left = 0;
  std::map<std::string, std::uint64_t, std::less<>> reasons;
  void print(const char* what) const {
    fmt::print("hostile corpus {}: seed {}, {} frames, {} answers or passages\n", what, kSeed, sent,
               left);
    for (const auto& [reason, count] : reasons) fmt::print("  {:24} {}\n", reason, count);
  }
};

// Each ordered pair of ports: hosts of `from` take turns at attacking those of `to`. `judge` says
// why something may not have left, or nothing.
template <class Judge>
Tally attack(PipelineWorld& world, int frames, Judge judge) {
  Tally tally;
  std::uint64_t seed = kSeed;
  for (const char* from : kPorts) {
    for (const char* to : kPorts) {
      if (std::string_view(from) == to) continue;
      const auto attackers = hosts_of(from);
      for (const Host* self : attackers) {
        HostileWorld targets{as_hostile(*self), gateway_of(world, self->segment), {}};
        for (const Host* other : hosts_of(to)) targets.others.push_back(as_hostile(*other));
        HostileCorpus corpus(++seed, targets);
        const int share =
            (frames + static_cast<int>(attackers.size()) - 1) / static_cast<int>(attackers.size());
        for (int i = 0; i < share; ++i, ++tally.sent) {
          const HostileFrame& frame = corpus.next();
          world.watch(i % 2 == 0);  // both ways through the pipeline
          for (const Frame& left : put(world, self->port, frame.bytes)) {
            ++tally.left;
            const std::string why = judge(*self, ConstBytes(frame.bytes), left);
            EXPECT_EQ(why, "") << frame.kind << ", " << from << " to " << to << ", left by "
                               << left.where << ": " << as_scapy(frame.bytes) << " as "
                               << as_scapy(left.bytes);
            if (::testing::Test::HasFailure()) return tally;
          }
          if (const auto& drop = world.verdict().drop) {
            ++tally.reasons[std::string(to_string(*drop))];
          }
          if (i % 64 == 0) world.wait(std::chrono::milliseconds(50));
        }
      }
    }
  }
  return tally;
}

TEST(HostileCorpus, NothingLeavesWithoutPolicy) {
  const std::uint32_t free_before = test_pool().free_count();
  {
    PipelineWorld world(std::nullopt);
    const Tally tally =
        attack(world, kFramesWithoutPolicy,
               [](const Host&, ConstBytes, const Frame&) { return "nothing may leave at all"; });
    tally.print("without policy");
    EXPECT_EQ(tally.left, 0U);
    const dataplane::Counters& c = world.pipeline().counters();
    EXPECT_EQ(c.received, tally.sent);
    EXPECT_EQ(c.originated + c.forwarded + c.to_host + c.consumed + c.held, 0U)
        << "every frame was dropped, none was answered, kept or made";
  }
  EXPECT_EQ(test_pool().free_count(), free_before) << "packets leak";
}

TEST(HostileCorpus, WithAPolicyInForceOnlyWhatItAllowsLeaves) {
  const std::uint32_t free_before = test_pool().free_count();
  {
    const model::Gateway gateway = plant();
    PipelineWorld world(gateway);
    world.wait(dataplane::Pipeline::kRestartGrace);  // resets would be answers, too
    ExitJudge judge(gateway, world);
    const Tally tally =
        attack(world, kFramesWithPolicy, [&](const Host& sender, ConstBytes in, const Frame& out) {
          return judge.judge(sender, in, out);
        });
    tally.print("with a policy in force");
    EXPECT_GT(tally.left, 500U) << "the plant's conduits carry something";
    EXPECT_GE(tally.reasons.size(), 45U) << "the corpus should meet most reasons";
    EXPECT_EQ(world.pipeline().counters().received, tally.sent);
    world.wait(std::chrono::seconds(10));
  }
  EXPECT_EQ(test_pool().free_count(), free_before) << "packets leak";
}

}  // namespace
}  // namespace sallyport::testing
