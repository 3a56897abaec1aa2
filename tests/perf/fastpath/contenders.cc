#include "tests/perf/fastpath/contenders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

std::unexpected<Error> no_figure(const char* who, const std::string& printed) {
  return fail(
      ErrorKind::kSystem, "no-figure",
      fmt::format("{} measured nothing:\n{}", who,
                  printed.substr(printed.size() - std::min<std::size_t>(printed.size(), 2000))));
}

}  // namespace

Result<Round> play_sallyport(const std::string& program,
                             const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const std::string printed = testing::run(argv).output;
  Round round;
  if (!read_round(printed, round)) return no_figure("sallyport", printed);
  return round;
}

Result<double> play_testpmd(const Capture& capture, double seconds) {
  // With a statistics period testpmd runs until it is interrupted; its own figures per second.
  const std::string printed =
      testing::run({"timeout",
                    "-s",
                    "INT",
                    fmt::format("{}", seconds + 2.5),
                    "dpdk-testpmd",
                    "--lcores=0@0,1@1",
                    "--no-telemetry",
                    "--in-memory",
                    "--no-pci",
                    fmt::format("-m{}", capture.memory_mb),
                    "--log-level=5",
                    fmt::format("--vdev=net_pcap0,rx_pcap={},infinite_rx=1", capture.path),
                    "--vdev=net_null0,no-rx=1",
                    "--",
                    "--forward-mode=io",
                    "--nb-cores=1",
                    fmt::format("--total-num-mbufs={}", capture.packets + 8191),
                    "--mbuf-size=256",
                    "--stats-period=1",
                    "--no-flush-rx"})
          .output;
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
