#include "tests/perf/fastpath/two_workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <thread>
#include <utility>

#include "dataplane/app/workers.h"
#include "dataplane/stages/parse.h"
#include "policy/os/clock.h"
#include "tests/perf/fastpath/cores.h"
#include "tests/perf/fastpath/subject.h"
#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"
#include "tests/perf/timing/two_workers_figures.h"

namespace sallyport::bench {
namespace {

using namespace dataplane;

constexpr std::uint32_t kMemoryMb = 512;
constexpr double kWarmUp = 0.3;
constexpr double kTurn = 0.05;
// Longer than a worker sleeps that has just got its traffic back.
constexpr double kSettle = 0.002;

// What is waited for is that time passes.
void pause(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  ::ppoll(nullptr, 0, &time, nullptr);
}

struct Count {
  double received, forwarded, at;
};

// A port whose traffic can be turned off: then its worker idles, as one does without packets.
class Valve final : public PortDriver {
 public:
  explicit Valve(PortDriver& behind) : behind_(behind) {}
  void open(bool open) noexcept { open_.store(open, std::memory_order_relaxed); }
  std::size_t transmit(std::span<Packet> burst) noexcept override {
    return behind_.transmit(burst);
  }
  std::size_t receive(std::span<Packet> burst) noexcept override {
    return open_.load(std::memory_order_relaxed) ? behind_.receive(burst) : 0;
  }

 private:
  PortDriver& behind_;
  std::atomic<bool> open_ = false;
};

class Beside {
 public:
  // Failures: DPDK's, and the system's for the captures.
  static Result<std::unique_ptr<Beside>> make(const TrafficCase& c, const BuiltPlant& plant) {
    EalOptions eal;
    eal.memory_mb = kMemoryMb;
    SALLYPORT_TRY_VOID(start_eal(eal));
    PipelineOptions options;
    options.flows = kFewFlows;
    options.hash_secret = kBenchSecret;
    options.now = os::steady_now();
    std::unique_ptr<Beside> out(new Beside(plant));
    SALLYPORT_TRY(out->workers_, Workers::make(2, options));
    std::array<std::vector<FrameBytes>, 2> frames;
    for (FrameBytes& frame : frames_of(c, plant)) {
      const WorkerSlot owner = owner_of_two(frame, plant);
      frames[owner].push_back(std::move(frame));
    }
    for (const WorkerSlot i : all_of(2)) SALLYPORT_TRY_VOID(out->open_ports(i, frames[i]));
    out->attach("in", *out->valves_[0], *out->valves_[1]);
    out->attach("out", out->out_[0]->queue(0), out->out_[1]->queue(0));
    out->taps_.emplace(out->workers_->pools()[0]);
    out->workers_->prepare(*out->taps_);
    for (const WorkerSlot i : all_of(2)) out->workers_->pipeline(i).set_tables(&plant.tables());
    open_flows_of_two(c, plant, *out->workers_);
    return out;
  }

  // The first one alone and both, in turns, for `seconds` each.
  TwoWorkersRound play(Cores cores, double seconds) {
    for (const WorkerSlot i : all_of(2)) {
      stay_on(i == 0 ? cores.gateway : cores.prober);
      workers_->worker(i).start();
    }
    TwoWorkersRound r;
    valves_[0]->open(true);
    turn(true, kWarmUp, r);
    r = {};
    const auto turns = static_cast<std::size_t>(std::ceil(seconds / kTurn));
    Both alone{}, both{};
    const auto play = [&](bool second, Both& sum) {
      return [&, second] {
        const Both rates = turn(second, kTurn, r);
        for (const WorkerSlot i : all_of(2)) sum[i] += rates[i] / static_cast<double>(turns);
        return rates[0] + rates[1];
      };
    };
    r.pairs = in_turns(turns, true, play(true, both), play(false, alone));
    r.alone = alone[0];
    r.first = both[0];
    r.second = both[1];
    return r;
  }

 private:
  explicit Beside(const BuiltPlant& plant) : plant_(plant) {}

