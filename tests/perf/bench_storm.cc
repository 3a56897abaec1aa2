// ./dev bench storm --model: reconnect storms in virtual time, with the real admission engine.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"
#include "tests/perf/storm/catalogue.h"
#include "tests/perf/storm/document.h"
#include "tests/perf/storm/play.h"

namespace {

using namespace sallyport;

struct Options {
  bool model = false, list = false, quick = false;
  unsigned seeds = 0;  // 0: as many as the catalogue says
  std::string json, report, only;
};

std::vector<storm::Case> chosen(const Options& options) {
  std::vector<storm::Case> out;
  for (storm::Case& c : storm::catalogue(options.quick)) {
    if (c.name.find(options.only) == std::string::npos) continue;
    if (options.seeds > 0) c.seeds = options.seeds;
    out.push_back(std::move(c));
  }
  return out;
}

int list(const std::vector<storm::Case>& cases) {
  for (const storm::Case& c : cases)
    for (const storm::Check& check : c.checks) fmt::print("{}-{}\n", c.name, check.metric);
  return 0;
}

// On a terminal one line that changes; the results go to standard output.
class Progress {
 public:
  explicit Progress(std::size_t all) : all_(all), terminal_(isatty(STDERR_FILENO) == 1) {}
  void begin(const std::string& name) {
    ++nth_;
    if (terminal_) fmt::print(stderr, "\r\033[K[{}/{}, {:.0f} s] {} ", nth_, all_, seconds(), name);
    std::fflush(stderr);
  }
  void end(const std::string& line) {
    if (terminal_) fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
    fmt::print("[{}/{}] {}\n", nth_, all_, line);
    std::fflush(stdout);
  }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::size_t all_, nth_ = 0;
  bool terminal_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Reconnect storms: how long until everyone is back, and at what cost.\n"
      "--model plays them in virtual time: the real admission engine between modelled clients and "
      "servers,\n"
      "beside what else could stand there. All of it takes minutes, --quick seconds."};
  app.name("./dev bench storm");
  app.add_flag("--model", options.model,
               "play the modelled storms (needed: there is no other kind)");
  app.add_flag("--list", options.list, "print the names of all cases and run nothing");
  app.add_flag("--quick", options.quick, "no storm of more than 10 000 clients, one seed each");
  app.add_option("--seeds", options.seeds, "play each storm with this many seeds, the worst counts")
      ->check(CLI::Range(1, 1000));
  app.add_option("--only", options.only, "storms whose name contains TEXT")->type_name("TEXT");
  app.add_option("--json", options.json, "write the results for machines")->type_name("FILE");
  app.add_option("--report", options.report, "write storm-model.md and its pictures")
      ->type_name("FOLDER");
  CLI11_PARSE(app, argc, argv);
  const std::vector<storm::Case> cases = chosen(options);
  if (options.list) return list(cases);
  if (!options.model) {
    fmt::print(stderr, "{}", app.help());
    return 2;
  }
  if (cases.empty()) {
    fmt::print(stderr, "no storm's name contains '{}'; --list prints them\n", options.only);
    return 2;
  }
  const bench::Occasion occasion = bench::occasion("storm", argc, argv);
  Progress progress(cases.size());
  std::vector<storm::Outcome> outcomes;
  std::vector<bench::Figure> figures;
  for (const storm::Case& c : cases) {
    progress.begin(c.name);
    outcomes.push_back(storm::play(c));
    for (bench::Figure& f : outcomes.back().figures()) figures.push_back(std::move(f));
    progress.end(storm::summary(outcomes.back()));
  }
  std::size_t met = 0;
  for (const bench::Figure& f : figures) {
    met += f.met ? 1 : 0;
    if (!f.met)
      fmt::print("missed: {} is {:.3f}, target {:g}{}{}\n", f.name, f.at_most ? f.max : f.min,
                 f.target, f.note.empty() ? "" : "; ", f.note);
  }
  fmt::print("{} of {} targets met, {} storms, {:.0f} s\n", met, figures.size(), cases.size(),
             progress.seconds());
  if (!options.json.empty() && !bench::write_json(options.json, occasion, figures)) {
    fmt::print(stderr, "cannot write {}\n", options.json);
    return 1;
  }
  if (!options.report.empty() && !storm::write_report(options.report, occasion, outcomes)) {
    fmt::print(stderr, "cannot write into {}\n", options.report);
    return 1;
  }
  return 0;
}
