#include "tests/perf/fastpath/lookups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "dataplane/dpdk/cycles.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/flow/flow_table.h"
#include "policy/base/check.h"
#include "tests/perf/dpdk/rte_tables.h"
#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {
namespace {

using dataplane::Flow;
using dataplane::FlowKey;
using dataplane::FlowTable;

constexpr int kRounds = 7;
constexpr std::size_t kAsked = std::size_t{1} << 20;  // lookups in a round
constexpr std::size_t kTuples = 4096;

// Asks for keys [at, at + kLookupBurst); how many were found.
using Ask = std::function<std::size_t(std::size_t at)>;

// The first round warms up and is not told. Each lookup must find.
std::vector<double> rounds_of(std::size_t keys, const Ask& ask) {
  std::vector<double> out;
  for (int round = 0; round <= kRounds; ++round) {
    std::size_t found = 0;
    const std::uint64_t start = dataplane::cycles();
    for (std::size_t done = 0; done < kAsked; done += kLookupBurst) found += ask(done % keys);
    const std::uint64_t end = dataplane::cycles();
    SALLYPORT_CHECK(found == kAsked);
    if (round > 0) out.push_back(static_cast<double>(end - start) / static_cast<double>(kAsked));
  }
  return out;
}

void tell(const std::string& name, const char* who, const std::vector<double>& cycles) {
  fmt::print("lookup {} {} {:.2f}\n", name, who, fmt::join(cycles, " "));
}
int failed(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.context.c_str());
  return 1;
}

// Whoever was found has its record read.
std::size_t read(const Flow* flow) { return flow != nullptr && flow->at_server.port != 0 ? 1 : 0; }

std::vector<Flow> flows_of(const Plant& plant, std::size_t count) {
  std::vector<Flow> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Ends ends = ends_of(plant, i % plant.conduits);
    Flow& flow = out[i];
    flow.client = ends.client4;
    flow.server = ends.server4;
    flow.at_client.port = static_cast<std::uint16_t>(10'000 + i / plant.conduits);
    flow.stand_in_port = flow.at_server.port = ends.port;
    flow.protocol = ends.protocol;
  }
  std::ranges::shuffle(out, std::mt19937(1));
  return out;
}

void ask_ours(const std::string& name, const std::vector<Flow>& flows) {
  FlowTable table(static_cast<std::uint32_t>(flows.size()), {1, 2}, Instant::from_ns(0));
  std::vector<FlowKey> keys;
  for (const Flow& flow : flows) {
    SALLYPORT_CHECK(table.insert({flow, {}}) != nullptr);
    keys.push_back(flow.client_key());
  }
  std::ranges::shuffle(keys, std::mt19937(2));
  tell(name, "one-by-one", rounds_of(keys.size(), [&](std::size_t at) {
         std::size_t found = 0;
         for (std::size_t i = at; i < at + kLookupBurst; ++i)
           found += read(table.find(keys[i]).flow);
         return found;
       }));
  tell(name, "ours", rounds_of(keys.size(), [&](std::size_t at) {
         std::array<FlowTable::Asked, kLookupBurst> burst;
         for (std::size_t i = 0; i < kLookupBurst; ++i) burst[i].key = keys[at + i];
         table.approach(std::span(burst));
         std::size_t found = 0;
         for (const FlowTable::Asked& each : burst)
           found += read(table.find(each.key, each.looking).flow);
         return found;
       }));
}

// What is counted is from the question who gives way until the new flow is there.
void displace(const std::string& name, std::size_t count) {
  const std::vector<Flow> flows = flows_of({100, 300}, 2 * count);
  FlowTable table(static_cast<std::uint32_t>(count), {1, 2}, Instant::from_ns(0));
  std::size_t next = 0;
  for (; next < count; ++next) SALLYPORT_CHECK(table.insert({flows[next], {}}) != nullptr);
  const auto silent_for = [](const Flow&) { return Duration(0); };
  std::mt19937 random(4);
  std::vector<double> out;
  const std::size_t each = count / (kRounds + 1);
  for (int round = 0; round <= kRounds; ++round) {
    std::uint64_t spent = 0;
    std::size_t found = 0;
    for (std::size_t i = 0; i < each; ++i, ++next) {
      for (std::size_t other = 1; other < kNewShare; ++other)
        found += read(table.find(flows[next - random() % count - 1].client_key()).flow);
      const std::uint64_t start = dataplane::cycles();
      const auto gone = table.gives_way(dataplane::kNoDevice, silent_for);
      SALLYPORT_CHECK(gone.has_value());
      table.erase(**gone);
      SALLYPORT_CHECK(table.insert({flows[next], {}}) != nullptr);
      spent += dataplane::cycles() - start;
    }
    SALLYPORT_CHECK(found == each * (kNewShare - 1));
    if (round > 0) out.push_back(static_cast<double>(spent) / static_cast<double>(each));
  }
  tell(name, "ours", out);
}

