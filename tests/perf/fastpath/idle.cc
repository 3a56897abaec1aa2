#include "tests/perf/fastpath/idle.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include "dataplane/app/doze.h"
#include "dataplane/app/pause.h"
#include "dataplane/app/short_slice.h"
#include "dataplane/dpdk/cycles.h"
#include "dataplane/dpdk/eal.h"
#include "policy/os/clock.h"
#include "tests/perf/dpdk/vhost_wire.h"
#include "tests/perf/fastpath/bare_wake.h"
#include "tests/perf/fastpath/cores.h"
#include "tests/perf/fastpath/socket_folder.h"
#include "tests/perf/fastpath/subject.h"
#include "tests/perf/fastpath/two_workers.h"
#include "tests/perf/timing/idle_figures.h"
#include "tests/perf/timing/rounds.h"
#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 120;
// Until the worker sleeps as long as it ever does.
constexpr time_t kSettle = 1;

struct Extent {
  time_t seconds;       // without a packet
  std::size_t packets;  // one by one, after it
};
constexpr Extent kWhole{4, 500}, kQuick{1, 50};
// A worker that polls pauses the longer the longer nothing has come, up to this silence; one that
// is woken sleeps from the first moment on, and no longer than kLongest at a time.
constexpr Duration kAsleep =
    std::max(dataplane::kLongestPause * dataplane::kShareOfSilence, dataplane::Doze::kLongest);
// So it is asleep for good, and a packet comes at any time of its sleep.
constexpr Pauses kPauses{2 * kAsleep, 2 * kAsleep + dataplane::Doze::kLongest};

// The worker's own processor time, and its turns.
struct Spent {
  double cpu = 0, wall = 0, turns = 0;
};
double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
Spent spent_by(dataplane::Worker& worker) {
  Spent out;
  worker.do_between_bursts([&](auto&) {
    out = {seconds_of(CLOCK_THREAD_CPUTIME_ID), seconds_of(CLOCK_MONOTONIC),
           static_cast<double>(worker.polls())};
  });
  return out;
}

// What is waited for is that time passes without a packet.
void pause(time_t seconds) {
  const timespec time{seconds, 0};
  ::ppoll(nullptr, 0, &time, nullptr);
}

double microseconds(const Histogram& cycles, double share) {
  return static_cast<double>(cycles.quantile(share)) / (dataplane::cycles_per_second() / 1e6);
}

// Packets that meet a gateway that sleeps, and between them a thread that does nothing else.
void measure_single(Prober& prober, BareWake& bare, std::size_t packets, IdleRound& r) {
  const Passage single = prober.one_by_one(packets, kPauses, [&] { bare.ask(); });
  r.p50 = microseconds(single.cycles, 0.5);
  r.p99 = microseconds(single.cycles, 0.99);
  r.bare_p50 = microseconds(bare.cycles(), 0.5);
  r.bare_p99 = microseconds(bare.cycles(), 0.99);
  r.sent = static_cast<double>(single.sent);
  r.lost = static_cast<double>(single.lost());
}

constexpr std::uint32_t kTwoMemoryMb = 512;
constexpr TrafficCase kTwoTraffic{
    {.devices = 100, .conduits = 300}, Load::kEstablished, IpVersion::k4, 64};

