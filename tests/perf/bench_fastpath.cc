// ./dev bench fastpath: packets per second and cycles per packet of Sallyport's packet path on one
// core, and of peers on the same captures in the same run. One process per round.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <span>
#include <utility>

#include "tests/perf/counted/counted.h"
#include "tests/perf/fastpath/cases.h"
#include "tests/perf/fastpath/contenders.h"
#include "tests/perf/fastpath/document.h"
#include "tests/perf/fastpath/idle.h"
#include "tests/perf/fastpath/instructions.h"
#include "tests/perf/fastpath/latency.h"
#include "tests/perf/fastpath/lookups.h"
#include "tests/perf/fastpath/premises.h"
#include "tests/perf/fastpath/ring_rig.h"
#include "tests/perf/fastpath/stages.h"
#include "tests/perf/fastpath/tap_stream.h"
#include "tests/perf/fastpath/two_workers.h"
#include "tests/perf/timing/idle_figures.h"
#include "tests/perf/timing/latency_figures.h"
#include "tests/perf/timing/pairs.h"
#include "tests/perf/timing/tap_figures.h"
#include "tests/perf/timing/two_workers_figures.h"
#include "tests/support/process.h"

namespace {

using namespace sallyport;
using bench::Case;
using bench::case_of;
using bench::Comparison;
using bench::Figure;
using bench::Rounds;

constexpr double kQuickSeconds = 0.3;
constexpr const char* kMemoryPerFlow = "memory-per-flow";
constexpr const char* kTwoWorkersPlay = "established-ipv4-64b-4k";

struct Options {
  bool list = false, quick = false;
  std::string json, report, only, child, capture, beside, stage, instructions, write_instructions;
  double seconds = 1;
  int rounds() const { return quick ? 1 : 5; }
  Case of(std::string_view name) const {
    return quick ? bench::shortened(case_of(name)) : case_of(name);
  }
};

std::uint32_t memory_for(const Case& c) { return c.traffic.packets > 100'000 ? 2048 : 512; }

struct Peer {
  const bench::Contender* who;
  std::string obstacle;
  std::vector<double> rates;        // millions a second
  std::vector<std::size_t> beside;  // which round of ours each was played next to

  bool plays() const { return obstacle.empty(); }
  void play(const bench::Match& match, std::size_t neighbour) {
    if (const auto rate = who->play(match)) {
      rates.push_back(*rate / 1e6);
      beside.push_back(neighbour);
    } else {
      obstacle = rate.error().context;
    }
  }
  void tell(Figure& figure, const Rounds& rounds) const {
    if (!obstacle.empty()) figure.note += fmt::format("; {} did not play: {}", who->name, obstacle);
    std::vector<double> ours, theirs;
    for (std::size_t i = 0; i < rates.size(); ++i) {
      if (beside[i] >= rounds.played.size()) continue;  // a round that failed
      ours.push_back(rounds.played[beside[i]].packets_per_second() / 1e6);
      theirs.push_back(rates[i]);
    }
    if (ours.empty()) return;
    const Figure own = Figure::of("", "Mpps", theirs, 0, false);
    figure.peers.push_back(bench::paired_peer(who->name, ours, theirs));
    figure.note += fmt::format("; {} {:.2f} to {:.2f}", who->name, own.min, own.max);
  }
};

// Plays a case and its peers in turn.
class Contest {
 public:
  Contest(const Options& options, const std::string& folder)
      : options_(options),
        program_(std::filesystem::read_symlink("/proc/self/exe")),
        folder_(folder) {}

  // Whatever peer plays does so right after a round of ours or right before one: O P P O P P O.
  std::vector<Figure> hold(const Case& c) {
    const bench::BuiltPlant plant(c.traffic.plant);
    const std::string capture = written(c, plant, "capture");
    const bench::Match match{c.traffic, plant, folder_, capture, memory_for(c), options_.seconds};
    Rounds rounds;
    const auto own = [&] {
      if (!rounds.failure.empty()) return;
      const auto round = bench::play_sallyport(program_, arguments(c.name, {"--capture", capture}));
      if (round)
        rounds.played.push_back(*round);
      else
        rounds.failure = round.error().context;
    };
    std::vector<Peer> peers = peers_of(c);
    std::size_t since = 0;  // our last round
    for (int r = 0; r < options_.rounds(); ++r) {
      own();
      since = 0;
      for (Peer& peer : peers) {
        if (!peer.plays()) continue;
        if (since == 2) {
          own();
          since = 0;
        }
        peer.play(match, rounds.played.size() - 1 + since++);
      }
    }
    if (since == 2) own();
    std::vector<Figure> out = bench::figures_of(c, rounds);
    for (const Peer& peer : peers) peer.tell(out.front(), rounds);
    return out;
  }

  // Two cases in one process, in turns.
  Figure set_against(const Comparison& comparison) {
    std::vector<std::string> words;
    for (const auto& [option, name] :
         {std::pair{"--capture", comparison.one}, {"--capture-beside", comparison.other}}) {
      const Case c = options_.of(name);
      words.insert(words.end(),
                   {option, written(c, bench::BuiltPlant(c.traffic.plant), option + 2)});
    }
    std::vector<std::string> printed;
    for (int r = 0; r < options_.rounds(); ++r)
      printed.push_back(play(arguments(comparison.name, words)));
    return bench::figure_of(comparison, printed);
  }

 private:
  // Those that play a capture again and again; a quick run asks them in its first case only.
  std::vector<Peer> peers_of(const Case& c) {
    std::vector<Peer> out;
    const bool asked = std::exchange(asked_, true);
    if (c.trial != bench::Trial::kSteady || (options_.quick && asked)) return out;
    for (const bench::Contender& contender : bench::contenders())
      out.push_back({&contender, contender.obstacle(c.traffic), {}, {}});
    return out;
  }
  std::string written(const Case& c, const bench::BuiltPlant& plant, const char* name) const {
    std::string out = fmt::format("{}/{}.pcap", folder_, name);
    bench::write_capture(out, bench::frames_of(c.traffic, plant));
    return out;
  }
  std::vector<std::string> arguments(const char* child, std::vector<std::string> more) const {
    std::vector<std::string> out = {"--child", child, "--seconds",
                                    fmt::format("{}", options_.seconds),
                                    options_.quick ? "--quick" : "--no-quick"};
    std::ranges::move(more, std::back_inserter(out));
    return out;
  }
  std::string play(std::vector<std::string> words) const {
    words.insert(words.begin(), program_);
    return testing::run(words).output;
  }

  const Options& options_;
  std::string program_, folder_;
  bool asked_ = false;
};

// Instructions of each stage, compared with the baseline or written as one.
int count(const Options& options) {
  struct Counted {
    const char* name;
    std::vector<const char*> stages;
  };
  const Counted kCounted[] = {
      {"established-ipv4-64b-4k",
       {"parse", "bind", "find", "whole", "two-workers", "misplaced", "sweep", "swapped"}},
      {"established-ipv6-4k", {"parse", "bind", "find", "whole", "two-workers", "misplaced"}},
      {"napt44-both-ways-64k", {"whole"}},
      {"deny-unknown-mac", {"whole", "two-workers"}},
      {"deny-spoofed-address", {"whole", "two-workers"}},
      {"deny-random-tuples-10000-conduits", {"whole", "two-workers"}},
      {"new-flows", {"whole", "two-workers"}},
      {"full-table", {"whole"}},
  };
  bench::Instructions counted;
  for (const auto& [name, stages] : kCounted) {
    const Case& c = case_of(name);
    for (const char* stage : stages) {
      const auto total = bench::count_instructions({"--child", name, "--stage", stage});
      if (!total) {
        fmt::print(stderr, "{} {}: valgrind did not count\n", name, stage);
        return 1;
      }
      const double each = static_cast<double>(*total) /
                          static_cast<double>(std::min(c.traffic.packets, bench::kCountedPackets));
      fmt::print("{:<36} {:<11} {:8.1f} instructions a packet\n", name, stage, each);
      std::fflush(stdout);
      counted.emplace(fmt::format("{} {}", name, stage), each);
    }
  }
  if (!options.write_instructions.empty())
    return bench::write_instructions(options.write_instructions, counted) ? 0 : 1;
  const auto baseline = bench::read_instructions(options.instructions);
  if (!baseline) {
    fmt::print(stderr, "{}\n", baseline.error().context);
    return 1;
  }
  auto wrong = bench::grown(*baseline, counted);
  std::ranges::move(bench::dearer_for_two(counted), std::back_inserter(wrong));
  for (const std::string& line : wrong) fmt::print(stderr, "{}\n", line);
  return wrong.empty() ? 0 : 1;
}

void print(const Figure& f) {
  fmt::print("{} {:<36} {:7.2f} {} [{:.2f} - {:.2f}], target {:.2f}", f.met ? "met   " : "missed",
             f.name, f.median, f.unit, f.min, f.max, f.target);
  for (const bench::Peer& peer : f.peers)
    fmt::print("; {} {:.2f} (ours {:.2f} of it)", peer.name, peer.median, peer.ratio);
  fmt::print("\n       {}\n", f.note);
  std::fflush(stdout);
}

// Figures that are measured together: one that is asked for brings the others.
bool wanted(const Options& options, std::span<const char* const> names) {
  return std::ranges::any_of(names, [&](const char* name) {
    return std::string_view(name).find(options.only) != std::string_view::npos;
  });
}

// What a child prints that measures `what`.
std::string child(const Options& options, const char* what) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  return testing::run({program, "--child", what, "--seconds", fmt::format("{}", options.seconds),
                       options.quick ? "--quick" : "--no-quick"})
      .output;
}
std::vector<std::string> rounds(const Options& options, const char* what) {
  std::vector<std::string> out;
  for (int r = 0; r < options.rounds(); ++r) out.push_back(child(options, what));
  return out;
}

int measure(const Options& options, const std::vector<Case>& chosen, const std::string& folder,
            const bench::Occasion& occasion) {
  std::vector<Figure> figures;
  const auto add = [&](std::vector<Figure> more) {
    std::ranges::for_each(more, print);
    std::ranges::move(more, std::back_inserter(figures));
  };
  Contest contest(options, folder);
  for (const Case& c : chosen) add(contest.hold(c));
  for (const Comparison& comparison : bench::comparisons())
    if (wanted(options, std::array{comparison.name})) add({contest.set_against(comparison)});
  if (wanted(options, bench::kLookupNames))
    add(bench::lookup_figures(child(options, bench::kLookups)));
  if (wanted(options, bench::kLatencyNames))
    add(bench::latency_figures(rounds(options, bench::kLatency)));
  if (wanted(options, bench::kTwoWorkersNames))
    add(bench::two_workers_figures(rounds(options, bench::kTwoWorkersBeside)));
  if (wanted(options, bench::kIdlePolledNames))
    add(bench::idle_figures(bench::kPolled, rounds(options, bench::kIdlePolled)));
  if (wanted(options, bench::kIdleInterruptNames))
    add(bench::idle_figures(bench::kWoken, rounds(options, bench::kIdleInterrupt)));
  if (wanted(options, bench::kIdleTwoWorkersNames))
    add(bench::idle_figures(bench::kTwoWoken, rounds(options, bench::kIdleTwoWorkers)));
  if (wanted(options, bench::kTapNames))
    add(bench::tap_figures(rounds(options, bench::kTapStream)));
  if (wanted(options, std::array{kMemoryPerFlow})) add({bench::memory_per_flow()});
  if ((!options.json.empty() && !bench::write_json(options.json, occasion, figures)) ||
      (!options.report.empty() &&
       !bench::write_fastpath_report(options.report, occasion, figures))) {
    fmt::print(stderr, "the figures cannot be written\n");
    return 1;
  }
  return std::ranges::all_of(figures, &Figure::met) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Packets per second on one core, and of peers on the same captures.");
  Options options;
  app.add_flag("--list", options.list, "names of the cases");
  app.add_flag("--quick,!--no-quick", options.quick,
               "one short round of each case, with 65,536 flows at most");
  app.add_option("--only", options.only, "cases whose name contains this");
  app.add_option("--json", options.json, "write the figures to this file");
  app.add_option("--report", options.report, "write fastpath.md into this folder");
  app.add_option("--seconds", options.seconds, "of each round")->capture_default_str();
  app.add_option("--instructions", options.instructions,
                 "count instructions of each stage instead; fail if one exceeds this baseline");
  app.add_option("--write-instructions", options.write_instructions,
                 "count them and write the baseline");
  app.add_option("--child", options.child)->group("");
  app.add_option("--capture", options.capture)->group("");
  app.add_option("--capture-beside", options.beside)->group("");
  app.add_option("--stage", options.stage)->group("");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) options.seconds = std::min(options.seconds, kQuickSeconds);
  if (options.child == bench::kLookups) return bench::run_lookups(options.quick);
  if (options.child == bench::kLatency) return bench::run_latency(options.seconds);
  if (options.child == bench::kIdlePolled)
    return bench::run_idle(bench::Wires::kRings, options.quick);
  if (options.child == bench::kIdleInterrupt)
    return bench::run_idle(bench::Wires::kVhost, options.quick);
  if (options.child == bench::kIdleTwoWorkers) return bench::run_idle_of_two(options.quick);
  if (options.child == bench::kTwoWorkersBeside)
    return bench::run_two_workers(case_of(kTwoWorkersPlay).traffic, options.seconds);
  if (options.child == bench::kTapStream) return bench::run_tap_stream(options.seconds);
  std::vector<Case> chosen;
  std::uint32_t memory = bench::kRingRigMemoryMb;
  const auto subject_of = [&](const char* name, const std::string& capture) {
    const Case c = options.of(name);
    return bench::Subject{c.traffic, c.trial, capture, options.seconds, memory_for(c)};
  };
  for (const Comparison& pair : bench::comparisons()) {
    if (options.list) fmt::print("{}\n", pair.name);
    if (options.child == pair.name)
      return bench::run_pair(subject_of(pair.one, options.capture),
                             subject_of(pair.other, options.beside));
    if (wanted(options, std::array{pair.name}))
      memory = std::max(memory, memory_for(options.of(pair.one)));
  }
  for (const Case& usual : bench::cases()) {
    const Case c = options.of(usual.name);
    if (options.list) fmt::print("{}\n", c.name);
    if (options.child == c.name && !options.stage.empty())
      return bench::run_counted(bench::counted(c).traffic, options.stage);
    if (options.child == c.name) return bench::run_subject(subject_of(c.name, options.capture));
    if (std::string_view(c.name).find(options.only) == std::string_view::npos) continue;
    chosen.push_back(c);
    memory = std::max(memory, memory_for(c));
  }
  if (options.list) {
    const auto print_all = [](std::span<const char* const> names) {
      for (const char* name : names) fmt::print("{}\n", name);
    };
    print_all(bench::kLookupNames);
    print_all(bench::kLatencyNames);
    print_all(bench::kTwoWorkersNames);
    print_all(bench::kIdlePolledNames);
    print_all(bench::kIdleInterruptNames);
    print_all(bench::kIdleTwoWorkersNames);
    print_all(bench::kTapNames);
    print_all(std::array{kMemoryPerFlow});
    return 0;
  }
  if (!options.instructions.empty() || !options.write_instructions.empty()) return count(options);
  const bench::Premises premises(memory + 64);
  return premises.run([&] {
    return measure(options, chosen, premises.folder(), bench::occasion("fastpath", argc, argv));
  });
}
