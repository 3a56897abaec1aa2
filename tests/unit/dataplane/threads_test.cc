// The worker, the TAP thread and the control thread at once, with a real TAP: what tsan watches.
// Needs root, for a network namespace of its own.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

#include "dataplane/app/workers.h"
#include "policy/os/clock.h"
#include "tests/support/netns.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/process.h"
#include "tests/support/tap_rig.h"

namespace sallyport::testing {
namespace {

using dataplane::Pipeline;

constexpr std::uint64_t kFrames = 20000;

// A wire that brings the same frame over and over, and counts what goes out by it.
class BusyWire final : public dataplane::PortDriver {
 public:
  explicit BusyWire(std::vector<std::uint8_t> frame) : frame_(std::move(frame)) {}
  std::size_t transmit(std::span<dataplane::Packet> burst) noexcept override {
    for (dataplane::Packet& packet : burst) packet.reset();
    sent_.fetch_add(burst.size(), std::memory_order_relaxed);
    return burst.size();
  }
  std::size_t receive(std::span<dataplane::Packet> burst) noexcept override {
    std::size_t count = 0;
    while (count < burst.size() && !frame_.empty()) {
      burst[count] = test_pool().copy_of(frame_);
      if (!burst[count]) break;
      ++count;
    }
    return count;
  }
  std::uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }

 private:
  std::vector<std::uint8_t> frame_;
  std::atomic<std::uint64_t> sent_{0};
};

std::vector<std::uint8_t> meter_pings_gateway(const PipelineWorld& world) {
  const Host& meter = plant_hosts().at("meter");
  return PacketBuilder({meter.mac, meter.v4, 7},
                       {world.segment_mac("field"), *IpAddress::parse("10.20.0.1"), 0})
      .echo(true);
}

std::vector<std::uint8_t> scada_polls_plc(const PipelineWorld& world) {
  const Host& scada = plant_hosts().at("scada");
  const Host& plc = plant_hosts().at("plc");
  return PacketBuilder({scada.mac, scada.v4, 7}, {world.segment_mac("office"), plc.v4, 0})
      .echo(true);
}

TEST(Threads, WorkerTapThreadAndControlThreadShareNothingUnguarded) {
  if (!is_root()) GTEST_SKIP() << "needs root for a network namespace";
  PipelineWorld world;
  Pipeline& pipeline = world.pipeline();
  const dataplane::Tables* const tables = pipeline.tables();
  const std::uint16_t field = world.segment_slot("field");
  BusyWire lan1({});
  BusyWire lan2(meter_pings_gateway(world));
  BusyWire lan3(scada_polls_plc(world));
  pipeline.exits().attach_port(world.port_slot("lan1"), lan1);
  pipeline.exits().attach_port(world.port_slot("lan2"), lan2);
  pipeline.exits().attach_port(world.port_slot("lan3"), lan3);
  pipeline.exits().observe(nullptr);

  Namespace inside("field");
  os::UniqueFd tap = make_tap(inside);
  inside.ip({"link", "set", "tap0", "address", world.segment_mac("field").to_string(), "up"});
  inside.ip({"addr", "add", "10.20.0.1/24", "dev", "tap0"});
  dataplane::TapThread taps(test_pool());
  ASSERT_TRUE(taps.start());
  dataplane::HostStackRings rings;
  ASSERT_TRUE(taps.attach(field, std::move(tap), rings));
  pipeline.exits().attach_host_stack(field, rings);

  dataplane::Worker worker(pipeline, taps,
                           {{world.port_slot("lan1"), &lan1},
                            {world.port_slot("lan2"), &lan2},
                            {world.port_slot("lan3"), &lan3}});
  worker.start();
  std::uint64_t received = 0;
  std::uint64_t swaps = 0;
  // The host stack hears the meter and questions come back out of it, while tables are swapped and
  // counters read.
  ASSERT_TRUE(wait_until(
      [&] {
        worker.do_between_bursts([&](Pipeline& p) {
          EXPECT_GE(p.counters().received, received);
          received = p.counters().received;
          p.set_tables(++swaps % 4 == 0 ? nullptr : tables);
        });
        return received > kFrames && lan1.sent() > kFrames / 100 && taps.counters().to_host > 100 &&
               taps.counters().from_host > 0;
      },
      std::chrono::seconds(60)))
      << received << " received, " << lan1.sent() << " forwarded, " << taps.counters().to_host
      << " to and " << taps.counters().from_host << " from the host stack";
  // The TAP goes while both of its rings are busy.
  worker.do_between_bursts([&](Pipeline& p) { p.exits().detach_host_stack(field); });
  taps.detach(field);
  worker.do_between_bursts([&](Pipeline& p) { received = p.counters().received; });
  EXPECT_TRUE(wait_until([&] {
    std::uint64_t later = 0;
    worker.do_between_bursts([&](Pipeline& p) { later = p.counters().received; });
    return later > received;
  }));
}

// Packets of each cross to the other while tables are swapped and everything is read.
TEST(Threads, TwoWorkersAndControlThreadShareNothingUnguarded) {
  PipelineWorld world;  // whose tables these are
  const dataplane::Tables* const tables = world.pipeline().tables();
  dataplane::PipelineOptions options;
  options.now = os::steady_now();
  BusyWire lan1({});
  BusyWire first(scada_polls_plc(world)), second(scada_polls_plc(world));
  dataplane::TapThread taps(test_pool());
  auto workers = dataplane::Workers::make(2, options);
  ASSERT_TRUE(workers) << workers.error().context;
  const std::array<dataplane::PortDriver*, 1> to{&lan1};
  const std::array<dataplane::PortDriver*, 2> both{&first, &second};
  (*workers)->attach(world.port_slot("lan1"), to, to);
  (*workers)->attach(world.port_slot("lan3"), both, both);
  (*workers)->prepare(taps);
  (*workers)->start();
  std::uint64_t swaps = 0;
  EXPECT_TRUE(wait_until(
      [&] {
        dataplane::Counters sum;
        ++swaps;
        (*workers)->on_each([&](dataplane::Worker& worker, Pipeline& p) {
          p.set_tables(swaps % 4 == 0 ? nullptr : tables);
          sum += p.counters();
          EXPECT_EQ(p.counters().came(), p.counters().accounted_for());
          EXPECT_FALSE(worker.loads().empty());
        });
        (*workers)->watch(os::steady_now());
        return sum.handed_over > kFrames && sum.taken_over > kFrames && lan1.sent() > kFrames;
      },
      std::chrono::seconds(60)))
      << lan1.sent() << " forwarded";
}

// A port that would wake the worker, and has nothing to wake it for.
class QuietWire final : public dataplane::PortDriver {
 public:
  std::size_t transmit(std::span<dataplane::Packet> /*burst*/) noexcept override { return 0; }
  std::size_t receive(std::span<dataplane::Packet> /*burst*/) noexcept override { return 0; }
  int arrivals() const noexcept override { return fd_.get(); }

