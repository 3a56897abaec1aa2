#include "tests/perf/fastpath/stages.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/dpdk/eal.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages/bind.h"
#include "dataplane/stages/parse.h"
#include "policy/os/clock.h"
#include "tests/perf/counted/counted.h"
#include "tests/perf/fastpath/subject.h"

namespace sallyport::bench {
namespace {

using namespace dataplane;

constexpr std::uint32_t kPool = 16'383;

// Takes everything and keeps it until it is asked to forget: freeing is not what is counted. Of so
// much that the pool would run dry, which is never counted, it forgets what came first.
class Keeper final : public PortDriver {
 public:
  Keeper() { kept_.reserve(kPool); }
  std::size_t transmit(std::span<Packet> burst) noexcept override {
    if (kept_.size() >= kMostKept) kept_.clear();
    for (Packet& packet : burst) kept_.push_back(std::move(packet));
    return burst.size();
  }
  std::size_t receive(std::span<Packet>) noexcept override { return 0; }
  void forget() { kept_.clear(); }

 private:
  static constexpr std::size_t kMostKept = kPool / 3;
  std::vector<Packet> kept_;
};

struct Bench {
  PacketPool& pool;
  const BuiltPlant& plant;
  Pipeline& pipeline;
  Events& events;
  Instant now;
  std::vector<FrameBytes> frames;

  std::vector<Packet> received() const {
    std::vector<Packet> out;
    for (const FrameBytes& frame : frames) {
      out.push_back(pool.copy_of(frame));
      out.back().meta().port = plant.port("in");
    }
    return out;
  }
  std::vector<std::optional<ParsedPacket>> parsed() const {
    std::vector<std::optional<ParsedPacket>> out;
    for (Packet& packet : received()) out.emplace_back(*Parse::run(std::move(packet)));
    return out;
  }

  void whole() const {
    std::vector<Packet> packets = received();
    begin_counting();
    for (std::size_t i = 0; i < packets.size(); i += Pipeline::kMaxBurst)
      pipeline.from_port(
          plant.port("in"),
          std::span(packets).subspan(i, std::min(Pipeline::kMaxBurst, packets.size() - i)), now);
    pipeline.flush(now);
    end_counting();
  }
  void parse() const {
    std::vector<Packet> packets = received();
    std::vector<std::optional<ParsedPacket>> out(packets.size());
    begin_counting();
    for (std::size_t i = 0; i < packets.size(); ++i)
      if (auto done = Parse::run(std::move(packets[i]))) out[i].emplace(*std::move(done));
    end_counting();
  }
  void bind() const {
    std::vector<std::optional<ParsedPacket>> packets = parsed();
    std::vector<std::optional<BoundPacket>> out(packets.size());
    begin_counting();
    for (std::size_t i = 0; i < packets.size(); ++i)
      if (auto done = Bind::run(*std::move(packets[i]), pipeline_tables(), events, now))
        out[i].emplace(*std::move(done));
    end_counting();
  }
  void find() const {
    std::vector<FlowTable::Asked> keys;
    for (const auto& packet : parsed()) {
      const Headers& h = packet->headers();
      keys.push_back(
          {{h.source, h.destination, h.source_port, h.destination_port, h.protocol}, {}});
    }
    FlowTable& flows = pipeline.flows();
    std::size_t found = 0;
    begin_counting();
    for (std::span rest(keys); !rest.empty();) {
      const std::span burst = rest.first(std::min(rest.size(), Pipeline::kMaxBurst));
      rest = rest.subspan(burst.size());
      flows.approach(burst);
      for (const FlowTable::Asked& each : burst)
        if (flows.find(each.key, each.looking)) ++found;
    }
    end_counting();
    SALLYPORT_CHECK(found == keys.size() || found == 0);
  }
  // What each flow of a table that is full of them costs after a swap.
  void sweep() const {
    begin_counting();
    while (pipeline.unfinished()) pipeline.housekeeping(now);
    end_counting();
  }
  const Tables& pipeline_tables() const { return plant.tables(); }
};

// Two workers' packet paths, each with the flows that are its own.
class Pair {
 public:
  Pair(const TrafficCase& c, const BuiltPlant& plant, PacketPool& pool, PacketPool& datagrams,
       Keeper& in, Keeper& out, const PipelineOptions& options)
      : plant_(plant),
        pool_(pool),
        now_(options.now),
        of_devices_(c.load != Load::kUnknownMac && c.load != Load::kSpoofedAddress) {
    for (const WorkerSlot i : all_of(owners_.workers())) {
      PipelineOptions own = options;
      own.crew.emplace(i, crossings_);
      own.nat_ports = owners_.share(i);
      pipelines_[i] = std::make_unique<Pipeline>(own, pool, datagrams, events_[i]);
      pipelines_[i]->set_tables(&plant.tables());
      pipelines_[i]->exits().attach_port(plant.port("in"), in);
      pipelines_[i]->exits().attach_port(plant.port("out"), out);
    }
    SALLYPORT_CHECK(c.load != Load::kMapped && c.load != Load::kMixed);  // they are not two's
    if (c.load != Load::kEstablished) return;
    for (std::size_t i = 0; i < c.packets; ++i) {
      const Opening opening = opening_of(c, plant, i);
      Pipeline& owner = *pipelines_[owner_of(opening.syn)];
      for (const auto& [port, frame] : {std::pair{"in", &opening.syn},
                                        {"out", &opening.answer},
                                        {"in", &opening.established}}) {
        owner.from_port(plant.port(port), pool.copy_of(*frame), now_);
        owner.flush(now_);
      }
    }
    in.forget();
    out.forget();
  }