// Two wires between a prober and two workers, each of which reads one of them.
class Two {
 public:
  static Result<std::unique_ptr<Two>> make() {
    const auto cores = two_cores();
    if (!cores) return fail(ErrorKind::kUnavailable, "no-figure", "two processors are needed");
    dataplane::EalOptions eal;
    eal.memory_mb = kTwoMemoryMb;
    SALLYPORT_TRY_VOID(dataplane::start_eal(eal));
    if (!dataplane::eal_uses_hugepages())
      return fail(ErrorKind::kUnavailable, "no-figure",
                  "virtio and vhost share hugepages, and there are none");
    dataplane::PipelineOptions options;
    options.flows = kFewFlows;
    options.hash_secret = kBenchSecret;
    options.now = os::steady_now();
    std::unique_ptr<Two> out(new Two(*cores));
    SALLYPORT_TRY(out->workers_, dataplane::Workers::make(2, options));
    const SocketFolder folder;
    SALLYPORT_TRY(out->in_, make_vhost_wire("in", folder.path(), out->workers_->pools()[0]));
    SALLYPORT_TRY(out->out_, make_vhost_wire("out", folder.path(), out->workers_->pools()[1]));
    out->workers_->attach(out->plant_.port("in"), *out->in_->gateway);
    out->workers_->attach(out->plant_.port("out"), *out->out_->gateway);
    out->taps_.emplace(out->workers_->pools()[0]);
    out->workers_->prepare(*out->taps_);
    for (const dataplane::WorkerSlot i : dataplane::all_of(2))
      out->workers_->pipeline(i).set_tables(&out->plant_.tables());
    open_flows_of_two(kTwoTraffic, out->plant_, *out->workers_);
    dataplane::take_short_slices();  // as the gateway's process does
    stay_on(cores->gateway);         // both: the prober does not sleep while it waits
    out->workers_->start();
    stay_on(cores->prober);
    return out;
  }
  // What opening the flows has sent is no answer to anything.
  bool forget_openings() {
    return testing::wait_until([&] {
      std::uint64_t forwarded = 0, under_way = 0;
      workers_->on_each([&](dataplane::Worker&, dataplane::Pipeline& p) {
        forwarded += p.counters().forwarded;
        under_way += p.counters().handed_over - p.counters().taken_over;
      });
      std::array<dataplane::Packet, dataplane::kBurst> burst;
      for (dataplane::EthPort* end : {in_->host.get(), out_->host.get()})
        forgotten_ += end->queue(0).receive(burst);
      return under_way == 0 && forgotten_ == forwarded && forwarded == 3 * kTwoTraffic.packets;
    });
  }
  Prober prober() {
    return {workers_->pools()[0], in_->host->queue(0), out_->host->queue(0), frames_};
  }
  dataplane::Workers& workers() { return *workers_; }
  Cores cores() const { return cores_; }

 private:
  explicit Two(Cores cores) : cores_(cores), frames_(frames_of(kTwoTraffic, plant_)) {}
  Cores cores_;
  BuiltPlant plant_{kTwoTraffic.plant};
  std::vector<FrameBytes> frames_;
  std::optional<ProcessWire> in_, out_;
  std::size_t forgotten_ = 0;
  std::optional<dataplane::TapThread> taps_;  // without its thread: there are no host stacks
  std::unique_ptr<dataplane::Workers> workers_;
};

}  // namespace

int run_idle_of_two(bool quick) {
  ::alarm(kTooLong);
  auto two = Two::make();
  if (!two) return failed_round(two.error());
  if (!(*two)->forget_openings() || !(*two)->workers().woken())
    return failed_round(
        {ErrorKind::kSystem, "no-figure", "the ports are not of the kind that is measured"});
  const Extent extent = quick ? kQuick : kWhole;
  IdleRound r;
  pause(kSettle);
  std::array<Spent, 2> before;
  for (const dataplane::WorkerSlot i : dataplane::all_of(2))
    before[i] = spent_by((*two)->workers().worker(i));
  pause(extent.seconds);
  for (const dataplane::WorkerSlot i : dataplane::all_of(2)) {
    const Spent after = spent_by((*two)->workers().worker(i));
    const double passed = after.wall - before[i].wall;
    r.cpu = std::max(r.cpu, (after.cpu - before[i].cpu) / passed * 100);
    r.turns = std::max(r.turns, (after.turns - before[i].turns) / passed);
  }
  Prober prober = (*two)->prober();
  const auto bare = std::make_unique<BareWake>(std::size_t{2}, (*two)->cores().gateway);
  measure_single(prober, *bare, extent.packets, r);
  fmt::print("{}", line_of(r));
  return 0;
}

int run_idle(Wires wires, bool quick) {
  ::alarm(kTooLong);
  auto rig = RingRig::make(wires);
  if (!rig) return failed_round(rig.error());
  const Extent extent = quick ? kQuick : kWhole;
  IdleRound r;
  bool woken = false;
  (*rig)->beside_worker([&](Prober& prober, dataplane::Worker& worker) {
    woken = worker.woken();
    pause(kSettle);
    const Spent before = spent_by(worker);
    pause(extent.seconds);
    const Spent after = spent_by(worker);
    r.cpu = (after.cpu - before.cpu) / (after.wall - before.wall) * 100;
    r.turns = (after.turns - before.turns) / (after.wall - before.wall);
    const int core = (*rig)->cores().gateway;
    const auto bare = wires == Wires::kVhost
                          ? std::make_unique<BareWake>(std::size_t{1}, core)
                          : std::make_unique<BareWake>(dataplane::kLongestPause, core);
    measure_single(prober, *bare, extent.packets, r);
  });
  if (woken != (wires == Wires::kVhost))
    return failed_round(
        {ErrorKind::kSystem, "no-figure", "the ports are not of the kind that is measured"});
  fmt::print("{}", line_of(r));
  return 0;
}

}  // namespace sallyport::bench
