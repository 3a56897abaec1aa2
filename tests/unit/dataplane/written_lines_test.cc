// Two workers at full load write no cache line in common but those through which packets cross, by
// the address of every store of theirs. In preset tsan, without its runtime
// (tests/support/written_lines.h).
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>

#include "dataplane/app/workers.h"
#include "policy/os/clock.h"
#include "tests/support/dpdk_memory.h"
#include "tests/support/process.h"
#include "tests/support/written_lines.h"
#include "tests/unit/dataplane/owned_traffic.h"

namespace sallyport::testing {
namespace {

using dataplane::all_of;
using dataplane::Pipeline;
using dataplane::WorkerSlot;

constexpr std::uint64_t kFrames = 20000;
constexpr Duration kLongEnough =
    std::chrono::milliseconds(300);  // for what comes ten times a second
constexpr const char* kPorts[] = {"lan1", "lan2", "lan3", "wan"};

// A port's end at one of the workers: brings the same frames over and over.
class alignas(dataplane::kCacheLine) Wire final : public dataplane::PortDriver {
 public:
  Wire(WorkerSlot worker, dataplane::PacketPool& pool) : worker_(worker), pool_(pool) {}
  std::size_t transmit(std::span<dataplane::Packet> burst) noexcept override {
    for (dataplane::Packet& packet : burst) packet.reset();
    sent_ += burst.size();
    return burst.size();
  }
  std::size_t receive(std::span<dataplane::Packet> burst) noexcept override {
    written_lines::keep_book(worker_);
    if (tally_ != nullptr) ++*tally_;
    std::size_t count = 0;
    while (count < burst.size() && !frames_.empty()) {
      burst[count] = pool_.copy_of(frames_[next_++ % frames_.size()]);
      if (!burst[count]) break;
      ++count;
    }
    brought_.fetch_add(count, std::memory_order_relaxed);
    return count;
  }
  // Between the worker's bursts.
  void bring(std::vector<Bytes> frames) { frames_ = std::move(frames); }
  void tally(std::uint64_t* at) { tally_ = at; }
  std::uint64_t sent() const { return sent_; }
  // Any thread.
  std::uint64_t brought() const { return brought_.load(std::memory_order_relaxed); }

 private:
  WorkerSlot worker_;
  dataplane::PacketPool& pool_;
  std::vector<Bytes> frames_;
  std::size_t next_ = 0;
  std::uint64_t sent_ = 0;
  std::atomic<std::uint64_t> brought_ = 0;
  std::uint64_t* tally_ = nullptr;
};

// Both workers of a process: DPDK has one pool of a name.
class Gateway {
 public:
  Gateway() {
    static_cast<void>(test_pool());  // which starts DPDK
    dataplane::PipelineOptions options;
    options.flows = 4096;
    options.now = os::steady_now();
    auto made = dataplane::Workers::make(2, options);
    SALLYPORT_CHECK(made.has_value());
    workers_ = std::move(*made);
    for (const char* port : kPorts) {
      for (const WorkerSlot i : all_of(2))
        wires_[port].push_back(std::make_unique<Wire>(i, workers_->pools()[i]));
      const std::array<dataplane::PortDriver*, 2> both{wires_[port][0].get(),
                                                       wires_[port][1].get()};
      // By lan3 only the first can send.
      workers_->attach(world_.port_slot(port), both,
                       std::span(both).first(port == std::string_view("lan3") ? 1 : 2));
    }
    workers_->prepare(taps_);
    workers_->start();
    workers_->on_each([&](dataplane::Worker&, Pipeline& p) { p.set_tables(&world_.tables()); });
  }
  dataplane::Workers& workers() { return *workers_; }
  const OwnedTraffic& traffic() const { return traffic_; }

  template <class Use>
  void each_wire(WorkerSlot worker, const Use& use) {
    workers_->worker(worker).do_between_bursts([&](Pipeline&) {
      for (const char* port : kPorts) use(port, *wires_[port][worker]);
    });
  }
  dataplane::Counters counters(WorkerSlot worker) {
    dataplane::Counters out;
    workers_->worker(worker).do_between_bursts([&](Pipeline& p) { out = p.counters(); });
    return out;
  }
  // Nothing comes in any more, and nothing is under way.
  void fall_silent() {
    for (const WorkerSlot i : all_of(2))
      each_wire(i, [](const char*, Wire& wire) { wire.bring({}); });
    const bool silent = wait_until([&] {
      const dataplane::Counters a = counters(0), b = counters(1);
      return a.handed_over + b.handed_over == a.taken_over + b.taken_over;
    });
    SALLYPORT_CHECK(silent);
  }
  // Without a word to the worker.
  std::uint64_t brought(WorkerSlot worker) const {
    std::uint64_t out = 0;
    for (const auto& [port, wires] : wires_) out += wires[worker]->brought();
    return out;
  }
  std::uint64_t sent_by_wan(WorkerSlot worker) {
    std::uint64_t out = 0;
    each_wire(worker, [&](std::string_view port, Wire& wire) {
      if (port == "wan") out = wire.sent();
    });
    return out;
  }