 private:
  os::UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

// Slept through, each frame would wait for the second that this worker sleeps.
TEST(Threads, EachFrameOutOfAHostStackWakesASleepingWorker) {
  if (!is_root()) GTEST_SKIP() << "needs root for a network namespace";
  constexpr std::uint64_t kSingly = 20;
  PipelineWorld world;
  const std::uint16_t field = world.segment_slot("field");
  QuietWire lan1;
  world.pipeline().exits().attach_port(world.port_slot("lan1"), lan1);
  world.pipeline().exits().observe(nullptr);
  Namespace inside("field");
  os::UniqueFd tap = make_tap(inside);
  ASSERT_TRUE(tap);
  inside.ip({"link", "set", "tap0", "up"});
  dataplane::TapThread taps(test_pool());
  dataplane::Worker worker(world.pipeline(), taps, {{world.port_slot("lan1"), &lan1}}, "sleeper",
                           std::chrono::seconds(1));
  ASSERT_TRUE(worker.woken());
  dataplane::HostStackRings rings;
  rings.worker = worker.bell();
  ASSERT_TRUE(taps.start());
  ASSERT_TRUE(taps.attach(field, std::move(tap), rings));
  world.pipeline().exits().attach_host_stack(field, rings);
  worker.start();
  Wire wire(inside, "tap0");
  const std::vector<std::uint8_t> frame = meter_pings_gateway(world);
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kSingly; ++i) {
    const std::uint64_t before = taps.counters().from_host;
    wire.send(frame);
    ASSERT_TRUE(
        wait_until([&] { return taps.counters().from_host > before && rings.from_host.empty(); }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(kSingly / 3));
  worker.do_between_bursts([&](Pipeline& p) { p.exits().detach_host_stack(field); });
  taps.detach(field);
}

// A driver that never comes back.
class StuckWire final : public dataplane::PortDriver {
 public:
  std::size_t transmit(std::span<dataplane::Packet> /*burst*/) noexcept override { return 0; }
  std::size_t receive(std::span<dataplane::Packet> /*burst*/) noexcept override {
    reached_ = true;
    for (std::atomic<bool> never = false; !never;) never.wait(false);
    return 0;
  }
  bool reached() const { return reached_; }

 private:
  std::atomic<bool> reached_ = false;
};

// Looks twice a second of a clock that the test turns.
void look(dataplane::Worker& worker, Duration time) {
  static Instant now = PipelineWorld::kStart;
  for (const Instant end = now + time; now < end; now = now + std::chrono::milliseconds(500))
    worker.watch(now);
}

TEST(Watch, AWorkerThatIsStuckEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto wait_for_the_end = [] {
    PipelineWorld world;
    StuckWire wire;
    dataplane::TapThread taps(test_pool());
    dataplane::Worker worker(world.pipeline(), taps, {{world.port_slot("lan1"), &wire}});
    worker.start();
    if (!wait_until([&] { return wire.reached(); })) std::_Exit(1);
    look(worker, dataplane::Worker::kLongestTurn - std::chrono::seconds(1));
    std::fputs("still there\n", stderr);
    look(worker, std::chrono::seconds(2));
    std::_Exit(2);
  };
  EXPECT_EXIT(wait_for_the_end(), ::testing::ExitedWithCode(dataplane::Worker::kStalledExit),
              "still there\n.*has not come round");
}

TEST(Watch, AWorkerThatTurnsIsLeftAlone) {
  PipelineWorld world;
  BusyWire wire({});
  dataplane::TapThread taps(test_pool());
  dataplane::Worker worker(world.pipeline(), taps, {{world.port_slot("lan1"), &wire}});
  worker.start();
  for (int i = 0; i < 20; ++i) {
    look(worker, dataplane::Worker::kLongestTurn - std::chrono::seconds(1));
    worker.do_between_bursts([](dataplane::Pipeline&) {});
  }
}

}  // namespace
}  // namespace sallyport::testing