  // In turn, as on one core: each reads its own packets, or all of them the other's.
  void whole(const std::vector<FrameBytes>& frames, bool misplaced) {
    std::array<std::vector<Packet>, 2> read;
    for (const FrameBytes& frame : frames)
      read[misplaced ? 1 - owner_of(frame) : owner_of(frame)].push_back(pool_.copy_of(frame));
    if (of_devices_)
      for (const auto& each : read) SALLYPORT_CHECK(each.size() > frames.size() / 4);
    begin_counting();
    const std::size_t longest = std::max(read[0].size(), read[1].size());
    for (std::size_t at = 0; at < longest; at += Pipeline::kMaxBurst) {
      for (std::size_t i = 0; i < read.size(); ++i)
        if (at < read[i].size())
          pipelines_[i]->from_port(
              plant_.port("in"),
              std::span(read[i]).subspan(at, std::min(Pipeline::kMaxBurst, read[i].size() - at)),
              now_);
      for (const auto& pipeline : pipelines_) pipeline->take_over(now_);
    }
    for (const auto& pipeline : pipelines_) pipeline->flush(now_);
    end_counting();
    for (std::size_t i = 0; i < read.size(); ++i) {
      SALLYPORT_CHECK(pipelines_[i]->counters().handed_over == (misplaced ? read[i].size() : 0));
      SALLYPORT_CHECK(pipelines_[i]->counters().taken_over == (misplaced ? read[1 - i].size() : 0));
    }
  }

 private:
  WorkerSlot owner_of(const FrameBytes& frame) const {
    Headers h;
    SALLYPORT_CHECK(!parse_frame(frame, h));
    return owners_.of(frame, h, plant_.tables());
  }
  const BuiltPlant& plant_;
  PacketPool& pool_;
  Instant now_;
  bool of_devices_;  // else most may be one worker's
  Owners owners_{2};
  Crossings crossings_{2};
  std::array<Events, 2> events_;
  std::array<std::unique_ptr<Pipeline>, 2> pipelines_;
};

}  // namespace

int run_counted(const TrafficCase& c, std::string_view stage) {
  EalOptions eal;
  eal.hugepages = Hugepages::kOff;
  eal.memory_mb = 64;
  if (!start_eal(eal)) return 1;
  auto pool = make_packet_pool(kPool, kSmallRoom);
  auto datagrams = make_datagram_pool();
  if (!pool || !datagrams) return 1;
  const BuiltPlant plant(c.plant);
  Events events;
  Keeper in, out;
  PipelineOptions options;
  options.hash_secret = kBenchSecret;
  options.now = os::steady_now();
  if (stage == kSweep) options.flows = static_cast<std::uint32_t>(c.packets);
  if (stage == kTwoWorkers || stage == kMisplaced) {
    Pair pair(c, plant, *pool, *datagrams, in, out, options);
    pair.whole(frames_of(c, plant), stage == kMisplaced);
    return 0;
  }
  Pipeline pipeline(options, *pool, *datagrams, events);
  pipeline.set_tables(&plant.tables());
  pipeline.exits().attach_port(plant.port("in"), in);
  pipeline.exits().attach_port(plant.port("out"), out);
  if (c.load == Load::kEstablished || c.load == Load::kMapped)
    open_flows(c, plant, *pool, pipeline, options.now);
  if (c.load == Load::kMixed) fill_table(c, plant, *pool, pipeline, c.table, options.now);
  in.forget();
  out.forget();
  const Bench bench{*pool, plant, pipeline, events, options.now, frames_of(c, plant)};
  if (stage == "parse") bench.parse();
  if (stage == "bind") bench.bind();
  if (stage == "find") bench.find();
  if (stage == kWhole) bench.whole();
  if (stage == kSweep || stage == kSwapped) {
    Plant changed = c.plant;
    ++changed.revision;
    const BuiltPlant next(changed, &plant.tables());
    pipeline.set_tables(&next.tables());
    stage == kSweep ? bench.sweep() : bench.whole();
  }
  return 0;
}

}  // namespace sallyport::bench
