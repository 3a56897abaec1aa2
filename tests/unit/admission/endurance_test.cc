// Twenty-four simulated hours of storms, one after another: nothing drifts.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/admission_world.h"

namespace sallyport::admission::test {
namespace {

struct Storm {
  Duration took;
  std::uint32_t stray = 0;  // turns that found nobody
};

class Day {
 public:
  static constexpr std::uint32_t kClients = 120;

  explicit Day(std::uint32_t seed)
      : random_(seed),
        world_({.rate = 100,
                .inflight = 64,
                .per_device = 1,
                .weights = {1, 2},
                .pairs_per_lane = kClients / 2,
                .parallel = 2}) {}

  // Everyone dials within two seconds, gives up after ten, pauses five and dials again, until all
  // are connected. One handshake in twenty fails in one way or another.
  Storm storm() {
    struct Client {
      Duration next;  // when it sends
      Duration until;
      std::uint16_t port = 0;
      bool connected = false;
    };
    std::vector<Client> clients(kClients);
    for (Client& c : clients) {
      c.next = world_.now + Duration(random_() % 2'000 * 1ms);
      c.until = c.next + 10s;
      c.port = ++port_;
    }
    const Duration begin = world_.now;
    std::uint32_t connected = 0;
    Storm out;
    while (connected < kClients && world_.now < begin + 120s) {
      world_.now += 4ms;
      for (std::uint32_t i = 0; i < kClients; ++i) {
        Client& c = clients[i];
        if (c.connected || world_.now < c.next) continue;
        if (world_.now >= c.until) {
          c.next = c.until + 5s;
          c.until = c.next + 10s;
          c.port = ++port_;
          continue;
        }
        c.next = world_.now + 1s;
        const Decision d = world_.arrive(pair(i), syn(c.port, i));
        if (d.verdict == Verdict::kPass)
          flying_.push_back({world_.released(d), i, world_.now + 60ms});
      }
      for (const Released& r : world_.poll()) {
        const std::uint32_t i = client(r.pair);
        const bool there = !clients[i].connected && world_.now >= clients[i].next - 1s &&
                           world_.now < clients[i].until;
        if (!there) ++out.stray;
        flying_.push_back({r, there ? i : kNone, world_.now + (there ? 60ms : 2ms)});
      }
      std::erase_if(flying_, [&](const Flight& f) {
        if (f.end > world_.now) return false;
        if (f.client == kNone) {
          world_.finish(f.released, Outcome::kClientLeft);
          return true;
        }
        const bool works = random_() % 20 != 0;
        const bool counted = world_.finish(
            f.released, works ? Outcome::kEstablished : static_cast<Outcome>(1 + random_() % 3),
            20ms);
        Client& c = clients[f.client];
        if (works && counted && !c.connected) {
          c.connected = true;
          ++connected;
        }
        return true;
      });
    }
    out.took = world_.now - begin;
    return out;
  }

  // Nothing happens until `when`; the worker polls now and then.
  void quiet_until(Duration when) {
    for (; world_.now < when; world_.now += 50ms) world_.poll();
  }
  World& world() { return world_; }

 private:
  struct Flight {
    Released released;
    std::uint32_t client;
    Duration end;
  };
  PairId pair(std::uint32_t client) const {
    return world_.pair(client < kClients / 2 ? 0 : 1, client % (kClients / 2));
  }
  std::uint32_t client(PairId pair) const { return pair / 2; }

  Dice random_;
  World world_;
  std::vector<Flight> flying_;
  std::uint16_t port_ = 0;
};

TEST(Endurance, ADayOfStormsEndsAsItBegan) {
  Day day(1);
  std::vector<Duration> took;
  std::uint64_t stray = 0;
  Dice random(2);
  while (day.world().now < 24h) {
    const Storm storm = day.storm();
    ASSERT_LT(storm.took, 30s) << "after " << took.size() << " storms";
    took.push_back(storm.took);
    stray += storm.stray;
    // From no pause at all to longer than any place is kept.
    day.quiet_until(day.world().now + Duration(random() % 900 * 1s));
    ASSERT_EQ(day.world().in_flight(), 0U) << "after " << took.size() << " storms";
    ASSERT_TRUE(day.world().engine().idle());
    if (took.size() % 16 == 0) day.world().engine().audit();
  }
  ASSERT_GT(took.size(), 150U);
  const auto middle = [](std::vector<Duration> some) {
    std::ranges::sort(some);
    return some[some.size() / 2];
  };
  const std::size_t quarter = took.size() / 4;
  const auto first =
      middle({took.begin() + 2, took.begin() + 2 + static_cast<std::ptrdiff_t>(quarter)});
  const auto last = middle({took.end() - static_cast<std::ptrdiff_t>(quarter), took.end()});
  EXPECT_LE(last, first + first / 10) << first.count() << " then " << last.count();
  EXPECT_GE(last, first - first / 10);
  EXPECT_LT(stray, took.size() * 12);
}

// The ticks wrap after 52 days; a storm across the wrap is like any other.
TEST(Endurance, AStormAcrossTheWrapOfTheTicks) {
  Day day(3);
  const std::int64_t wrap = std::int64_t{1} << (32 + kTickShift);
  const Duration until = Duration(wrap - at(Duration(0)).ns() - Duration(1500ms).count());
  Duration before{};
  for (int i = 0; i < 3; ++i) before = day.storm().took;
  day.quiet_until(day.world().now + 1s);
  day.world().now = until;
  const Storm storm = day.storm();
  EXPECT_GT(day.world().now, until + 1500ms);
  EXPECT_LE(storm.took, 2 * before);
  EXPECT_LE(day.storm().took, 2 * before);
  day.world().engine().audit();
}

// A clock that jumps back counts as standing still; one that jumps ahead loses at most what waited.
TEST(Endurance, AClockThatJumps) {
  Day day(4);
  for (int i = 0; i < 3; ++i) day.storm();
  World& world = day.world();
  for (std::uint32_t i = 0; i < 60; ++i) world.arrive(world.pair(0, i), syn(60'000, i));
  const Duration now = world.now;
  world.now -= 1h;
  for (int i = 0; i < 100; ++i) world.poll();
  EXPECT_LE(world.in_flight(), 64U);
  world.now = now + 26h * 24;  // 26 days
  for (int i = 0; i < 100; ++i) {
    world.now += 1ms;
    for (const Released& r : world.poll()) world.finish(r, Outcome::kClientLeft);
  }
  world.engine().audit();
  day.quiet_until(world.now + 20s);
  EXPECT_EQ(world.in_flight(), 0U);
  EXPECT_LT(day.storm().took, 30s);
}

}  // namespace
}  // namespace sallyport::admission::test
