// Workers that sleep beside each other: what crosses wakes whom it crosses to, every time. What is
// slept through would be met after a whole second: kCount such take five times as long as is
// allowed.
#include <gtest/gtest.h>

#include <random>

#include "dataplane/app/worker.h"
#include "dataplane/stages/parse.h"
#include "policy/os/clock.h"
#include "tests/support/pipeline_world.h"
#include "tests/unit/dataplane/bellwether.h"

namespace sallyport::testing {
namespace {

using dataplane::all_of;
using dataplane::WorkerSlot;

class Sleepers : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kCount = 100;
  static constexpr Duration kLongest = std::chrono::seconds(1);
  static constexpr Duration kAllowed = kCount * kLongest / 5;
  static constexpr Duration kUntilTheySleep = std::chrono::microseconds(300);

  // A device's datagram to a host outside whom policy does not know: its end is that it is dropped,
  // by the worker whose the device is.
  std::vector<std::uint8_t> denied(const char* device) const {
    const Host& host = plant_hosts().at(device);
    return PacketBuilder({host.mac, host.v4, 9},
                         {world_.segment_mac(host.segment), plant_hosts().at("far").v4, 9})
        .udp();
  }
  // SCADA asks, and it leaves by the PLC's port.
  std::vector<std::uint8_t> allowed() const {
    const Host& scada = plant_hosts().at("scada");
    return PacketBuilder({scada.mac, scada.v4, 7},
                         {world_.segment_mac("office"), plant_hosts().at("plc").v4, 0})
        .echo(true);
  }
  WorkerSlot owner_of(const std::vector<std::uint8_t>& frame) const {
    dataplane::Headers h;
    EXPECT_FALSE(dataplane::parse_frame(frame, h));
    return dataplane::Owners(2).of(frame, h, world_.tables());
  }
  // Two of them, each with one port to read.
  struct Seat {
    std::unique_ptr<Bellwether> port;
    dataplane::Events events;
    std::unique_ptr<dataplane::Pipeline> pipeline;
    std::unique_ptr<dataplane::Worker> worker;
  };
  // `read` comes in by `port` at worker `reader`; by "lan1" only `sender` can send.
  void start(WorkerSlot reader, const char* port, const std::vector<std::uint8_t>& read,
             WorkerSlot sender) {
    for (const WorkerSlot i : all_of(2)) {
      Seat& seat = seats_[i];
      seat.port = i == reader ? std::make_unique<Bellwether>(read) : std::make_unique<Bellwether>();
      dataplane::PipelineOptions options;
      options.now = os::steady_now();
      options.flows = 1024;
      options.crew.emplace(i, crossings_);
      seat.pipeline = std::make_unique<dataplane::Pipeline>(options, test_pool(),
                                                            test_datagram_pool(), seat.events);
      seat.pipeline->set_tables(&world_.tables());
      if (i == sender)
        seat.pipeline->exits().attach_port(world_.port_slot("lan1"), out_);
      else
        seat.pipeline->exits().reach_port(world_.port_slot("lan1"),
                                          crossings_.at(i, sender).permitted);
      seat.worker = std::make_unique<dataplane::Worker>(
          *seat.pipeline, taps_,
          std::vector<dataplane::Worker::Port>{{world_.port_slot(port), seat.port.get()}},
          "sleeper", kLongest);
    }
    for (const WorkerSlot i : all_of(2)) {
      const auto other = static_cast<WorkerSlot>(1 - i);
      seats_[i].worker->stand_beside(crossings_.at(i, other), seats_[other].worker->bell());
      ASSERT_TRUE(seats_[i].worker->woken());
    }
    start_ = os::steady_now();
    for (Seat& seat : seats_) seat.worker->start();
  }
  ~Sleepers() override {
    for (Seat& seat : seats_) seat.worker.reset();
  }
  // Keeps this thread's processor; the workers have theirs.
  static void spin(Duration time) {
    for (const Instant start = os::steady_now(); os::steady_now() - start < time;) {
    }
  }
  bool in_time() const { return os::steady_now() - start_ < kAllowed; }
  // What went into the ring between two of them, and has come out of it.
  static bool crossed(const dataplane::PacketRing& ring, std::uint64_t count) {
    return ring.pushed() == count && ring.empty();
  }

  PipelineWorld world_;
  dataplane::Crossings crossings_{2};
  Bellwether out_;
  dataplane::TapThread taps_{test_pool()};
  std::array<Seat, 2> seats_;
  Instant start_;
};

TEST_F(Sleepers, APacketThatCrossesWakesItsOwner) {
  const std::vector<std::uint8_t> frame = denied("plc");
  const WorkerSlot owner = owner_of(frame);
  const auto reader = static_cast<WorkerSlot>(1 - owner);
  start(reader, "lan1", frame, reader);
  const auto& ring = crossings_.at(reader, owner).packets;
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    spin(kUntilTheySleep);
    seats_[reader].port->arrive();
    while (!crossed(ring, i)) ASSERT_TRUE(in_time()) << i << " packets";
  }
  std::array<std::uint64_t, 2> sleeps{};
  for (const WorkerSlot i : all_of(2))
    seats_[i].worker->do_between_bursts([&](auto&) { sleeps[i] = seats_[i].worker->sleeps(); });
  EXPECT_GT(sleeps[0], 0U);
  EXPECT_GT(sleeps[1], 0U);
}

// At every moment of its falling asleep.
TEST_F(Sleepers, WhoIsJustFallingAsleepIsWokenToo) {
  constexpr std::uint64_t kMany = 20 * kCount;
  const std::vector<std::uint8_t> frame = denied("plc");
  const WorkerSlot owner = owner_of(frame);
  const auto reader = static_cast<WorkerSlot>(1 - owner);
  start(reader, "lan1", frame, reader);
  const auto& ring = crossings_.at(reader, owner).packets;
  std::mt19937 random(1);
  for (std::uint64_t i = 1; i <= kMany; ++i) {
    spin(std::chrono::nanoseconds(random() % 60'000));
    seats_[reader].port->arrive();
    while (!crossed(ring, i)) ASSERT_TRUE(in_time()) << i << " packets";
  }
}

TEST_F(Sleepers, APermittedPacketWakesWhoHasThePort) {
  const std::vector<std::uint8_t> frame = allowed();
  const WorkerSlot owner = owner_of(frame);
  const auto sender = static_cast<WorkerSlot>(1 - owner);
  start(owner, "lan3", frame, sender);
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    spin(kUntilTheySleep);
    seats_[owner].port->arrive();
    while (out_.left() < i) ASSERT_TRUE(in_time()) << i << " packets";
  }
}

}  // namespace
}  // namespace sallyport::testing