 private:
  PipelineWorld world_{plant_of_both_owners()};  // whose tables these are
  OwnedTraffic traffic_{world_};
  std::map<std::string, std::vector<std::unique_ptr<Wire>>, std::less<>> wires_;
  dataplane::TapThread taps_{test_pool()};
  std::unique_ptr<dataplane::Workers> workers_;
};

class WrittenLines : public ::testing::Test {
 protected:
  static Gateway& gateway() {
    static Gateway gateway;
    return gateway;
  }
  ~WrittenLines() override {
    for (const WorkerSlot i : all_of(2))
      gateway().each_wire(i, [](const char*, Wire& wire) { wire.tally(nullptr); });
    gateway().fall_silent();
  }
  static bool leaves_by_lan3(const Bytes& frame) {
    dataplane::Headers h;
    return !dataplane::parse_frame(frame, h) && (h.destination == plant_hosts().at("scada").v4 ||
                                                 h.destination == plant_hosts().at("scada").v6);
  }
  // Each worker reads its own packets, of which none needs the other's port.
  static void bring_own() {
    for (const WorkerSlot i : all_of(2))
      gateway().each_wire(i, [&](const char* port, Wire& wire) {
        auto frames = gateway().traffic().of(port, i);
        if (i != 0) std::erase_if(frames, leaves_by_lan3);
        wire.bring(std::move(frames));
      });
    // Next hops are known to both.
    ASSERT_TRUE(wait_until([] {
      return gateway().sent_by_wan(0) > kFrames / 100 && gateway().sent_by_wan(1) > kFrames / 100;
    }));
  }
  static void bring_the_others() {
    for (const WorkerSlot i : all_of(2))
      gateway().each_wire(i, [&](const char* port, Wire& wire) {
        wire.bring(gateway().traffic().of(port, static_cast<WorkerSlot>(1 - i)));
      });
  }
  struct Recorded {
    std::array<dataplane::Counters, 2> before, after;
    std::uint64_t more(WorkerSlot worker, std::uint64_t dataplane::Counters::* what) const {
      return after[worker].*what - before[worker].*what;
    }
  };
  // While both do their work, and nobody asks them for anything: an answer is written where the
  // asker has its own.
  static Recorded record() {
    Recorded out;
    for (const WorkerSlot i : all_of(2)) out.before[i] = gateway().counters(i);
    const std::array before{gateway().brought(0), gateway().brought(1)};
    const Instant start = os::steady_now();
    written_lines::open();
    const bool done = wait_until([&] {
      return gateway().brought(0) - before[0] > kFrames &&
             gateway().brought(1) - before[1] > kFrames && os::steady_now() - start > kLongEnough;
    });
    written_lines::close();
    for (const WorkerSlot i : all_of(2)) out.after[i] = gateway().counters(i);
    EXPECT_TRUE(done) << "the workers did not come round";
    for (const unsigned book : {0U, 1U}) EXPECT_FALSE(written_lines::full(book));
    return out;
  }
  struct Shared {
    std::uintptr_t line;
    std::array<std::uintptr_t, 2> code;
  };
  static std::vector<Shared> shared() {
    std::vector<Shared> out;
    for (const written_lines::Entry& entry : written_lines::entries(0))
      if (entry.line != 0)
        if (const auto* other = written_lines::find(1, entry.line))
          out.push_back({entry.line, {entry.code, other->code}});
    return out;
  }
  static std::size_t lines(unsigned book) {
    return static_cast<std::size_t>(std::ranges::count_if(
        written_lines::entries(book), [](const auto& entry) { return entry.line != 0; }));
  }
  // For a failure's message: what wrote them.
  static std::string as_text(const std::vector<Shared>& lines) {
    constexpr std::size_t kEnough = 10;
    std::string out = std::to_string(lines.size()) + " lines are written by both workers\n";
    for (const Shared& one : std::span(lines).first(std::min(lines.size(), kEnough))) {
      out += as_hex(one.line) + '\n';
      for (const WorkerSlot i : all_of(2))
        out += "  worker " + std::to_string(i) + ": " + place_of(one.code[i]);
    }
    return out;
  }

