#include "tests/perf/fastpath/subject.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "dataplane/dpdk/cycles.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/poller.h"
#include "policy/base/check.h"
#include "policy/os/clock.h"

namespace sallyport::bench {
namespace {

using dataplane::EthPort;
using dataplane::PacketPool;
using dataplane::Pipeline;
using dataplane::Poller;

constexpr std::uint32_t kSpare = 8191;
constexpr double kWarmUp = 0.3;
// Of kFull: what stands in the table beside the active flows.
constexpr std::size_t kHalfOpen = 16'384;
constexpr Duration kIdleFor = std::chrono::seconds(200);

int failed(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.context.c_str());
  return 1;
}

// Memory and ports of a round.
struct Rig {
  PacketPool pool;
  PacketPool datagrams;
  std::unique_ptr<EthPort> in, out;
};
Result<Rig> rig_of(const Subject& subject) {
  dataplane::EalOptions eal;
  eal.memory_mb = subject.memory_mb;
  if (auto started = dataplane::start_eal(eal); !started)
    return std::unexpected(std::move(started).error());
  auto pool = dataplane::make_packet_pool(
      static_cast<std::uint32_t>(subject.traffic.packets) + kSpare, kSmallRoom);
  if (!pool) return std::unexpected(std::move(pool).error());
  auto datagrams = dataplane::make_datagram_pool();
  if (!datagrams) return std::unexpected(std::move(datagrams).error());
  auto in =
      EthPort::open(fmt::format("net_pcap0,rx_pcap={},infinite_rx=1", subject.capture), *pool);
  if (!in) return std::unexpected(std::move(in).error());
  auto out = EthPort::open("net_null0,no-rx=1", *pool);
  if (!out) return std::unexpected(std::move(out).error());
  return Rig{*pool, *datagrams, std::move(*in), std::move(*out)};
}

dataplane::PipelineOptions options_of(std::size_t flows, Instant now) {
  dataplane::PipelineOptions options;
  options.flows = static_cast<std::uint32_t>(flows);
  options.hash_secret = kBenchSecret;
  options.now = now;
  return options;
}

// Through the packet path, as they would come: to have them come from a port would only add ports.
void feed(const BuiltPlant& plant, PacketPool& pool, Pipeline& pipeline, const char* port,
          const FrameBytes& frame, Instant now) {
  pipeline.from_port(plant.port(port), pool.copy_of(frame), now);
  pipeline.flush(now);
}
void open_flow(const BuiltPlant& plant, PacketPool& pool, Pipeline& pipeline,
               const Opening& opening, const char* answers, Instant now) {
  feed(plant, pool, pipeline, "in", opening.syn, now);
  feed(plant, pool, pipeline, answers, opening.answer, now);
  feed(plant, pool, pipeline, "in", opening.established, now);
}
void open_mapped(const TrafficCase& c, const BuiltPlant& plant, PacketPool& pool,
                 Pipeline& pipeline, Instant now) {
  const std::vector<std::uint16_t> ports = mapped_ports(c);
  // The first one asks for the router.
  feed(plant, pool, pipeline, "in", mapped_opening(c, plant, 0, ports[0]).syn, now);
  feed(plant, pool, pipeline, "in", router_answer(plant), now);
  for (std::size_t i = 0; i < ports.size(); ++i)
    open_flow(plant, pool, pipeline, mapped_opening(c, plant, i, ports[i]), "in", now);
}

// A packet path between the rig's ports.
class Gateway {
 public:
  Gateway(Rig& rig, const TrafficCase& traffic, const BuiltPlant& plant, std::size_t flows)
      : traffic_(traffic),
        pipeline_(options_of(flows, os::steady_now() - kIdleFor), rig.pool, rig.datagrams, events_),
        poller_(pipeline_,
                {{plant.port("in"), &rig.in->queue(0)}, {plant.port("out"), &rig.out->queue(0)}}) {
    pipeline_.set_tables(&plant.tables());
    pipeline_.exits().attach_port(plant.port("in"), rig.in->queue(0));
    pipeline_.exits().attach_port(plant.port("out"), rig.out->queue(0));
  }
  Pipeline& pipeline() { return pipeline_; }

  // Housekeeping has seen every flow: that all were opened at once is not what is measured.
  void settle() {
    for (std::size_t i = 0; i < 2 * pipeline_.flows().capacity() / 256; ++i)
      pipeline_.housekeeping(os::steady_now());
  }
  // Polls while `on` says so; the cycles that it took.
  template <class While>
  std::uint64_t poll(const While& on) {
    const std::uint64_t start = dataplane::cycles();
    std::uint64_t now = start;
    while (on(now - start)) {
      poller_.poll(os::steady_now());
      now = dataplane::cycles();
    }
    return now - start;
  }
  std::uint64_t play(double seconds) {
    const double cycles = seconds * dataplane::cycles_per_second();
    return poll([&](std::uint64_t since) { return static_cast<double>(since) < cycles; });
  }
  std::uint64_t play_once() {
    const std::uint64_t end = pipeline_.counters().received + traffic_.packets;
    return poll([&](std::uint64_t) { return pipeline_.counters().received < end; });
  }

