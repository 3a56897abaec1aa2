#include "tests/perf/fastpath/two_workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <optional>
#include <thread>
#include <utility>

#include "dataplane/app/workers.h"
#include "dataplane/stages/parse.h"
#include "policy/os/clock.h"
#include "tests/perf/fastpath/subject.h"
#include "tests/perf/timing/rounds.h"
#include "tests/perf/timing/two_workers_figures.h"

namespace sallyport::bench {
namespace {

using namespace dataplane;

constexpr std::uint32_t kMemoryMb = 512;
constexpr double kWarmUp = 0.3;

// What is waited for is that time passes.
void pause(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  ::ppoll(nullptr, 0, &time, nullptr);
}

struct Count {
  double received, forwarded, at;
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
    out->attach("in", out->in_);
    out->attach("out", out->out_);
    out->taps_.emplace(out->workers_->pools()[0]);
    out->workers_->prepare(*out->taps_);
    for (const WorkerSlot i : all_of(2)) out->workers_->pipeline(i).set_tables(&plant.tables());
    open_flows_of_two(c, plant, *out->workers_);
    return out;
  }

  TwoWorkersRound play(double seconds) {
    TwoWorkersRound r;
    workers_->worker(0).start();
    pause(kWarmUp);
    r.alone = measured(std::array<WorkerSlot, 1>{0}, seconds, r.not_forwarded)[0];
    workers_->worker(1).start();
    pause(kWarmUp);
    const auto both = measured(std::array<WorkerSlot, 2>{0, 1}, seconds, r.not_forwarded);
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
    return {};
  }
  void attach(const char* port, const std::array<std::unique_ptr<EthPort>, 2>& ends) {
    const std::array<PortDriver*, 2> drivers{&ends[0]->queue(0), &ends[1]->queue(0)};
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
  // Packets/s of each of them.
  template <std::size_t n>
  std::array<double, n> measured(const std::array<WorkerSlot, n>& who, double seconds,
                                 double& not_forwarded) {
    std::array<Count, n> before;
    for (std::size_t i = 0; i < n; ++i) before[i] = count(who[i]);
    pause(seconds);
    std::array<double, n> out;
    for (std::size_t i = 0; i < n; ++i) {
      const Count after = count(who[i]);
      const double received = after.received - before[i].received;
      not_forwarded += received - (after.forwarded - before[i].forwarded);
      out[i] = received / (after.at - before[i].at);
    }
    return out;
  }

  const BuiltPlant& plant_;
  std::array<os::UniqueFd, 2> captures_;
  std::array<std::unique_ptr<EthPort>, 2> in_, out_;
  std::optional<TapThread> taps_;  // without its thread: there are no host stacks
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
  if (std::thread::hardware_concurrency() < 2)
    return failed_round({ErrorKind::kSystem, "no-figure", "two workers need two cores"});
  const BuiltPlant plant(c.plant);
  auto beside = Beside::make(c, plant);
  if (!beside) return failed_round(beside.error());
  fmt::print("{}", line_of((*beside)->play(seconds)));
  return 0;
}

}  // namespace sallyport::bench
