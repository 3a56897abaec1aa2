#include "tests/perf/fastpath/ring_rig.h"

#include <atomic>
#include <optional>
#include <thread>

#include "dataplane/app/short_slice.h"
#include "dataplane/dpdk/eal.h"
#include "policy/os/clock.h"
#include "tests/perf/dpdk/vhost_wire.h"
#include "tests/perf/fastpath/socket_folder.h"
#include "tests/perf/fastpath/subject.h"

namespace sallyport::bench {
namespace {

using dataplane::Packet;
using dataplane::PacketPool;
using dataplane::Pipeline;

// What four full rings, three threads' caches and the bursts between them hold, and as much again.
constexpr std::uint32_t kPackets = 16'383;
// As in established-ipv4-64b-4k.
constexpr TrafficCase kRingTraffic{
    {.devices = 100, .conduits = 300}, Load::kEstablished, IpVersion::k4, 4096};

// Where frames go while flows are opened: the handshakes are not what is measured.
class Bin final : public dataplane::PortDriver {
 public:
  std::size_t transmit(std::span<Packet> burst) noexcept override {
    for (Packet& packet : burst) packet.reset();
    return burst.size();
  }
  std::size_t receive(std::span<Packet> /*burst*/) noexcept override { return 0; }
};

// The port that a worker asks first. Between its shifts the worker sleeps in there, with nothing in
// its hands.
class Gate final : public dataplane::PortDriver {
 public:
  Gate(dataplane::PortDriver& behind, Shift& shift) : behind_(behind), shift_(shift) {}
  std::size_t transmit(std::span<Packet> burst) noexcept override {
    return behind_.transmit(burst);
  }
  std::size_t receive(std::span<Packet> burst) noexcept override {
    if (shift_.over().load(std::memory_order_relaxed)) static_cast<void>(shift_.await());
    return behind_.receive(burst);
  }

 private:
  dataplane::PortDriver& behind_;
  Shift& shift_;
};

dataplane::PipelineOptions options_now() {
  dataplane::PipelineOptions options;
  options.flows = kFewFlows;
  options.hash_secret = kBenchSecret;
  options.now = os::steady_now();
  return options;
}

}  // namespace

struct RingRig::Parts {
  Parts(const TrafficCase& traffic, Cores its_cores, PacketPool its_pool, PacketPool its_datagrams,
        ProcessWire its_in, ProcessWire its_out)
      : cores(its_cores),
        pool(its_pool),
        datagrams(its_datagrams),
        in(std::move(its_in)),
        out(std::move(its_out)),
        plant(traffic.plant),
        frames(frames_of(traffic, plant)),
        pipeline(options_now(), pool, datagrams, events),
        taps(pool),
        prober(pool, in.host->queue(0), out.host->queue(0), frames) {
    pipeline.set_tables(&plant.tables());
    Bin bin;
    for (const char* port : {"in", "out"}) pipeline.exits().attach_port(plant.port(port), bin);
    open_flows(traffic, plant, pool, pipeline, os::steady_now());
    pipeline.exits().attach_port(plant.port("in"), in.gateway->queue(0));
    pipeline.exits().attach_port(plant.port("out"), out.gateway->queue(0));
  }

  Cores cores;
  PacketPool pool, datagrams;
  ProcessWire in, out;
  BuiltPlant plant;
  std::vector<FrameBytes> frames;
  dataplane::Events events;
  Pipeline pipeline;
  dataplane::TapThread taps;  // not started: no segment has a host stack here
  Prober prober;
};

Result<std::unique_ptr<RingRig>> RingRig::make(Wires wires) {
  const auto cores = two_cores();
  if (!cores) return fail(ErrorKind::kUnavailable, "no-figure", "two processors are needed");
  dataplane::EalOptions eal;
  eal.memory_mb = kRingRigMemoryMb;
  SALLYPORT_TRY_VOID(dataplane::start_eal(eal));
  const bool vhost = wires == Wires::kVhost;
  if (vhost && !dataplane::eal_uses_hugepages())
    return fail(ErrorKind::kUnavailable, "no-figure",
                "virtio and vhost share hugepages, and there are none");
  SALLYPORT_TRY(PacketPool pool,
                dataplane::make_packet_pool(kPackets, vhost ? dataplane::kWholeFrame : kSmallRoom));
  SALLYPORT_TRY(PacketPool datagrams, dataplane::make_datagram_pool());
  const SocketFolder folder;
  const auto wire = [&](const char* name) {
    return vhost ? make_vhost_wire(name, folder.path(), pool) : make_ring_wire(name, pool);
  };
  SALLYPORT_TRY(ProcessWire in, wire("in"));
  SALLYPORT_TRY(ProcessWire out, wire("out"));
  dataplane::take_short_slices();  // as the gateway's process does
  stay_on(cores->prober);
  return std::unique_ptr<RingRig>(new RingRig(std::make_unique<Parts>(
      kRingTraffic, *cores, pool, datagrams, std::move(in), std::move(out))));
}

RingRig::RingRig(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RingRig::~RingRig() = default;

Cores RingRig::cores() const { return parts_->cores; }

void RingRig::beside_worker(const std::function<void(Prober&, dataplane::Worker&)>& work) {
  Parts& p = *parts_;
  dataplane::Worker worker(p.pipeline, p.taps,
                           {{p.plant.port("in"), &p.in.gateway->queue(0)},
                            {p.plant.port("out"), &p.out.gateway->queue(0)}});
  stay_on(p.cores.gateway);
  worker.start();
  stay_on(p.cores.prober);
  work(p.prober, worker);
}

void RingRig::beside_both(const std::function<void(Prober&, Shift& worker, Shift& io)>& work) {
  Parts& p = *parts_;
  Shift of_worker, of_io;
  Gate gate(p.in.gateway->queue(0), of_worker);
  dataplane::Worker worker(
      p.pipeline, p.taps,
      {{p.plant.port("in"), &gate}, {p.plant.port("out"), &p.out.gateway->queue(0)}});
  stay_on(p.cores.gateway);
  worker.start();
  std::thread engine([&] {
    while (of_io.await()) forward_io(p.in, p.out, of_io.over());
  });
  stay_on(p.cores.prober);
  work(p.prober, of_worker, of_io);
  of_worker.close();
  of_io.close();
  engine.join();
}

}  // namespace sallyport::bench