 private:
  static std::string as_hex(std::uintptr_t at) {
    std::ostringstream out;
    out << std::hex << "0x" << at;
    return out.str();
  }
  // Function, file and line; everything that is watched is linked into this program.
  static std::string place_of(std::uintptr_t code) {
    Dl_info program{};
    if (::dladdr(reinterpret_cast<const void*>(&written_lines::open), &program) == 0) return "?\n";
    return run({"addr2line", "-Cfipe", std::filesystem::read_symlink("/proc/self/exe"),
                as_hex(code - reinterpret_cast<std::uintptr_t>(program.dli_fbase))})
        .output;
  }
};

bool within(std::uintptr_t at, const void* begin, std::size_t size) {
  return at - reinterpret_cast<std::uintptr_t>(begin) < size;
}
template <class T>
bool within(std::uintptr_t line, std::span<const T> memory) {
  return within(line, memory.data(), memory.size_bytes());
}

TEST_F(WrittenLines, TwoWorkersWithPacketsOfTheirOwnHaveNoneInCommon) {
  ASSERT_NO_FATAL_FAILURE(bring_own());
  const Recorded recorded = record();
  for (const WorkerSlot i : all_of(2)) {
    // Work of every kind was done meanwhile, and seen.
    EXPECT_EQ(recorded.more(i, &dataplane::Counters::handed_over), 0U);
    EXPECT_EQ(recorded.more(i, &dataplane::Counters::taken_over), 0U);
    EXPECT_GT(recorded.more(i, &dataplane::Counters::forwarded), kFrames / 10);
    EXPECT_GT(recorded.after[i].drop_count(Drop::kDefaultDeny),
              recorded.before[i].drop_count(Drop::kDefaultDeny));
    EXPECT_GT(recorded.after[i].drop_count(Drop::kUnknownDevice),
              recorded.before[i].drop_count(Drop::kUnknownDevice));
    EXPECT_GT(lines(i), 500U);
  }
  EXPECT_TRUE(shared().empty()) << as_text(shared());
}

// Packets that cross are written by whoever has them; their places in a ring, by both its ends.
TEST_F(WrittenLines, PacketsThatCrossShareTheirPlacesInTheRingsAndTheirOwnMemory) {
  bring_the_others();
  const Recorded recorded = record();
  for (const WorkerSlot i : all_of(2))
    EXPECT_GT(recorded.more(i, &dataplane::Counters::handed_over), kFrames / 10);
  std::vector<Shared> others = shared();
  const auto& to_first = gateway().workers().crossings().at(1, 0);
  EXPECT_TRUE(std::ranges::any_of(others, [&](const Shared& one) {
    return within(one.line, to_first.permitted.slots());
  })) << "nothing left by a port that only the first has";
  std::erase_if(others, [](const Shared& one) {
    for (const auto& [from, to] : {std::pair<WorkerSlot, WorkerSlot>{0, 1}, {1, 0}}) {
      const dataplane::Crossing& crossing = gateway().workers().crossings().at(from, to);
      if (within(one.line, crossing.packets.slots()) ||
          within(one.line, crossing.permitted.slots()) ||
          within(one.line, crossing.notices.slots()) ||
          within(one.line, memory_of(gateway().workers().pools()[from])))
        return true;
    }
    return false;
  });
  EXPECT_TRUE(others.empty()) << as_text(others);
}

// Two counters, each of one worker, side by side: no race, and what this test is for.
TEST_F(WrittenLines, CountersSideBySideAreFound) {
  alignas(dataplane::kCacheLine) static std::array<std::uint64_t, 2> tallies{};
  for (const WorkerSlot i : all_of(2))
    gateway().each_wire(i, [&](const char*, Wire& wire) { wire.tally(&tallies[i]); });
  ASSERT_NO_FATAL_FAILURE(bring_own());
  record();
  const std::vector<Shared> found = shared();
  ASSERT_EQ(found.size(), 1U) << as_text(found);
  EXPECT_EQ(found[0].line, reinterpret_cast<std::uintptr_t>(tallies.data()));
  // It is told where.
  EXPECT_NE(as_text(found).find("Wire::receive"), std::string::npos) << as_text(found);
}

}  // namespace
}  // namespace sallyport::testing