  // A capture that needs no file system: DPDK opens it by the descriptor's name.
  Result<void> open_ports(WorkerSlot i, const std::vector<FrameBytes>& frames) {
    captures_[i].reset(::memfd_create("capture", MFD_CLOEXEC));
    const std::string path = fmt::format("/proc/self/fd/{}", captures_[i].get());
    if (!captures_[i] || !write_capture(path, frames))
      return fail(ErrorKind::kSystem, "no-figure", "the capture cannot be written");
    PacketPool& pool = workers_->pools()[i];
    SALLYPORT_TRY(in_[i],
                  EthPort::open(fmt::format("net_pcap{},rx_pcap={},infinite_rx=1", i, path), pool));
    SALLYPORT_TRY(out_[i], EthPort::open(fmt::format("net_null{},no-rx=1", i), pool));
    valves_[i] = std::make_unique<Valve>(in_[i]->queue(0));
    return {};
  }
  void attach(const char* port, PortDriver& first, PortDriver& second) {
    const std::array<PortDriver*, 2> drivers{&first, &second};
    workers_->attach(plant_.port(port), drivers, drivers);
  }
  Count count(WorkerSlot worker) {
    Count out{};
    workers_->worker(worker).do_between_bursts([&](Pipeline& p) {
      out = {static_cast<double>(p.counters().received),
             static_cast<double>(p.counters().forwarded),
             static_cast<double>(os::steady_now().ns()) / 1e9};
    });
    return out;
  }
  using Both = std::array<double, 2>;
  // Packets/s of each of them; the second one has traffic if `second`.
  Both turn(bool second, double seconds, TwoWorkersRound& r) {
    valves_[1]->open(second);
    pause(kSettle);
    std::array<Count, 2> before;
    for (const WorkerSlot i : all_of(2)) before[i] = count(i);
    pause(seconds);
    Both out;
    for (const WorkerSlot i : all_of(2)) {
      const Count after = count(i);
      const double received = after.received - before[i].received;
      r.not_forwarded += received - (after.forwarded - before[i].forwarded);
      out[i] = received / (after.at - before[i].at);
    }
    return out;
  }

  const BuiltPlant& plant_;
  std::array<os::UniqueFd, 2> captures_;
  std::array<std::unique_ptr<EthPort>, 2> in_, out_;
  std::array<std::unique_ptr<Valve>, 2> valves_;  // before the ports `in`
  std::optional<TapThread> taps_;                 // without its thread: there are no host stacks
  std::unique_ptr<Workers> workers_;
};

}  // namespace

WorkerSlot owner_of_two(const FrameBytes& frame, const BuiltPlant& plant) {
  Headers h;
  SALLYPORT_CHECK(!parse_frame(frame, h));
  return Owners(2).of(frame, h, plant.tables());
}

void open_flows_of_two(const TrafficCase& c, const BuiltPlant& plant, Workers& workers) {
  const Instant now = os::steady_now();
  for (std::size_t i = 0; i < c.packets; ++i) {
    const Opening opening = opening_of(c, plant, i);
    const WorkerSlot owner = owner_of_two(opening.syn, plant);
    for (const auto& [port, frame] :
         {std::pair{"in", &opening.syn}, {"out", &opening.answer}, {"in", &opening.established}}) {
      workers.pipeline(owner).from_port(plant.port(port), workers.pools()[owner].copy_of(*frame),
                                        now);
      workers.pipeline(owner).flush(now);
    }
  }
}

int run_two_workers(const TrafficCase& c, double seconds) {
  const auto cores = two_cores();
  if (!cores) return failed_round({ErrorKind::kSystem, "no-figure", "two workers need two cores"});
  const BuiltPlant plant(c.plant);
  auto beside = Beside::make(c, plant);
  if (!beside) return failed_round(beside.error());
  fmt::print("{}", line_of((*beside)->play(*cores, seconds)));
  return 0;
}

}  // namespace sallyport::bench
