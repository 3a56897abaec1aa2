#include "tests/perf/fastpath/subject.h"

#include <fmt/format.h>

#include <bit>
#include <cstdio>
#include <numeric>

#include "dataplane/dpdk/cycles.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/poller.h"
#include "policy/os/clock.h"

namespace sallyport::bench {
namespace {

using dataplane::EthPort;
using dataplane::PacketPool;
using dataplane::Pipeline;
using dataplane::Poller;

constexpr std::uint32_t kSpare = 8191;
constexpr double kWarmUp = 0.3;

int failed(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.context.c_str());
  return 1;
}

// Polls until `cycles` have passed; how many that were exactly.
std::uint64_t play(Poller& poller, std::uint64_t cycles) {
  constexpr int kPollsPerLook = 64;
  const std::uint64_t start = dataplane::cycles();
  std::uint64_t now = start;
  while (now - start < cycles) {
    for (int i = 0; i < kPollsPerLook; ++i) poller.poll(os::steady_now());
    now = dataplane::cycles();
  }
  return now - start;
}

std::uint64_t drops_of(const dataplane::Counters& counters) {
  return std::accumulate(counters.drops.begin(), counters.drops.end(), std::uint64_t{0});
}

}  // namespace

// Through the packet path, as they would come: to have them come from a port would only add ports.
void open_flows(const TrafficCase& c, const BuiltPlant& plant, PacketPool& pool,
                Pipeline& pipeline) {
  const auto feed = [&](const char* port, const FrameBytes& frame) {
    if (frame.empty()) return;
    pipeline.from_port(plant.port(port), pool.copy_of(frame), os::steady_now());
    pipeline.flush(os::steady_now());
  };
  for (std::size_t i = 0; i < c.packets; ++i) {
    const Opening opening = opening_of(c, plant, i);
    feed("in", opening.syn);
    feed("out", opening.answer);
    feed("in", opening.established);
  }
}

int run_subject(const TrafficCase& c, const std::string& capture, double seconds,
                std::uint32_t memory_mb) {
  dataplane::EalOptions eal;
  eal.memory_mb = memory_mb;
  if (auto started = dataplane::start_eal(eal); !started) return failed(started.error());
  auto pool =
      dataplane::make_packet_pool(static_cast<std::uint32_t>(c.packets) + kSpare, kSmallRoom);
  if (!pool) return failed(pool.error());
  const BuiltPlant plant(c.plant);
  auto in = EthPort::open(fmt::format("net_pcap0,rx_pcap={},infinite_rx=1", capture), *pool);
  if (!in) return failed(in.error());
  auto out = EthPort::open("net_null0,no-rx=1", *pool);
  if (!out) return failed(out.error());
  dataplane::Events events;
  dataplane::PipelineOptions options;
  options.flows =
      static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(c.packets, 65'536)));
  options.hash_secret = kBenchSecret;
  options.now = os::steady_now();
  Pipeline pipeline(options, *pool, events);
  pipeline.set_tables(&plant.tables());
  pipeline.exits().attach_port(plant.port("in"), **in);
  pipeline.exits().attach_port(plant.port("out"), **out);
  if (c.load == Load::kEstablished) open_flows(c, plant, *pool, pipeline);
  Poller poller(pipeline, {{plant.port("in"), in->get()}, {plant.port("out"), out->get()}});
  const double hertz = dataplane::cycles_per_second();
  play(poller, static_cast<std::uint64_t>(kWarmUp * hertz));
  const dataplane::Counters before = pipeline.counters();
  const std::uint64_t cycles = play(poller, static_cast<std::uint64_t>(seconds * hertz));
  const dataplane::Counters& after = pipeline.counters();
  fmt::print("round {} {} {} {} {} {}\n", after.received - before.received, cycles, hertz,
             after.forwarded - before.forwarded, drops_of(after) - drops_of(before),
             pipeline.flows().size());
  return 0;
}

bool read_round(const std::string& output, Round& out) {
  const std::size_t at = output.find("round ");
  return at != output.npos &&
         std::sscanf(output.c_str() + at, "round %lf %lf %lf %lf %lf %lf", &out.packets,
                     &out.cycles, &out.hertz, &out.forwarded, &out.dropped, &out.flows) == 6;
}

}  // namespace sallyport::bench