Result<void> ask_rte_hash(const std::string& name, std::vector<Flow> flows) {
  SALLYPORT_TRY(RteHash table, RteHash::make(static_cast<std::uint32_t>(flows.size() * 2)));
  std::vector<PackedKey> keys;
  for (Flow& flow : flows) {
    keys.push_back(PackedKey::of(flow.client_key()));
    if (!table.add(keys.back(), &flow) || !table.add(PackedKey::of(flow.server_key({})), &flow))
      return fail(ErrorKind::kSystem, "no-figure", "rte_hash has no room");
  }
  std::ranges::shuffle(keys, std::mt19937(2));
  tell(name, "rte_hash", rounds_of(keys.size(), [&](std::size_t at) {
         std::size_t found = 0;
         for (std::size_t i = at; i < at + kLookupBurst; ++i) found += read(table.find(keys[i]));
         return found;
       }));
  tell(name, "rte_hash_bulk", rounds_of(keys.size(), [&](std::size_t at) {
         std::array<const PackedKey*, kLookupBurst> asked;
         std::array<Flow*, kLookupBurst> answers;
         for (std::size_t i = 0; i < kLookupBurst; ++i) asked[i] = &keys[at + i];
         table.find_bulk(asked, answers);
         std::size_t found = 0;
         for (const Flow* flow : answers) found += read(flow);
         return found;
       }));
  return {};
}

Result<void> classify(const std::string& name, const Plant& plant) {
  const BuiltPlant built(plant);
  const decide::Classifier& classifier = built.tables().classifier();
  std::vector<FlowKey> rules;
  for (std::size_t i = 0; i < plant.conduits; ++i) {
    const Ends e = ends_of(plant, i);
    rules.push_back({e.client4, e.server4, 0, e.port, e.protocol});
  }
  std::mt19937 random(3);
  std::vector<decide::Ingress> ingress;
  std::vector<decide::Tuple> tuples;
  std::vector<AclTuple> acl_tuples;
  const std::uint16_t field = built.tables().view().segment(std::string_view("field"))->slot();
  for (std::size_t i = 0; i < kTuples; ++i) {
    const std::size_t conduit = random() % plant.conduits;
    FlowKey key = rules[conduit];
    key.source_port = static_cast<std::uint16_t>(1024 + random() % 60'000);
    ingress.push_back({field, decide::Origin::kWire,
                       classifier.device_by_mac(ends_of(plant, conduit).client_mac)});
    tuples.push_back({key.source, key.destination, static_cast<std::uint8_t>(key.protocol),
                      key.source_port, key.destination_port});
    acl_tuples.push_back(AclTuple::of(key));
  }
  tell(name, "ours", rounds_of(kTuples, [&](std::size_t at) {
         std::size_t found = 0;
         for (std::size_t i = at; i < at + kLookupBurst; ++i)
           found += classifier.classify(ingress[i], tuples[i]).decision.allowed() ? 1 : 0;
         return found;
       }));
  SALLYPORT_TRY(const RteAcl acl, RteAcl::make(rules));
  tell(name, "rte_acl", rounds_of(kTuples, [&](std::size_t at) {
         std::array<const std::uint8_t*, kLookupBurst> asked;
         std::array<std::uint32_t, kLookupBurst> answers;
         for (std::size_t i = 0; i < kLookupBurst; ++i)
           asked[i] = reinterpret_cast<const std::uint8_t*>(&acl_tuples[at + i]);
         acl.classify(asked, answers);
         return static_cast<std::size_t>(
             std::ranges::count_if(answers, [](std::uint32_t a) { return a != 0; }));
       }));
  return {};
}

}  // namespace

int run_lookups(bool quick) {
  dataplane::EalOptions eal;
  eal.memory_mb = kLookupsMemoryMb;
  if (auto started = dataplane::start_eal(eal); !started) return failed(started.error());
  struct Size {
    const char* name;
    std::size_t flows;
  };
  for (const Size& size : {Size{"find-flow-4k", 4096}, Size{"find-flow-1m", kMillion}}) {
    if (quick && size.flows > kFewFlows) continue;
    const std::vector<Flow> flows = flows_of({100, 300}, size.flows);
    ask_ours(size.name, flows);
    if (auto asked = ask_rte_hash(size.name, flows); !asked)
      fmt::print("obstacle {} rte_hash {}\n", size.name, asked.error().context);
  }
  if (!quick) displace("displace-flow-1m", kMillion);
  for (const auto& [name, plant] : {std::pair("classify-300-conduits", Plant{100, 300}),
                                    std::pair("classify-10000-conduits", Plant{1000, 10'000})})
    if (auto asked = classify(name, plant); !asked)
      fmt::print("obstacle {} rte_acl {}\n", name, asked.error().context);
  return 0;
}

std::vector<Figure> lookup_figures(const std::string& printed) {
  std::vector<std::string> names;
  std::map<std::string, std::map<std::string, std::vector<double>>> told;
  std::map<std::string, std::string> notes;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name, who;
    words >> kind >> name >> who;
    if (kind == "lookup") {
      if (!told.contains(name)) names.push_back(name);
      for (double cycles = 0; words >> cycles;) told[name][who].push_back(cycles);
    } else if (kind == "obstacle") {
      std::string why;
      std::getline(words, why);
      notes[name] += fmt::format("; {} did not play:{}", who, why);
    }
  }
  std::vector<Figure> out;
  for (const std::string& name : names) {
    if (told[name]["ours"].empty()) continue;
    // Reported: no target.
    Figure figure = Figure::of(name, "cycles", told[name]["ours"], 0, false);
    figure.note = "cycles each, fewer is better";
    for (const auto& [who, cycles] : told[name]) {
      if (who == "ours") continue;
      const Figure peer = Figure::of(who, "cycles", cycles, 0, false);
      figure.peers.push_back({who, peer.median, figure.median / peer.median});
      figure.note += fmt::format("; {} {:.0f} to {:.0f}", who, peer.min, peer.max);
    }
    figure.note += notes[name];
    out.push_back(std::move(figure));
  }
  return out;
}

}  // namespace sallyport::bench
