#include "tests/perf/fastpath/contenders.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/perf/fastpath/nftables.h"
#include "tests/perf/fastpath/openvswitch.h"
#include "tests/perf/fastpath/programs.h"
#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

// With a statistics period testpmd runs until it is interrupted; its own figures per second. The
// first one holds the start.
Result<double> play_testpmd(const Match& match) {
  const std::string printed = run_for(
      match.seconds + 4.5, {"dpdk-testpmd", "--lcores=0@0,1@1", "--no-telemetry", "--in-memory",
                            "--no-pci", fmt::format("-m{}", match.memory_mb), "--log-level=5",
                            fmt::format("--vdev=net_pcap0,rx_pcap={},infinite_rx=1", match.capture),
                            "--vdev=net_null0,no-rx=1", "--", "--forward-mode=io", "--nb-cores=1",
                            fmt::format("--total-num-mbufs={}", match.traffic.packets + 8191),
                            "--mbuf-size=256", "--stats-period=1", "--no-flush-rx"});
  std::vector<double> rates;
  std::string_view rest = printed;
  for (std::size_t at = 0; (at = rest.find("Rx-pps:")) != rest.npos;) {
    rest.remove_prefix(at);
    const double rate = number_after(rest, "Rx-pps:").value_or(0);
    if (rate > 0) rates.push_back(rate);
    rest.remove_prefix(1);
  }
  if (rates.size() < 2) return no_figure("dpdk-testpmd", printed);
  return *std::max_element(rates.begin() + 1, rates.end());
}

std::string testpmd_obstacle(const TrafficCase&) {
  return installed("dpdk-testpmd") ? "" : "dpdk-testpmd is not installed";
}

constexpr Contender kContenders[] = {
    {"testpmd-io", testpmd_obstacle, play_testpmd},
    {"ovs-plain", openvswitch_obstacle, play_openvswitch_plain},
    {"ovs-conntrack", openvswitch_obstacle, play_openvswitch_conntrack},
    {"nftables", nftables_obstacle, play_nftables},
};

}  // namespace

std::span<const Contender> contenders() { return kContenders; }

Result<Round> play_sallyport(const std::string& program,
                             const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const std::string printed = testing::run(argv).output;
  Round round;
  if (!read_round(printed, round)) return no_figure("sallyport", printed);
  return round;
}

}  // namespace sallyport::bench