 private:
  const TrafficCase& traffic_;
  dataplane::Events events_;
  Pipeline pipeline_;
  Poller poller_;
};

// Runs `play` and counts.
template <class Play>
Round measured(Gateway& gateway, const Play& play) {
  const auto dropped = [](const dataplane::Counters& counters) {
    return std::accumulate(counters.drops.begin(), counters.drops.end(), std::uint64_t{0});
  };
  const dataplane::Counters before = gateway.pipeline().counters();
  Round out;
  out.cycles = static_cast<double>(play());
  out.hertz = dataplane::cycles_per_second();
  const dataplane::Counters& after = gateway.pipeline().counters();
  out.packets = static_cast<double>(after.received - before.received);
  out.forwarded = static_cast<double>(after.forwarded - before.forwarded);
  out.dropped = static_cast<double>(dropped(after) - dropped(before));
  out.flows = gateway.pipeline().flows().size();
  out.made = static_cast<double>(after.flows_made - before.flows_made);
  out.displaced = static_cast<double>(after.flows_displaced - before.flows_displaced);
  return out;
}

Round steady(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  Gateway gateway(rig, s.traffic, plant, std::bit_ceil(std::max(s.traffic.packets, kFewFlows)));
  if (s.traffic.load == Load::kEstablished || s.traffic.load == Load::kMapped)
    open_flows(s.traffic, plant, rig.pool, gateway.pipeline(), os::steady_now());
  gateway.play(kWarmUp);
  return measured(gateway, [&] { return gateway.play(s.seconds); });
}

Round once(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  Gateway gateway(rig, s.traffic, plant, std::bit_ceil(std::max(s.traffic.packets, kFewFlows)));
  return measured(gateway, [&] { return gateway.play_once(); });
}

Round pass(Rig& rig, const Subject& s, const BuiltPlant& plant, std::size_t flows) {
  Gateway gateway(rig, s.traffic, plant, s.traffic.table);
  fill_table(s.traffic, plant, rig.pool, gateway.pipeline(), flows, os::steady_now());
  gateway.settle();
  SALLYPORT_CHECK(gateway.pipeline().flows().size() == flows);
  return measured(gateway, [&] { return gateway.play_once(); });
}

Round full(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  pass(rig, s, plant, kActiveFlows);  // warms up the ports' memory
  const double unburdened = pass(rig, s, plant, kActiveFlows).packets_per_second();
  Round out = pass(rig, s, plant, s.traffic.table);
  out.unburdened = unburdened;
  return out;
}

// Half of the unburdened time before, half after: what drifts meanwhile counts for neither.
Round swaps(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  const auto count = static_cast<std::size_t>(std::ceil(s.seconds * kSwapsPerSecond));
  std::vector<std::unique_ptr<BuiltPlant>> revisions;
  for (std::size_t i = 0; i < count; ++i) {
    Plant changed = s.traffic.plant;
    changed.revision = i + 2;
    const BuiltPlant& before = revisions.empty() ? plant : *revisions.back();
    revisions.push_back(std::make_unique<BuiltPlant>(changed, &before.tables()));
  }
  Gateway gateway(rig, s.traffic, plant, std::bit_ceil(std::max(s.traffic.packets, kFewFlows)));
  if (s.traffic.load == Load::kEstablished)
    open_flows(s.traffic, plant, rig.pool, gateway.pipeline(), os::steady_now());
  gateway.play(kWarmUp);
  const auto calm = [&] { return measured(gateway, [&] { return gateway.play(s.seconds / 2); }); };
  const Round before = calm();
  Round out = measured(gateway, [&] {
    std::uint64_t cycles = 0;
    for (const auto& revision : revisions) {
      gateway.pipeline().set_tables(&revision->tables());
      cycles += gateway.play(1 / kSwapsPerSecond);
    }
    return cycles;
  });
  const Round after = calm();
  out.unburdened = (before.packets + after.packets) / (before.cycles + after.cycles) * out.hertz;
  return out;
}

}  // namespace

void open_flows(const TrafficCase& c, const BuiltPlant& plant, PacketPool& pool, Pipeline& pipeline,
                Instant now) {
  if (c.load == Load::kMapped) return open_mapped(c, plant, pool, pipeline, now);
  for (std::size_t i = 0; i < c.packets; ++i)
    open_flow(plant, pool, pipeline, opening_of(c, plant, i), "out", now);
}

void fill_table(const TrafficCase& c, const BuiltPlant& plant, PacketPool& pool, Pipeline& pipeline,
                std::size_t flows, Instant now) {
  const std::size_t idle = flows > kActiveFlows + kHalfOpen ? flows - kHalfOpen : kActiveFlows;
  for (std::size_t i = kActiveFlows; i < idle; ++i)
    open_flow(plant, pool, pipeline, opening_of(c, plant, i), "out", now - kIdleFor);
  for (std::size_t i = idle; i < flows; ++i)
    feed(plant, pool, pipeline, "in", opening_of(c, plant, i).syn, now);
  for (std::size_t i = 0; i < kActiveFlows; ++i)
    open_flow(plant, pool, pipeline, opening_of(c, plant, i), "out", now);
}

int run_subject(const Subject& subject) {
  auto rig = rig_of(subject);
  if (!rig) return failed(rig.error());
  const BuiltPlant plant(subject.traffic.plant);
  using Play = Round (*)(Rig&, const Subject&, const BuiltPlant&);
  constexpr std::array<Play, 4> kPlays = {steady, once, full, swaps};
  const Round r = kPlays[static_cast<std::size_t>(subject.trial)](*rig, subject, plant);
  fmt::print("round {} {} {} {} {} {} {} {} {}\n", r.packets, r.cycles, r.hertz, r.forwarded,
             r.dropped, r.flows, r.made, r.displaced, r.unburdened);
  return 0;
}

bool read_round(const std::string& output, Round& out) {
  const std::size_t at = output.find("round ");
  return at != output.npos &&
         std::sscanf(output.c_str() + at, "round %lf %lf %lf %lf %lf %lf %lf %lf %lf", &out.packets,
                     &out.cycles, &out.hertz, &out.forwarded, &out.dropped, &out.flows, &out.made,
                     &out.displaced, &out.unburdened) == 9;
}

}  // namespace sallyport::bench
