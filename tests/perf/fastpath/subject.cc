#include "tests/perf/fastpath/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "policy/base/check.h"
#include "policy/os/clock.h"
#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

using dataplane::PacketPool;
using dataplane::Pipeline;

constexpr const char* kLine = "round ";
constexpr double kWarmUp = 0.3;
// Of two in turns: how long one plays, or into how many parts a capture is cut. Long beside what
// the other's memory in the caches costs it, short beside how fast the machine's speed changes.
constexpr double kTurn = 0.02;
constexpr std::size_t kTurnsOfCapture = 16;
constexpr double kLonger = 3;  // than other cases, those with swaps
// Of kFull: what stands in the table beside the active flows.
constexpr std::size_t kHalfOpen = 16'384;

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

std::size_t flows_for(const TrafficCase& c) {
  return std::bit_ceil(std::max(c.packets, kFewFlows));
}
// With the flows of its capture open, if it has any.
std::unique_ptr<Gateway> gateway_of(Rig& rig, PortPair& ports, const TrafficCase& c,
                                    const BuiltPlant& plant) {
  auto out = std::make_unique<Gateway>(rig, ports, plant, flows_for(c));
  if (c.load == Load::kEstablished || c.load == Load::kMapped)
    open_flows(c, plant, rig.pool, out->pipeline(), os::steady_now());
  return out;
}

Round steady(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  const auto gateway = gateway_of(rig, rig.ports[0], s.traffic, plant);
  gateway->play(kWarmUp);
  return gateway->play(s.seconds);
}

Round once(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  return gateway_of(rig, rig.ports[0], s.traffic, plant)->play_packets(s.traffic.packets);
}

// A turn of `gateway`, told apart from the others by what was counted in all.
template <class Play>
auto turn_of(Round& total, Play play) {
  return [&total, play = std::move(play)] {
    const Round turn = play();
    total += turn;
    return turn.packets_per_second();
  };
}

// Both share the capture and go through it twice: what one plays of it the first time is the
// other's the second time.
Round full(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  const auto table = [&](std::size_t flows) {
    auto out = std::make_unique<Gateway>(rig, rig.ports[0], plant, s.traffic.table);
    fill_table(s.traffic, plant, rig.pool, out->pipeline(), flows, os::steady_now());
    out->settle();
    SALLYPORT_CHECK(out->pipeline().flows().size() == flows);
    return out;
  };
  table(kActiveFlows)->play_packets(s.traffic.packets);  // warms up the ports' memory
  const auto roomy = table(kActiveFlows), taken = table(s.traffic.table);
  const std::size_t part = s.traffic.packets / kTurnsOfCapture;
  Round out, unburdened;
  for (const bool first : {true, false}) {
    const auto pairs = in_turns(kTurnsOfCapture / 2, first,
                                turn_of(out, [&] { return taken->play_packets(part); }),
                                turn_of(unburdened, [&] { return roomy->play_packets(part); }));
    out.pairs.insert(out.pairs.end(), pairs.begin(), pairs.end());
  }
  out.unburdened = unburdened.packets_per_second();
  return out;
}

