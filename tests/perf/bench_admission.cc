// ./dev bench admission: what one decision of the engine costs, at a million places. Google
// Benchmark drives the loops; cycles are those of the time-stamp counter (its frequency is fixed,
// the core's is not), per decision over bursts of 32 with prefetching as the data plane does it;
// instructions are counted by callgrind.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <x86intrin.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/perf/admission/field.h"
#include "tests/perf/counted/counted.h"
#include "tests/perf/report/report.h"

namespace {

using namespace sallyport;
using bench::Decisions;
using bench::Field;

constexpr std::size_t kPlaces = 1U << 20;
constexpr std::size_t kCountedPlaces = 1U << 14;
constexpr int kRuns = 5;
constexpr double kTarget = 60;  // of a decision on a packet, p50 (standards.md B.2, M7)
constexpr double kMostInstructions = 600;

struct Costs {
  std::vector<double> p50, p99;  // of each run
};

// A turn is no decision on a packet: there is one per handshake, and no target.
double target(Decisions what) {
  return what == Decisions::kTurns ? std::numeric_limits<double>::infinity() : kTarget;
}

std::string verdict(const bench::Figure& f) {
  if (std::isinf(f.target)) return "no target";
  return fmt::format("{:.0f}: {}", f.target, f.met ? "met" : "missed");
}

double quantile(std::vector<double>& values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * q);
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<std::size_t>(at)];
}

// One iteration: every decision prepared, once.
void measure(benchmark::State& state, Field& field, Decisions what, Costs& costs) {
  std::vector<double> cycles;
  for ([[maybe_unused]] auto step : state) {
    state.PauseTiming();
    const std::size_t decisions = field.prepare(what);
    cycles.clear();
    cycles.reserve(decisions / Field::kBurst);
    state.ResumeTiming();
    for (std::size_t i = 0; i < decisions; i += Field::kBurst) {
      const std::uint64_t begin = __rdtsc();
      field.decide(what, i, Field::kBurst);
      cycles.push_back(static_cast<double>(__rdtsc() - begin) / Field::kBurst);
    }
    costs.p50.push_back(quantile(cycles, 0.5));
    costs.p99.push_back(quantile(cycles, 0.99));
  }
  state.counters["cycles_p50"] = costs.p50.back();
  state.counters["cycles_p99"] = costs.p99.back();
}

// The child's side of count_instructions().
int count(const std::string& what) {
  Field field(kCountedPlaces);
  for (const Decisions decisions : bench::kAllDecisions) {
    if (what != name(decisions)) continue;
    const std::size_t n = field.prepare(decisions);
    bench::begin_counting();
    field.decide(decisions, 0, n);
    bench::end_counting();
    return 0;
  }
  return 2;
}

double instructions(Decisions what) {
  const auto counted = bench::count_instructions({"--count", name(what)});
  if (!counted) return 0;
  const double decisions =
      static_cast<double>(kCountedPlaces) * (what == Decisions::kStorm ? 5 : 1);
  return static_cast<double>(*counted) / decisions;
}

std::string case_name(Decisions what, const char* unit) {
  return fmt::format("decision-{}-1m-{}", name(what), unit);
}

std::vector<bench::Figure> figures(Decisions what, const Costs& costs) {
  std::vector<bench::Figure> out;
  out.push_back(
      bench::Figure::of(case_name(what, "cycles-p50"), "cycles", costs.p50, target(what), true));
  // A machine shared with others disturbs single runs; the median of the runs is judged.
  out.back().met = out.back().median <= target(what);
  out.back().note = description(what);
  if (const double n = instructions(what); n > 0) {
    out.push_back(bench::Figure::of(case_name(what, "instructions"), "instructions", {n},
                                    what == Decisions::kTurns ? target(what) : kMostInstructions,
                                    true));
    out.back().note = "callgrind";
  }
  return out;
}

