// ./dev bench fastpath: packets per second and cycles per packet of Sallyport's packet path on one
// core, and of peers on the same captures in the same run. One process per round.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/perf/counted/counted.h"
#include "tests/perf/fastpath/contenders.h"
#include "tests/perf/fastpath/document.h"
#include "tests/perf/fastpath/instructions.h"
#include "tests/perf/fastpath/stages.h"
#include "tests/perf/report/report.h"

namespace {

using namespace sallyport;
using bench::Figure;
using bench::Load;

struct Case {
  const char* name;
  bench::TrafficCase traffic;
  double target_mpps;
};
constexpr std::size_t kMillion = std::size_t{1} << 20;
const Case kCases[] = {
    {"established-ipv4-64b-4k", {{100, 300}, Load::kEstablished, IpVersion::k4, 4096}, 20},
    {"established-ipv6-4k", {{100, 300}, Load::kEstablished, IpVersion::k6, 4096}, 18},
    {"established-ipv4-64b-1m", {{100, 300}, Load::kEstablished, IpVersion::k4, kMillion}, 12},
    {"established-10-conduits", {{100, 10}, Load::kEstablished, IpVersion::k4, 4096}, 20},
    {"established-10000-conduits", {{1000, 10'000}, Load::kEstablished, IpVersion::k4, 10'000}, 20},
    {"deny-unknown-mac", {{100, 300}, Load::kUnknownMac, IpVersion::k4, 4096}, 20},
    {"deny-spoofed-address", {{100, 300}, Load::kSpoofedAddress, IpVersion::k4, 4096}, 20},
    {"deny-random-tuples-10000-conduits",
     {{1000, 10'000}, Load::kRandomTuples, IpVersion::k4, 4096},
     10},
};

struct Options {
  bool list = false, quick = false;
  std::string json, report, only, child, capture, stage, instructions, write_instructions;
  double seconds = 1;
};

// Hugepages for as long as the bench runs.
class Hugepages {
 public:
  explicit Hugepages(std::uint32_t megabytes) {
    std::ifstream(kPath) >> before_;
    if (before_ * 2 < megabytes) std::ofstream(kPath) << megabytes / 2;
  }
  ~Hugepages() { std::ofstream(kPath) << before_; }
  Hugepages(const Hugepages&) = delete;
  Hugepages& operator=(const Hugepages&) = delete;

 private:
  static constexpr const char* kPath = "/proc/sys/vm/nr_hugepages";
  std::uint32_t before_ = 0;
};

std::uint32_t memory_for(const Case& c) { return c.traffic.packets > 100'000 ? 2048 : 512; }

Figure measure(const Case& c, const Options& options, const std::string& program, int rounds) {
  const std::string path = fmt::format("/dev/shm/sallyport-bench-{}.pcap", ::getpid());
  const bench::BuiltPlant plant(c.traffic.plant);
  bench::write_capture(path, bench::frames_of(c.traffic, plant));
  const bench::Capture capture{path, c.traffic.packets, memory_for(c)};
  std::vector<double> ours, ceiling;
  std::string note;
  for (int r = 0; r < rounds; ++r) {
    const auto round = bench::play_sallyport(
        program,
        {"--child", c.name, "--capture", path, "--seconds", fmt::format("{}", options.seconds)});
    if (!round) {
      note = round.error().context;
      break;
    }
    ours.push_back(round->packets_per_second() / 1e6);
    note = fmt::format(
        "{:.0f} cycles a packet; forwarded {:.3f}, dropped {:.3f} of what came; {:.0f} flows",
        round->cycles / round->packets, round->forwarded / round->packets,
        round->dropped / round->packets, round->flows);
    if (const auto pmd = bench::play_testpmd(capture, options.seconds))
      ceiling.push_back(*pmd / 1e6);
    else
      note += "; " + pmd.error().context;
  }
  std::filesystem::remove(path);
  Figure figure = Figure::of(c.name, "Mpps", ours.empty() ? std::vector<double>{0} : ours,
                             c.target_mpps, false);
  if (!ceiling.empty()) {
    std::ranges::sort(ceiling);
    const double median = ceiling[ceiling.size() / 2];
    figure.peers.push_back({"testpmd-io", median, figure.median / median});
  }
  figure.note = note;
  return figure;
}

// Instructions of each stage, compared with the baseline or written as one.
int count(const Options& options) {
  struct Counted {
    const char* name;
    std::vector<const char*> stages;
  };
  const Counted kCounted[] = {
      {"established-ipv4-64b-4k", {"parse", "bind", "find", "whole"}},
      {"established-ipv6-4k", {"parse", "bind", "find", "whole"}},
      {"deny-unknown-mac", {"whole"}},
      {"deny-random-tuples-10000-conduits", {"whole"}},
  };
  bench::Instructions counted;
  for (const auto& [name, stages] : kCounted) {
    const auto c = std::ranges::find(kCases, std::string_view(name), &Case::name);
    for (const char* stage : stages) {
      const auto total = bench::count_instructions({"--child", name, "--stage", stage});
      if (!total) {
        fmt::print(stderr, "{} {}: valgrind did not count\n", name, stage);
        return 1;
      }
      const double each = static_cast<double>(*total) / static_cast<double>(c->traffic.packets);
      fmt::print("{:<36} {:<6} {:8.1f} instructions a packet\n", name, stage, each);
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
  const auto wrong = bench::grown(*baseline, counted);
  for (const std::string& line : wrong) fmt::print(stderr, "{}\n", line);
  return wrong.empty() ? 0 : 1;
}

void print(const Figure& f) {
  fmt::print("{} {:<36} {:7.2f} Mpps [{:.2f} - {:.2f}], target {:.2f}", f.met ? "met   " : "missed",
             f.name, f.median, f.min, f.max, f.target);
  for (const bench::Peer& peer : f.peers)
    fmt::print("; {} {:.2f} (ours {:.2f} of it)", peer.name, peer.median, peer.ratio);
  fmt::print("\n       {}\n", f.note);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Packets per second on one core, and of peers on the same captures.");
  Options options;
  app.add_flag("--list", options.list, "names of the cases");
  app.add_flag("--quick", options.quick, "one round of each case");
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
  app.add_option("--stage", options.stage)->group("");
  CLI11_PARSE(app, argc, argv);
  for (const Case& c : kCases) {
    if (options.list) fmt::print("{}\n", c.name);
    if (options.child == c.name && !options.stage.empty())
      return bench::run_counted(c.traffic, options.stage);
    if (options.child == c.name)
      return bench::run_subject(c.traffic, options.capture, options.seconds, memory_for(c));
  }
  if (options.list) return 0;
  if (!options.instructions.empty() || !options.write_instructions.empty()) return count(options);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<Figure> figures;
  for (const Case& c : kCases) {
    if (std::string_view(c.name).find(options.only) == std::string_view::npos) continue;
    const Hugepages pages(memory_for(c) + 64);
    figures.push_back(measure(c, options, program, options.quick ? 1 : 5));
    print(figures.back());
  }
  const bench::Occasion occasion = bench::occasion("fastpath", argc, argv);
  if ((!options.json.empty() && !bench::write_json(options.json, occasion, figures)) ||
      (!options.report.empty() &&
       !bench::write_fastpath_report(options.report, occasion, figures))) {
    fmt::print(stderr, "the figures cannot be written\n");
    return 1;
  }
  return std::ranges::all_of(figures, &Figure::met) ? 0 : 1;
}
