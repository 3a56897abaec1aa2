#include "tests/perf/fastpath/cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/flow/flow_table.h"

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
double kept(const Round& r) { return r.packets_per_second() / r.unburdened; }
double lost(const Round& r) { return r.packets - r.forwarded; }

std::vector<Figure> full_table(const Case& c, const Rounds& rounds) {
  std::vector<Figure> out = {
      figure(c.name, "of not full", rounds, kept, c.target),
      figure(
          fmt::format("{}-new-flows", c.name), "of those offered", rounds,
          [](const Round& r) { return r.made / (r.packets / kNewShare); }, 1)};
  if (rounds.played.empty()) return out;
  const Round& r = rounds.played.back();
  out[0].note +=
      fmt::format("; {:.2f} Mpps, {:.2f} while there was room", mpps(r), r.unburdened / 1e6);
  out[1].note = fmt::format("{:.0f} came in, {:.0f} gave way", r.made, r.displaced);
  return out;
}

std::vector<Figure> snapshot_swap(const Case& c, const Rounds& rounds) {
  std::vector<Figure> out = {
      figure(c.name, "of none", rounds, kept, c.target),
      figure(fmt::format("{}-lost", c.name), "packets", rounds, lost, 0, true)};
  if (rounds.played.empty()) return out;
  out[0].note += fmt::format("; {:.0f} swaps a second, one conduit in {} anew in each",
                             kSwapsPerSecond, Plant::kShare);
  if (c.target == 0) out[0].note += "; reported, without a target";
  return out;
}

// The one's rounds by the other's, in the order in which they were played.
Figure ratio(const char* name, const std::string& one, const std::string& other, double target,
             const std::map<std::string, Rounds>& played) {
  const std::vector<Round>& a = played.at(one).played;
  const std::vector<Round>& b = played.at(other).played;
  std::vector<double> out;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    out.push_back(a[i].packets_per_second() / b[i].packets_per_second());
  if (out.empty()) out.push_back(0);
  Figure figure = Figure::of(name, "ratio", out, target, false);
  figure.note = fmt::format("{} to {}", one, other);
  return figure;
}

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

std::vector<Figure> comparisons(const std::map<std::string, Rounds>& played) {
  struct Comparison {
    const char* name;
    const char* one;
    const char* other;
    double target;
  };
  constexpr Comparison kComparisons[] = {
      {"ipv6-to-ipv4", "established-ipv6-4k", "established-ipv4-64b-4k", 0.9},
      {"10000-conduits-to-10-established", "established-10000-conduits", "established-10-conduits",
       0.95},
      {"10000-conduits-to-10-new-flows", "new-flows-10000-conduits", "new-flows-10-conduits", 0.8},
  };
  std::vector<Figure> out;
  for (const auto& [name, one, other, target] : kComparisons)
    if (played.contains(one) && played.contains(other))
      out.push_back(ratio(name, one, other, target, played));
  return out;
}

Figure memory_per_flow() {
  const dataplane::FlowTable table(kMillion, {1, 2}, Instant::from_ns(0));
  const double bytes = static_cast<double>(table.bytes()) / table.capacity();
  Figure out = Figure::of("memory-per-flow", "bytes", {bytes}, 128, true);
  out.note = fmt::format(
      "both directions, NAT included: {} the flow, the rest its two index entries and its place in "
      "the order of eviction",
      sizeof(dataplane::Flow));
  return out;
}

}  // namespace sallyport::bench