std::string report(const bench::Occasion& occasion, const std::vector<bench::Figure>& all,
                   const std::map<Decisions, Costs>& costs) {
  std::string out = fmt::format(
      "# What a decision of the admission engine costs\n\n"
      "Written by the bench itself; do not edit. One million places (64 MiB) in random order, "
      "bursts of {}, prefetching {} packets\n"
      "ahead. Cycles are the time-stamp counter's; the judged figure is the median of {} runs' "
      "medians. Other work ran on the same machine.\n\n"
      "* command: `{}`\n* machine: {}\n* date: {}\n* commit: {}\n\n"
      "| decision | cycles p50 (least - most of the runs) | p99 | target p50 | instructions "
      "|\n|---|---|---|---|---|\n",
      Field::kBurst, admission::kPrefetchAhead, kRuns, occasion.command, occasion.machine,
      occasion.date, occasion.commit);
  for (const Decisions what : bench::kAllDecisions) {
    Costs c = costs.at(what);
    const auto find = [&](const char* unit) {
      return std::ranges::find(all, case_name(what, unit), &bench::Figure::name);
    };
    const auto p50 = find("cycles-p50");
    const auto count = find("instructions");
    out += fmt::format("| {} | {:.0f} ({:.0f} - {:.0f}) | {:.0f} | {} | {} |\n", description(what),
                       p50->median, p50->min, p50->max, quantile(c.p99, 0.5), verdict(*p50),
                       count == all.end() ? "not counted" : fmt::format("{:.0f}", count->median));
  }
  return out +
         "\nThe bound of 60 cycles is for the decisions of a storm: the third row. The "
         "first SYN "
         "of a client, the second row, is one decision in five\n"
         "of these. A turn is what one handshake costs the engine in all, most of it one miss of "
         "the "
         "cache on a place that was filed long ago.\n\n"
         "Place: 64 bytes, asserted at compile time. Allocations after construction: counted by "
         "`./dev bench storm --model`, none.\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::string json, folder, counted;
  bool list = false;
  CLI::App app{"What one decision of the admission engine costs, at a million places."};
  app.name("./dev bench admission");
  app.add_flag("--list", list, "print the names of all cases and run nothing");
  app.add_option("--json", json, "write the results for machines")->type_name("FILE");
  app.add_option("--report", folder, "write admission-cost.md")->type_name("FOLDER");
  app.add_option("--count", counted)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!counted.empty()) return count(counted);
  if (list) {
    for (const Decisions what : bench::kAllDecisions)
      for (const char* unit : {"cycles-p50", "instructions"})
        fmt::print("{}\n", case_name(what, unit));
    return 0;
  }
  const bench::Occasion occasion = bench::occasion("admission", argc, argv);
  Field field(kPlaces);
  std::map<Decisions, Costs> costs;
  for (const Decisions what : bench::kAllDecisions) {
    benchmark::RegisterBenchmark(name(what),
                                 [&field, &costs, what](benchmark::State& state) {
                                   measure(state, field, what, costs[what]);
                                 })
        ->Iterations(1)
        ->Repetitions(kRuns)
        ->Unit(benchmark::kMillisecond);
  }
  int words = 1;
  benchmark::Initialize(&words, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  std::vector<bench::Figure> all;
  for (const auto& [what, c] : costs)
    for (bench::Figure& f : figures(what, c)) all.push_back(std::move(f));
  for (const bench::Figure& f : all)
    fmt::print("{:<36} {:>8.1f} {} ({})\n", f.name, f.median, f.unit, verdict(f));
  if (!json.empty() && !bench::write_json(json, occasion, all)) {
    fmt::print(stderr, "cannot write {}\n", json);
    return 1;
  }
  if (!folder.empty() &&
      !bench::write_text(folder + "/admission-cost.md", report(occasion, all, costs))) {
    fmt::print(stderr, "cannot write into {}\n", folder);
    return 1;
  }
  return 0;
}
