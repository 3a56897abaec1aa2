#include "tests/perf/fastpath/contenders.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace sallyport::bench {
namespace {

// What a shell command prints on both outputs; its status is not looked at.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen((command + " 2>&1").c_str(), "r"),
                                                   ::pclose);
  std::string out;
  std::array<char, 4096> part;
  while (pipe && std::fgets(part.data(), part.size(), pipe.get()) != nullptr) out += part.data();
  return out;
}

std::unexpected<Error> no_figure(const char* who, const std::string& printed) {
  return fail(
      ErrorKind::kSystem, "no-figure",
      fmt::format("{} measured nothing:\n{}", who,
                  printed.substr(printed.size() - std::min<std::size_t>(printed.size(), 2000))));
}

}  // namespace

Result<Round> play_sallyport(const std::string& program,
                             const std::vector<std::string>& arguments) {
  const std::string printed = output_of(fmt::format("{} {}", program, fmt::join(arguments, " ")));
  Round round;
  if (!read_round(printed, round)) return no_figure("sallyport", printed);
  return round;
}

Result<double> play_testpmd(const Capture& capture, double seconds) {
  // With a statistics period testpmd runs until it is interrupted; its own figures per second.
  const std::string printed = output_of(fmt::format(
      "timeout -s INT {} dpdk-testpmd --lcores=0@0,1@1 --no-telemetry --in-memory --no-pci -m{} "
      "--log-level=5 "
      "--vdev=net_pcap0,rx_pcap={},infinite_rx=1 --vdev=net_null0,no-rx=1 -- --forward-mode=io "
      "--nb-cores=1 --total-num-mbufs={} --mbuf-size=256 --stats-period=1 --no-flush-rx",
      seconds + 2.5, capture.memory_mb, capture.path, capture.packets + 8191));
  std::vector<double> rates;
  for (std::size_t at = 0; (at = printed.find("Rx-pps:", at)) != printed.npos; ++at) {
    double rate = 0;
    if (std::sscanf(printed.c_str() + at, "Rx-pps: %lf", &rate) == 1 && rate > 0)
      rates.push_back(rate);
  }
  // The first period holds the start.
  if (rates.size() < 2) return no_figure("dpdk-testpmd", printed);
  return *std::max_element(rates.begin() + 1, rates.end());
}

}  // namespace sallyport::bench
