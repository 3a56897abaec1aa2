#include "tests/perf/fastpath/gateway.h"

#include <fmt/format.h>

#include <numeric>

#include "dataplane/dpdk/cycles.h"
#include "dataplane/dpdk/eal.h"
#include "policy/base/check.h"
#include "policy/os/clock.h"
#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {
namespace {

using dataplane::EthPort;

constexpr std::uint32_t kSpare = 8191;

dataplane::PipelineOptions options_of(std::size_t flows) {
  dataplane::PipelineOptions options;
  options.flows = static_cast<std::uint32_t>(flows);
  options.hash_secret = kBenchSecret;
  options.now = os::steady_now() - Gateway::kAge;
  return options;
}

double dropped(const dataplane::Counters& counters) {
  return static_cast<double>(
      std::accumulate(counters.drops.begin(), counters.drops.end(), std::uint64_t{0}));
}

}  // namespace

Round& Round::operator+=(const Round& next) {
  packets += next.packets;
  cycles += next.cycles;
  hertz = next.hertz;
  forwarded += next.forwarded;
  dropped += next.dropped;
  flows = next.flows;
  made += next.made;
  displaced += next.displaced;
  return *this;
}

Result<Rig> make_rig(std::span<const std::string> captures, std::size_t packets,
                     std::uint32_t memory_mb) {
  dataplane::EalOptions eal;
  eal.memory_mb = memory_mb;
  SALLYPORT_TRY_VOID(dataplane::start_eal(eal));
  const std::size_t buffers = packets + captures.size() * kSpare;
  SALLYPORT_TRY(const dataplane::PacketPool pool,
                dataplane::make_packet_pool(static_cast<std::uint32_t>(buffers), kSmallRoom));
  SALLYPORT_TRY(const dataplane::PacketPool datagrams, dataplane::make_datagram_pool());
  Rig out{pool, datagrams, {}};
  for (std::size_t i = 0; i < captures.size(); ++i) {
    PortPair ports;
    SALLYPORT_TRY(ports.in,
                  EthPort::open(fmt::format("net_pcap{},rx_pcap={},infinite_rx=1", i, captures[i]),
                                out.pool));
    SALLYPORT_TRY(ports.out, EthPort::open(fmt::format("net_null{},no-rx=1", i), out.pool));
    out.ports.push_back(std::move(ports));
  }
  return out;
}

Gateway::Gateway(Rig& rig, PortPair& ports, const BuiltPlant& plant, std::size_t flows)
    : pipeline_(options_of(flows), rig.pool, rig.datagrams, events_),
      poller_(pipeline_, {{plant.port("in"), &ports.in->queue(0)},
                          {plant.port("out"), &ports.out->queue(0)}}) {
  pipeline_.set_tables(&plant.tables());
  pipeline_.exits().attach_port(plant.port("in"), ports.in->queue(0));
  pipeline_.exits().attach_port(plant.port("out"), ports.out->queue(0));
}

void Gateway::settle() {
  for (std::size_t i = 0; i < 2 * pipeline_.flows().capacity() / 256; ++i)
    pipeline_.housekeeping(os::steady_now());
}

// Polls while `on` says so, asked with the time since the start. A clock is read once for each
// poll, as a worker reads it.
template <class While>
Round Gateway::poll(const While& on) {
  const Instant begun = os::steady_now();
  if (stopped_) stood_still_ += begun - *stopped_;
  const dataplane::Counters before = pipeline_.counters();
  const std::uint64_t start = dataplane::cycles();
  Instant now = begun;
  while (on(now - begun)) {
    poller_.poll(now - stood_still_);
    now = os::steady_now();
  }
  stopped_ = now;
  Round out;
  out.cycles = static_cast<double>(dataplane::cycles() - start);
  out.hertz = dataplane::cycles_per_second();
  const dataplane::Counters& after = pipeline_.counters();
  out.packets = static_cast<double>(after.received - before.received);
  out.forwarded = static_cast<double>(after.forwarded - before.forwarded);
  out.dropped = dropped(after) - dropped(before);
  out.flows = pipeline_.flows().size();
  out.made = static_cast<double>(after.flows_made - before.flows_made);
  out.displaced = static_cast<double>(after.flows_displaced - before.flows_displaced);
  return out;
}

Round Gateway::play(double seconds) {
  const Duration whole(static_cast<std::int64_t>(seconds * 1e9));
  return poll([&](Duration since) { return since < whole; });
}

Round Gateway::play_packets(std::size_t count) {
  SALLYPORT_CHECK(count % dataplane::kBurst == 0);
  const std::uint64_t end = pipeline_.counters().received + count;
  return poll([&](Duration) { return pipeline_.counters().received < end; });
}

}  // namespace sallyport::bench
