// ./dev bench policy: how long policy takes, from the text to what is in force. The stages are
// timed in this process; `config check` and `config apply` as the operator feels them, in the lab's
// namespaces, with every daemon of the gateway running (tests/perf/policy/apply_in_lab.py).
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "tests/perf/policy/apply_in_lab.h"
#include "tests/perf/policy/document.h"
#include "tests/perf/policy/plant_text.h"
#include "tests/perf/policy/stages.h"
#include "tests/perf/report/report.h"

namespace {

using namespace sallyport;
using bench::Figure;

struct Options {
  bool list = false, quick = false, no_lab = false;
  std::string json, report, text;
  std::size_t variant = 0;
};

struct Plant {
  const char* name;
  bench::PlantSize size;
  // Targets of the issues; 0: none, the figure is there to be known.
  double compile_ms, prove_ms, commit_ms;
};

constexpr double kNone = 0;
const Plant kPlants[] = {
    {"100-devices-300-conduits", {4, 100, 300, 0, 0}, kNone, 100, 300},
    {"1000-devices-10000-conduits", {10, 1000, 10'000, 0, 0}, 2000, 5000, 10'000},
    // Every device told apart, and everything between every two segments permitted besides.
    {"1000-devices-dense", {10, 1000, 1000, 90, 0}, kNone, kNone, kNone},
};

Figure figure(const Plant& plant, const std::string& what, std::vector<double> ms, double target,
              std::string note = {}) {
  Figure out = Figure::of(fmt::format("{}-{}", what, plant.name), "ms", std::move(ms),
                          target == kNone ? 1e9 : target, true);
  out.met = target == kNone || out.median <= target;
  out.target = target;
  out.note = std::move(note);
  return out;
}

std::vector<Figure> measure(const Plant& plant, std::size_t rounds) {
  const std::string text = bench::plant_text(plant.size);
  std::vector<bench::Stages> runs;
  for (std::size_t r = 0; r < rounds; ++r) runs.push_back(bench::run_stages(text));
  const auto column = [&](double bench::Stages::* stage) {
    std::vector<double> out;
    for (const bench::Stages& run : runs) out.push_back(run.*stage);
    return out;
  };
  const bench::Stages& last = runs.back();
  return {
      figure(plant, "load", column(&bench::Stages::load_ms), kNone,
             fmt::format("{} bytes of text", text.size())),
      figure(plant, "compile", column(&bench::Stages::compile_ms), plant.compile_ms,
             fmt::format("{} bytes of snapshot", last.snapshot_bytes)),
      figure(plant, "prove", column(&bench::Stages::prove_ms), plant.prove_ms,
             fmt::format("{} address intervals, {} boxes, {} steps", last.intervals, last.boxes,
                         last.steps)),
      figure(plant, "verify", column(&bench::Stages::verify_ms), kNone,
             "what each receiver does before it uses a snapshot"),
      figure(plant, "list", column(&bench::Stages::list_ms), kNone,
             "what `sallyctl prove` adds to the proof that is kept"),
  };
}

std::vector<Figure> measure_in_lab(const Plant& plant, std::size_t rounds) {
  const bench::Applied applied = bench::apply_in_lab(plant.name, rounds);
  if (!applied.problem.empty()) {
    Figure failed;
    failed.name = fmt::format("commit-{}", plant.name);
    failed.unit = "ms";
    failed.target = plant.commit_ms;
    failed.note = "could not be measured: " + applied.problem;
    return {failed};
  }
  return {
      figure(plant, "check", applied.check_ms, kNone, "`sallyctl config check`"),
      figure(plant, "apply", applied.apply_ms, kNone,
             "`sallyctl config apply`: compiled, proven, stored, acknowledged by both"),
      figure(plant, "commit", applied.commit_ms, plant.commit_ms, "check and apply together"),
      figure(plant, "loop", applied.longest_answer_ms, kNone,
             "the longest that control took to answer `status` meanwhile"),
  };
}

int list() {
  for (const Plant& plant : kPlants) {
    for (const char* stage : {"load", "compile", "prove", "verify", "list"})
      fmt::print("{}-{}\n", stage, plant.name);
    if (plant.commit_ms == kNone) continue;
    for (const char* stage : {"check", "apply", "commit", "loop"})
      fmt::print("{}-{}\n", stage, plant.name);
  }
  return 0;
}

int text_of(const Options& options) {
  for (const Plant& plant : kPlants) {
    if (options.text != plant.name) continue;
    bench::PlantSize size = plant.size;
    size.variant = options.variant;
    fmt::print("{}", bench::plant_text(size));
    return 0;
  }
  fmt::print(stderr, "no plant '{}'\n", options.text);
  return 2;
}

void print(const Figure& f) {
  fmt::print(
      "{:<42} {:>9.1f} {}  ({:.1f} to {:.1f}){}\n", f.name, f.median, f.unit, f.min, f.max,
      f.target == kNone ? "" : fmt::format("  {} {:.0f}", f.met ? "within" : "ABOVE", f.target));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "From a configuration's text to what is in force: the stages one by one on one core, and "
      "`config "
      "check`\nand `config apply` through the daemons in the lab's namespaces (as root)."};
  app.name("./dev bench policy");
  app.add_flag("--list", options.list, "print the names of all cases and run nothing");
  app.add_flag("--quick", options.quick, "one round instead of five");
  app.add_flag("--no-lab", options.no_lab, "only the stages in this process");
  app.add_option("--json", options.json, "write the results for machines")->type_name("FILE");
  app.add_option("--report", options.report, "write policy.md")->type_name("FOLDER");
  app.add_option("--text", options.text, "print a plant's configuration and run nothing")
      ->type_name("PLANT");
  app.add_option("--variant", options.variant, "of the text: one conduit's port");
  CLI11_PARSE(app, argc, argv);
  if (options.list) return list();
  if (!options.text.empty()) return text_of(options);
  const std::size_t rounds = options.quick ? 1 : 5;
  const bench::Occasion occasion = bench::occasion("policy", argc, argv);
  std::vector<Figure> figures;
  const auto take = [&](const std::vector<Figure>& more) {
    for (const Figure& f : more) print(f);
    figures.insert(figures.end(), more.begin(), more.end());
  };
  for (const Plant& plant : kPlants) take(measure(plant, rounds));
  for (const Plant& plant : kPlants)
    if (!options.no_lab && plant.commit_ms != kNone) take(measure_in_lab(plant, rounds));
  std::size_t missed = 0;
  for (const Figure& f : figures) missed += f.met ? 0 : 1;
  if (!options.json.empty() && !bench::write_json(options.json, occasion, figures)) {
    fmt::print(stderr, "cannot write {}\n", options.json);
    return 1;
  }
  if (!options.report.empty() && !bench::write_policy_report(options.report, occasion, figures)) {
    fmt::print(stderr, "cannot write into {}\n", options.report);
    return 1;
  }
  fmt::print("{} figures, {} targets missed\n", figures.size(), missed);
  return missed == 0 ? 0 : 1;
}