// One of two gateways has a swap in every kTurnsOfSwap-th of its turns, the other has none. What a
// swap costs is small and the machine's moods are not: so there are many.
Round swaps(Rig& rig, const Subject& s, const BuiltPlant& plant) {
  const auto count = static_cast<std::size_t>(std::ceil(kLonger * s.seconds * kSwapsPerSecond));
  std::vector<std::unique_ptr<BuiltPlant>> revisions;
  for (std::size_t i = 0; i < count; ++i) {
    Plant changed = s.traffic.plant;
    changed.revision = i + 2;
    const BuiltPlant& before = revisions.empty() ? plant : *revisions.back();
    revisions.push_back(std::make_unique<BuiltPlant>(changed, &before.tables()));
  }
  const auto calm = gateway_of(rig, rig.ports[0], s.traffic, plant);
  const auto swapping = gateway_of(rig, rig.ports[0], s.traffic, plant);
  for (Gateway* each : {calm.get(), swapping.get()}) each->play(kWarmUp);
  constexpr double kOfSwap = 1 / kSwapsPerSecond / kTurnsOfSwap;
  Round out, unburdened;
  std::size_t turn = 0;
  const auto next = [&] {
    if (turn % kTurnsOfSwap == 0)
      swapping->pipeline().set_tables(&revisions[turn / kTurnsOfSwap]->tables());
    ++turn;
    return swapping->play(kOfSwap);
  };
  out.pairs = in_turns(count * kTurnsOfSwap, true, turn_of(out, next),
                       turn_of(unburdened, [&] { return calm->play(kOfSwap); }));
  out.unburdened = unburdened.packets_per_second();
  return out;
}

// Until every packet of a capture was played, or for a while; both alike.
std::vector<double> pairs_of(const Subject& one, Gateway& of_one, const Subject& other,
                             Gateway& of_other) {
  if (one.trial == Trial::kOnce) {
    const auto part = [](Gateway& gateway, const Subject& s) {
      return [&] {
        return gateway.play_packets(s.traffic.packets / kTurnsOfCapture).packets_per_second();
      };
    };
    return in_turns(kTurnsOfCapture, true, part(of_one, one), part(of_other, other));
  }
  const auto turn = [](Gateway& gateway) {
    return [&] { return gateway.play(kTurn).packets_per_second(); };
  };
  for (Gateway* each : {&of_one, &of_other}) each->play(kWarmUp);
  return in_turns(static_cast<std::size_t>(std::ceil(one.seconds / kTurn)), true, turn(of_one),
                  turn(of_other));
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
    open_flow(plant, pool, pipeline, opening_of(c, plant, i), "out", now - Gateway::kAge);
  for (std::size_t i = idle; i < flows; ++i)
    feed(plant, pool, pipeline, "in", opening_of(c, plant, i).syn, now);
  for (std::size_t i = 0; i < kActiveFlows; ++i)
    open_flow(plant, pool, pipeline, opening_of(c, plant, i), "out", now);
}

int run_subject(const Subject& subject) {
  auto rig = make_rig(std::array{subject.capture}, subject.traffic.packets, subject.memory_mb);
  if (!rig) return failed_round(rig.error());
  const BuiltPlant plant(subject.traffic.plant);
  using Play = Round (*)(Rig&, const Subject&, const BuiltPlant&);
  constexpr std::array<Play, 4> kPlays = {steady, once, full, swaps};
  const Round r = kPlays[static_cast<std::size_t>(subject.trial)](*rig, subject, plant);
  fmt::print("{}{} {} {} {} {} {} {} {} {}\n{}", kLine, r.packets, r.cycles, r.hertz, r.forwarded,
             r.dropped, r.flows, r.made, r.displaced, r.unburdened, line_of_pairs(r.pairs));
  return 0;
}

int run_pair(const Subject& one, const Subject& other) {
  auto rig = make_rig(std::array{one.capture, other.capture},
                      one.traffic.packets + other.traffic.packets, one.memory_mb);
  if (!rig) return failed_round(rig.error());
  const BuiltPlant plant(one.traffic.plant), others(other.traffic.plant);
  const auto of_one = gateway_of(*rig, rig->ports[0], one.traffic, plant);
  const auto of_other = gateway_of(*rig, rig->ports[1], other.traffic, others);
  fmt::print("{}", line_of_pairs(pairs_of(one, *of_one, other, *of_other)));
  return 0;
}

bool read_round(const std::string& output, Round& out) {
  const auto numbers = numbers_after(output, kLine);
  if (numbers.size() != 9) return false;
  out = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
         numbers[5], numbers[6], numbers[7], numbers[8], pairs_in(output)};
  return true;
}

}  // namespace sallyport::bench
