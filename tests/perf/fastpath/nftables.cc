#include "tests/perf/fastpath/nftables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "tests/perf/fastpath/programs.h"
#include "tests/support/netns.h"
#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

using std::chrono::milliseconds;
using testing::Namespace;

// Opening a flow takes three frames through a socket each; and the kernel's own bound on tracked
// flows is the whole machine's, which a bench leaves alone.
constexpr std::size_t kMostFlows = 48'000;
constexpr milliseconds kWarmUp(500);
constexpr milliseconds kLongestStart(15'000);

struct Side {
  const char* segment;
  const char* near;  // in the gateway's namespace
  const char* far;   // in the sender's or receiver's
};
constexpr Side kField{"field", "a1", "a0"}, kOffice{"office", "b0", "b1"};

// sender a0 - a1 gateway b0 - b1 receiver.
struct Topology {
  Namespace sender{"sender"}, gateway{"gateway"}, receiver{"receiver"};
};

Result<std::string> inside(const Namespace& where, std::vector<std::string> words) {
  words.insert(words.begin(), {"ip", "netns", "exec", where.name()});
  return run_well(words);
}
Result<void> write_inside(const Namespace& where, const std::string& file,
                          const std::string& text) {
  bool written = false;
  where.run([&] {
    std::ofstream out(file);
    out << text;
    written = out.flush().good();
  });
  return written ? Result<void>{} : fail(ErrorKind::kSystem, "no-figure", "cannot write " + file);
}

// The gateway's addresses and its neighbours, for ip -batch.
std::string links(const Match& match) {
  const IpVersion v = match.traffic.version;
  const bool v4 = v == IpVersion::k4;
  std::string out;
  for (const Side& side : {kField, kOffice})
    out += fmt::format("link set {} address {}\n", side.near,
                       match.plant.gateway_mac(side.segment).to_string());
  const int bits = v4 ? 16 : 64;
  out += fmt::format("addr add {}/{} dev a1 {}\n", v4 ? "10.20.0.1" : "fd00:20::1", bits,
                     v4 ? "" : "nodad");
  out += fmt::format("addr add {}/{} dev b0 {}\n", v4 ? "10.30.0.1" : "fd00:30::1", bits,
                     v4 ? "" : "nodad");
  // Any device is some conduit's client, and some conduit's server.
  for (std::size_t i = 0; i < match.traffic.plant.devices; ++i) {
    const Ends ends = ends_of(match.traffic.plant, i);
    out += fmt::format("neigh replace {} lladdr {} dev a1 nud permanent\n",
                       ends.client(v).to_string(), ends.client_mac.to_string());
    out += fmt::format("neigh replace {} lladdr {} dev b0 nud permanent\n",
                       ends.server(v).to_string(), ends.server_mac.to_string());
  }
  return out;
}

std::string rules(const Match& match) {
  const IpVersion v = match.traffic.version;
  const char* ip = v == IpVersion::k4 ? "ip" : "ip6";
  std::string out = fmt::format(
      "table inet gateway {{\n set conduits {{\n  type {0}_addr . {0}_addr . inet_proto . "
      "inet_service\n  elements = {{ ",
      v == IpVersion::k4 ? "ipv4" : "ipv6");
  for (std::size_t i = 0; i < match.traffic.plant.conduits; ++i) {
    const Ends ends = ends_of(match.traffic.plant, i);
    out += fmt::format("{}{} . {} . {} . {}", i == 0 ? "" : ", ", ends.client(v).to_string(),
                       ends.server(v).to_string(),
                       ends.protocol == IpProtocol::kTcp ? "tcp" : "udp", ends.port);
  }
  return out + fmt::format(
                   " }}\n }}\n chain forward {{\n  type filter hook forward priority 0; policy "
                   "drop;\n  ct state established accept\n  {0} saddr . {0} daddr . meta l4proto "
                   ". th dport @conduits accept\n }}\n}}\n",
                   ip);
}

Result<void> build(const Topology& t, const Match& match) {
  testing::join(t.sender, kField.far, t.gateway, kField.near);
  testing::join(t.gateway, kOffice.near, t.receiver, kOffice.far);
  const std::string batch = match.folder + "/links", ruleset = match.folder + "/rules";
  std::ofstream(batch) << links(match);
  std::ofstream(ruleset) << rules(match);
  SALLYPORT_TRY_VOID(run_well({"ip", "-n", t.gateway.name(), "-batch", batch}));
  SALLYPORT_TRY_VOID(write_inside(t.gateway, "/proc/sys/net/ipv4/ip_forward", "1"));
  SALLYPORT_TRY_VOID(write_inside(t.gateway, "/proc/sys/net/ipv6/conf/all/forwarding", "1"));
  SALLYPORT_TRY_VOID(inside(t.gateway, {"nft", "-f", ruleset}));
  return {};
}

// Each frame is through the kernel when send() returns: its receive work runs on the sender's core.
Result<void> open_flows(const Topology& t, const Match& match) {
  const testing::Wire client(t.sender, kField.far), server(t.receiver, kOffice.far);
  for (std::size_t i = 0; i < match.traffic.packets; ++i) {
    const Opening opening = opening_of(match.traffic, match.plant, i);
    client.send(opening.syn);
    server.send(opening.answer);
    client.send(opening.established);
  }
  const std::string count = t.gateway.sysctl("net/netfilter/nf_conntrack_count");
  if (number_after(count, "").value_or(0) < static_cast<double>(match.traffic.packets))
    return no_figure("the kernel tracks too few flows", count);
  return {};
}

double received(const Topology& t) {
  double out = 0;
  t.receiver.run([&] {
    // One line per interface: name, bytes, packets.
    std::ifstream in("/proc/thread-self/net/dev");
    for (std::string line; std::getline(in, line);) {
      const std::size_t at = line.find("b1:");
      double bytes = 0, packets = 0;
      if (at != line.npos && std::sscanf(line.c_str() + at, "b1: %lf %lf", &bytes, &packets) == 2)
        out = packets;
    }
  });
  return out;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string nftables_obstacle(const TrafficCase& traffic) {
  if (!installed("nft")) return "nftables is not installed";
  if (!installed("dpdk-testpmd")) return "dpdk-testpmd, which would send, is not installed";
  if (traffic.load != Load::kEstablished) return "it is set against open flows alone";
  if (traffic.packets > kMostFlows)
    return "the kernel's bound on tracked flows is below the case's";
  return {};
}

Result<double> play_nftables(const Match& match) {
  const Topology t;
  SALLYPORT_TRY_VOID(build(t, match));
  SALLYPORT_TRY_VOID(open_flows(t, match));
  SALLYPORT_TRY_VOID(
      inside(t.gateway, {"sh", "-c", "echo 1 >/sys/class/net/a1/queues/rx-0/rps_cpus"}));
  testing::Process sender({"ip",
                           "netns",
                           "exec",
                           t.sender.name(),
                           "dpdk-testpmd",
                           "--lcores=0@0,1@1",
                           "--no-telemetry",
                           "--in-memory",
                           "--no-pci",
                           "--log-level=5",
                           fmt::format("-m{}", match.memory_mb),
                           fmt::format("--vdev=net_pcap0,rx_pcap={},infinite_rx=1", match.capture),
                           "--vdev=net_af_packet0,iface=a0,qdisc_bypass=1",
                           "--",
                           "--forward-mode=io",
                           "--nb-cores=1",
                           fmt::format("--total-num-mbufs={}", match.traffic.packets + 8191),
                           "--mbuf-size=2176",
                           "--no-flush-rx",
                           "--stats-period=600"},
                          [] {
                            const int nowhere = ::open("/dev/null", O_WRONLY);
                            ::dup2(nowhere, STDOUT_FILENO);
                            ::dup2(nowhere, STDERR_FILENO);
                          });
  const double before = received(t);
  if (!testing::wait_until([&] { return received(t) > before; }, kLongestStart))
    return no_figure("nftables", "nothing came out");
  sender.wait(kWarmUp);
  const double first = received(t), start = seconds_now();
  if (sender.wait(milliseconds(static_cast<int>(match.seconds * 1000))))
    return no_figure("nftables", "the sender ended");
  return (received(t) - first) / (seconds_now() - start);
}

}  // namespace sallyport::bench
