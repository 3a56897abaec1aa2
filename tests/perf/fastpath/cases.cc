#include "tests/perf/fastpath/cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dataplane/flow/flow_table.h"
#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/rounds.h"

namespace sallyport::bench {
namespace {

// As many new flows as ten conduits have source ports for.
constexpr std::size_t kOpened = std::size_t{1} << 19;
constexpr Plant kUsual{.devices = 100, .conduits = 300}, kFew{.devices = 100, .conduits = 10},
    kMany{.devices = 1000, .conduits = 10'000};
using enum Load;

const Case kCases[] = {
    {"established-ipv4-64b-4k", {kUsual, kEstablished, IpVersion::k4, 4096}, Trial::kSteady, 20},
    {"established-ipv6-4k", {kUsual, kEstablished, IpVersion::k6, 4096}, Trial::kSteady, 18},
    {"established-ipv4-64b-1m",
     {kUsual, kEstablished, IpVersion::k4, kMillion},
     Trial::kSteady,
     12},
    {"napt44-both-ways-64k",
     {{.devices = 100, .conduits = 300, .mapped = true}, kMapped, IpVersion::k4, 2 * kFewFlows},
     Trial::kSteady,
     14.88},
    {"established-10-conduits", {kFew, kEstablished, IpVersion::k4, 10'000}, Trial::kSteady, 20},
    {"established-10000-conduits",
     {kMany, kEstablished, IpVersion::k4, 10'000},
     Trial::kSteady,
     20},
    {"deny-unknown-mac", {kUsual, kUnknownMac, IpVersion::k4, 4096}, Trial::kSteady, 20},
    {"deny-spoofed-address", {kUsual, kSpoofedAddress, IpVersion::k4, 4096}, Trial::kSteady, 20},
    {"deny-random-tuples-10000-conduits",
     {kMany, kRandomTuples, IpVersion::k4, 4096},
     Trial::kSteady,
     10},
    {"new-flows", {kUsual, kNewFlows, IpVersion::k4, kOpened}, Trial::kOnce, 2.5},
    {"new-flows-10-conduits", {kFew, kNewFlows, IpVersion::k4, kOpened}, Trial::kOnce, 2.5},
    {"new-flows-10000-conduits", {kMany, kNewFlows, IpVersion::k4, kOpened}, Trial::kOnce, 2.5},
    {"full-table", {kUsual, kMixed, IpVersion::k4, kMillion}, Trial::kFull, 0.9},
    {"snapshot-swap-4k", {kUsual, kEstablished, IpVersion::k4, 4096}, Trial::kSwaps, 0.99},
    {"snapshot-swap-1m", {kUsual, kEstablished, IpVersion::k4, kMillion}, Trial::kSwaps, 0},
};

using Value = double (*)(const Round&);
std::vector<double> values(const Rounds& rounds, Value value) {
  std::vector<double> out;
  for (const Round& r : rounds.played) out.push_back(value(r));
  if (out.empty()) out.push_back(0);
  return out;
}

std::string path_note(const Round& r) {
  return fmt::format(
      "{:.0f} cycles a packet; forwarded {:.3f}, dropped {:.3f} of what came; {:.0f} flows",
      r.cycles / r.packets, r.forwarded / r.packets, r.dropped / r.packets, r.flows);
}

Figure figure(std::string name, const char* unit, const Rounds& rounds, Value value, double target,
              bool at_most = false) {
  Figure out = Figure::of(std::move(name), unit, values(rounds, value), target, at_most);
  if (rounds.played.empty()) out.met = false;
  out.note = rounds.played.empty() ? rounds.failure : path_note(rounds.played.back());
  return out;
}

double mpps(const Round& r) { return r.packets_per_second() / 1e6; }
double lost(const Round& r) { return r.packets - r.forwarded; }

// By the same traffic without what burdens it, turn by turn.
Figure kept(const Case& c, const char* unit, const Rounds& rounds, std::size_t phases = 1) {
  std::vector<std::vector<double>> pairs;
  for (const Round& r : rounds.played) pairs.push_back(r.pairs);
  Figure out = paired_figure(c.name, unit, pairs, c.target, phases);
  out.note = rounds.played.empty()
                 ? rounds.failure
                 : fmt::format("{}; {}; {:.2f} Mpps, {:.2f} without", out.note,
                               path_note(rounds.played.back()), mpps(rounds.played.back()),
                               rounds.played.back().unburdened / 1e6);
  return out;
}

std::vector<Figure> full_table(const Case& c, const Rounds& rounds) {
  std::vector<Figure> out = {
      kept(c, "of not full", rounds),
      figure(
          fmt::format("{}-new-flows", c.name), "of those offered", rounds,
          [](const Round& r) { return r.made / (r.packets / kNewShare); }, 1)};
  if (rounds.played.empty()) return out;
  const Round& r = rounds.played.back();
  out[1].note = fmt::format("{:.0f} came in, {:.0f} gave way", r.made, r.displaced);
  return out;
}

std::vector<Figure> snapshot_swap(const Case& c, const Rounds& rounds) {
  std::vector<Figure> out = {
      kept(c, "of none", rounds, kTurnsOfSwap),
      figure(fmt::format("{}-lost", c.name), "packets", rounds, lost, 0, true)};
  if (rounds.played.empty()) return out;
  out[0].note += fmt::format("; {:.0f} swaps a second, one conduit in {} anew in each",
                             kSwapsPerSecond, Plant::kShare);
  if (c.target == 0) out[0].note += "; reported, without a target";
  return out;
}

constexpr Comparison kComparisons[] = {
    {"ipv6-to-ipv4", "established-ipv6-4k", "established-ipv4-64b-4k", 0.9},
    {"10000-conduits-to-10-established", "established-10000-conduits", "established-10-conduits",
     0.95},
    {"10000-conduits-to-10-new-flows", "new-flows-10000-conduits", "new-flows-10-conduits", 0.8},
};

}  // namespace

std::span<const Case> cases() { return kCases; }

Case shortened(Case c) {
  c.traffic.packets = std::min(c.traffic.packets, kFewFlows);
  c.traffic.table = kFewFlows;
  return c;
}

Case counted(Case c) {
  c.traffic.packets = std::min(c.traffic.packets, kCountedPackets);
  c.traffic.table = dataplane::PipelineOptions{}.flows;
  return c;
}

std::vector<Figure> figures_of(const Case& c, const Rounds& rounds) {
  switch (c.trial) {
    case Trial::kSteady:
      return {figure(c.name, "Mpps", rounds, mpps, c.target)};
    case Trial::kOnce:
      return {figure(
          c.name, "M flows/s", rounds, [](const Round& r) { return r.flows_per_second() / 1e6; },
          c.target)};
    case Trial::kFull:
      return full_table(c, rounds);
    case Trial::kSwaps:
      return snapshot_swap(c, rounds);
  }
  return {};
}

std::span<const Comparison> comparisons() { return kComparisons; }

const Case& case_of(std::string_view name) {
  return *std::ranges::find(cases(), name, &Case::name);
}

Figure figure_of(const Comparison& comparison, const std::vector<std::string>& printed) {
  std::vector<std::vector<double>> pairs;
  for (const std::string& round : printed) {
    pairs.push_back(pairs_in(round));
    if (!pairs.back().empty()) continue;
    return missing_figures(std::array{comparison.name}, "ratio",
                           {ErrorKind::kSystem, "no-figure", round})[0];
  }
  Figure out = paired_figure(comparison.name, "ratio", pairs, comparison.target);
  out.note = fmt::format("{} to {}; {}", comparison.one, comparison.other, out.note);
  return out;
}

Figure memory_per_flow() {
  const dataplane::FlowTable table(kMillion, {1, 2}, Instant::from_ns(0));
  const dataplane::PortMappings mappings({1, 2});
  const double bytes = static_cast<double>(table.bytes() + mappings.bytes()) / table.capacity();
  Figure out = Figure::of("memory-per-flow", "bytes", {bytes}, 128, true);
  out.note = fmt::format(
      "both directions, NAT included: {} the flow, {:.1f} the ports of NAPT44, the rest its two "
      "index entries and its place in the order of eviction",
      sizeof(dataplane::Flow), static_cast<double>(mappings.bytes()) / table.capacity());
  return out;
}

}  // namespace sallyport::bench
