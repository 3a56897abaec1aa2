// Writes docs/reference/*.md from the tables in the code, or checks that the committed files are
// what would be written.
//   reference_docs --write FOLDER    writes every document
//   reference_docs --check FOLDER    exit 1 and the first differing line if one is stale or missing
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "control/exporter/metrics.h"
#include "dataplane/flow/tcp_state.h"
#include "policy/base/drop_reasons.h"

namespace {

struct Document {
  std::string name;
  std::string text;
};

std::string underscored(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '-', '_');
  return out;
}

std::string drop_reasons() {
  std::string out =
      "# Drop reasons\n\n"
      "Generated from `policy/base/drop_reasons.h` by `./dev docs`; do not edit.\n\n"
      "Each packet that ends inside the gateway ends for exactly one of these reasons. `sallyctl "
      "show counters` counts them,\n"
      "`sallyctl show drops` says who, where to and when.\n\n"
      "| reason | meaning |\n|---|---|\n";
  for (const sallyport::DropInfo& info : sallyport::kDropInfo) {
    out += fmt::format("| `{}` | {} |\n", info.name, info.help);
  }
  return out;
}

std::string metrics() {
  using namespace sallyport::exporter;
  std::string out = fmt::format(
      "# Metrics\n\n"
      "Generated from `control/exporter/metrics.h` by `./dev docs`; do not edit.\n\n"
      "What `sallyport-exporter` serves at `/metrics` on the management segment. At most {} series "
      "of one metric; what nobody answers is absent.\n\n"
      "| metric | kind | labels | meaning |\n|---|---|---|---|\n",
      kMostSeries);
  for (const MetricInfo& metric : kMetricInfo) {
    out +=
        fmt::format("| `{}` | {} | {} | {} |\n", metric.name,
                    metric.kind == Kind::kCounter ? "counter" : "gauge",
                    metric.labels.empty() ? "" : fmt::format("`{}`", metric.labels), metric.help);
  }
  return out;
}

// What moves a flow on, as a picture: an arrow for each pair of states.
std::string tcp_picture() {
  using namespace sallyport::dataplane;
  std::string out = "```mermaid\nstateDiagram-v2\n";
  for (std::size_t from = 0; from < kTcpStates; ++from) {
    std::map<TcpState, std::string> arrows;
    for (std::size_t event = 0; event < kTcpEvents; ++event) {
      const TcpCell cell = tcp_next(static_cast<TcpState>(from), static_cast<TcpEvent>(event));
      if (cell.next == static_cast<TcpState>(from)) continue;
      std::string& label = arrows[cell.next];
      label += fmt::format("{}{}", label.empty() ? "" : ", ", kTcpEventNames[event]);
    }
    for (const auto& [next, label] : arrows)
      out += fmt::format("  {} --> {}: {}\n", underscored(kTcpStateNames[from]),
                         underscored(kTcpStateNames[static_cast<std::size_t>(next)]), label);
  }
  return out + "```\n";
}

std::string tcp_states() {
  using namespace sallyport;
  using namespace sallyport::dataplane;
  std::string out =
      "# States of a TCP flow\n\n"
      "Generated from `dataplane/flow/tcp_state.cc` by `./dev docs`; do not edit.\n\n"
      "A flow begins with a client's SYN that policy allows; any other segment without a flow is "
      "`mid-stream`. What \"within the windows\" means\n"
      "stands in `dataplane/flow/tcp_window.h`.\n\n" +
      tcp_picture() +
      "\n| state | meaning | silent for at most | or what its conduit says of "
      "|\n|---|---|---|---|\n";
  constexpr TimeoutClass kSaid[] = {TimeoutClass::kEstablished, TimeoutClass::kTransitory,
                                    TimeoutClass::kHalfOpen};
  for (std::size_t i = 0; i < kTcpStates; ++i) {
    const MaySilent& may = tcp_silence(static_cast<TcpState>(i));
    const bool bounded = may.most != Duration::max();
    out += fmt::format("| `{}` | {} | {} s | `{}`{} |\n", kTcpStateNames[i], kTcpStateHelp[i],
                       std::chrono::duration_cast<std::chrono::seconds>(may.usual).count(),
                       timeout_info(kSaid[static_cast<std::size_t>(may.which)]).name,
                       bounded ? ", if that is less" : "");
  }
  out +=
      "\nEvery cell: what is done with the segment, and the state afterwards if it is "
      "another.\n\n| state |";
  for (const std::string_view event : kTcpEventNames) out += fmt::format(" {} |", event);
  out += "\n|---|";
  for (std::size_t i = 0; i < kTcpEvents; ++i) out += "---|";
  out += "\n";
  for (std::size_t from = 0; from < kTcpStates; ++from) {
    out += fmt::format("| `{}` |", kTcpStateNames[from]);
    for (std::size_t event = 0; event < kTcpEvents; ++event) {
      const TcpCell cell = tcp_next(static_cast<TcpState>(from), static_cast<TcpEvent>(event));
      out += " " + std::string(kTcpActionNames[static_cast<std::size_t>(cell.action)]);
      if (cell.next != static_cast<TcpState>(from))
        out += fmt::format(" → {}", kTcpStateNames[static_cast<std::size_t>(cell.next)]);
      out += " |";
    }
    out += "\n";
  }
  out += "\n| action | meaning |\n|---|---|\n";
  for (std::size_t i = 0; i < kTcpActionNames.size(); ++i)
    out += fmt::format("| {} | {} |\n", kTcpActionNames[i], kTcpActionHelp[i]);
  return out;
}

std::string timeouts() {
  std::string out =
      "# Timeouts\n\n"
      "Generated from `policy/base/timeouts.h` by `./dev docs`; do not edit.\n\n"
      "How long a flow may be silent. A conduit may say another time, those of its own service's "
      "protocol alone:\n"
      "`timeouts: { established: 15m, transitory: 30s }`, in seconds, minutes or hours.\n"
      "Less than an RFC asks for is allowed, with a warning.\n\n"
      "| timeout | of | usual | from | to | an RFC asks for at least "
      "|\n|---|---|---|---|---|---|\n";
  using namespace sallyport;
  for (const TimeoutInfo& t : kTimeouts)
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", t.name, t.help,
                       duration_text(t.usual_s), duration_text(t.least_s), duration_text(t.most_s),
                       t.advised_s == 0
                           ? std::string()
                           : fmt::format("{} ({})", duration_text(t.advised_s), t.advised_by));
  return out;
}

std::vector<Document> documents() {
  return {{"drop-reasons.md", drop_reasons()},
          {"metrics.md", metrics()},
          {"tcp-states.md", tcp_states()},
          {"timeouts.md", timeouts()}};
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool is_current(const std::filesystem::path& path, const std::string& expected) {
  const std::string seen = read_file(path);
  if (seen == expected) return true;
  std::size_t line = 1;
  for (std::size_t i = 0; i < std::min(seen.size(), expected.size()) && seen[i] == expected[i];
       ++i) {
    if (seen[i] == '\n') ++line;
  }
  std::cerr << path.string() << ":" << line << ": differs from the code; run ./dev docs\n";
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 2 || (arguments[0] != "--write" && arguments[0] != "--check")) {
    std::cerr << "usage: reference_docs --write|--check FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  bool current = true;
  for (const Document& document : documents()) {
    const auto path = folder / document.name;
    if (arguments[0] == "--check") {
      current = is_current(path, document.text) && current;
    } else if (!(std::ofstream(path, std::ios::binary) << document.text)) {
      std::cerr << path.string() << ": cannot be written\n";
      return 1;
    }
  }
  return current ? 0 : 1;
}
