#include "tests/perf/fastpath/openvswitch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/perf/fastpath/programs.h"
#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

constexpr const char* kDaemon = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
constexpr const char* kSchema = "/usr/share/openvswitch/vswitch.ovsschema";
// Of a pool of 65,536 buffers, what its ports' rings leave for three frames of each flow.
constexpr std::size_t kMostPackets = 16'000;
constexpr std::chrono::seconds kLongestOpening(30);
constexpr std::chrono::milliseconds kWarmUp(500);

// One Open vSwitch, with bridge br0; ends with the object.
class Switch {
 public:
  explicit Switch(const std::string& folder) : folder_(folder + "/ovs") {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~Switch() {
    daemon_.reset();
    database_.reset();
    std::error_code ignored;  // the premises remove what is left
    std::filesystem::remove_all(folder_, ignored);
  }
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  Result<void> start() {
    SALLYPORT_TRY_VOID(run_well({"ovsdb-tool", "create", folder_ + "/conf.db", kSchema}));
    database_ = process({"ovsdb-server", folder_ + "/conf.db", "--remote=punix:" + socket(),
                         "--unixctl=" + folder_ + "/database.ctl", "--no-chdir"});
    if (!testing::wait_until([&] { return std::filesystem::exists(socket()); }))
      return no_figure("ovsdb-server", log());
    SALLYPORT_TRY_VOID(vsctl({"--no-wait", "init"}));
    SALLYPORT_TRY_VOID(
        vsctl({"--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
               "other_config:dpdk-lcore-mask=0x1", "other_config:pmd-cpu-mask=0x2",
               "other_config:dpdk-extra=--in-memory --no-pci --no-telemetry"}));
    daemon_ = process(
        {kDaemon, "unix:" + socket(), "--unixctl=" + folder_ + "/daemon.ctl", "--no-chdir"});
    SALLYPORT_TRY_VOID(vsctl({"add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                              "fail-mode=secure"}));
    return add_port("out", 2, "net_null0,no-rx=1");
  }
  Result<void> add_port(const std::string& name, int number, const std::string& device) {
    SALLYPORT_TRY_VOID(vsctl({"add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
                              "options:dpdk-devargs=\"" + device + "\"",
                              fmt::format("ofport_request={}", number)}));
    const auto error = vsctl({"get", "Interface", name, "error"});
    if (!error) return std::unexpected(error.error());
    if (!error->starts_with("[]")) return no_figure("Open vSwitch's port " + name, *error + log());
    return {};
  }
  Result<void> remove_port(const std::string& name) {
    SALLYPORT_TRY_VOID(vsctl({"del-port", "br0", name}));
    return {};
  }
  Result<void> program(const std::vector<std::string>& flows) {
    const std::string file = folder_ + "/flows";
    std::ofstream out(file);
    for (const std::string& flow : flows) out << flow << '\n';
    out.close();
    SALLYPORT_TRY_VOID(run_well({"ovs-ofctl", "add-flows", "unix:" + folder_ + "/br0.mgmt", file}));
    return {};
  }
  Result<std::string> ask(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ovs-appctl", "-t", folder_ + "/daemon.ctl"});
    return run_well(words);
  }
  // Whether it lasted so long.
  bool lasts(std::chrono::milliseconds time) { return !daemon_->wait(time); }
  std::string log() const {
    std::ifstream in(folder_ + "/log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string socket() const { return folder_ + "/db.sock"; }
  Result<std::string> vsctl(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ovs-vsctl", "--timeout=60", "--db=unix:" + socket()});
    auto out = run_well(words);
    if (!out) return no_figure("ovs-vsctl", out.error().context + log());
    return out;
  }
  // In its own folder, whatever is configured on this machine.
  std::unique_ptr<testing::Process> process(std::vector<std::string> words) const {
    words.insert(words.begin(), {"env", "OVS_RUNDIR=" + folder_, "OVS_LOGDIR=" + folder_,
                                 "OVS_DBDIR=" + folder_, "OVS_SYSCONFDIR=" + folder_});
    const std::string log = folder_ + "/log";
    return std::make_unique<testing::Process>(words, [&log] {
      const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(fd, STDOUT_FILENO);
      ::dup2(fd, STDERR_FILENO);
    });
  }

  std::string folder_;
  std::unique_ptr<testing::Process> database_, daemon_;
};

// A conduit as an OpenFlow match.
std::string match_of(const Ends& ends, IpVersion version) {
  const bool v4 = version == IpVersion::k4;
  return fmt::format("{}{},{}_src={},{}_dst={},tp_dst={}",
                     ends.protocol == IpProtocol::kTcp ? "tcp" : "udp", v4 ? "" : "6",
                     v4 ? "nw" : "ipv6", ends.client(version).to_string(), v4 ? "nw" : "ipv6",
                     ends.server(version).to_string(), ends.port);
}

std::vector<std::string> tracked(const TrafficCase& traffic) {
  const char* ip = traffic.version == IpVersion::k4 ? "ip" : "ipv6";
  std::vector<std::string> out = {
      fmt::format("table=0,priority=10,{},actions=ct(table=1)", ip),
      fmt::format("table=1,priority=20,ct_state=+trk+est,{},actions=output:2", ip)};
  for (std::size_t i = 0; i < traffic.plant.conduits; ++i)
    out.push_back(
        fmt::format("table=1,priority=10,ct_state=+trk+new,{},actions=ct(commit),output:2",
                    match_of(ends_of(traffic.plant, i), traffic.version)));
  return out;
}

// All handshakes come in by one port, in order: what a tracker looks at is the packets alone. Open
// vSwitch drops what misses its cache while its tables are being changed, as adding a port does; so
// the handshakes are repeated until every flow is tracked, and then the port goes.
Result<void> open_flows(Switch& ovs, const Match& match) {
  const std::string file = match.folder + "/openings.pcap";
  std::vector<FrameBytes> frames;
  for (std::size_t i = 0; i < match.traffic.packets; ++i) {
    Opening opening = opening_of(match.traffic, match.plant, i);
    for (FrameBytes* frame : {&opening.syn, &opening.answer, &opening.established})
      frames.push_back(std::move(*frame));
  }
  write_capture(file, frames);
  SALLYPORT_TRY_VOID(
      ovs.add_port("first", 3, fmt::format("net_pcap1,rx_pcap={},infinite_rx=1", file)));
  const auto tracked_now = [&] {
    const auto count = ovs.ask({"dpctl/ct-get-nconns"});
    return count ? number_after(*count, "").value_or(0) : 0;
  };
  const auto all = static_cast<double>(match.traffic.packets);
  if (!testing::wait_until([&] { return tracked_now() >= all; }, kLongestOpening))
    return no_figure("ovs", fmt::format("{:.0f} of {} flows are tracked", tracked_now(), all));
  // Each flow's first packet was seen; its others follow in the next turn.
  if (!ovs.lasts(kWarmUp)) return no_figure("Open vSwitch ended", ovs.log());
  return ovs.remove_port("first");
}

// "Tx packets: N (R Kpps)".
Result<double> rate(Switch& ovs, const Match& match) {
  SALLYPORT_TRY_VOID(
      ovs.add_port("in", 1, fmt::format("net_pcap0,rx_pcap={},infinite_rx=1", match.capture)));
  const bool warm = ovs.lasts(kWarmUp);
  SALLYPORT_TRY_VOID(ovs.ask({"dpif-netdev/pmd-stats-clear"}));
  if (!warm || !ovs.lasts(std::chrono::milliseconds(static_cast<int>(match.seconds * 1000))))
    return no_figure("Open vSwitch ended", ovs.log());
  const auto told = ovs.ask({"dpif-netdev/pmd-perf-show", "-nh"});
  if (!told) return std::unexpected(told.error());
  const std::size_t line = told->find("Tx packets:");
  const std::size_t figure = line == told->npos ? line : told->find('(', line);
  if (figure == told->npos) return no_figure("Open vSwitch", *told);
  const auto kpps = number_after(std::string_view(*told).substr(figure), "(");
  if (!kpps || *kpps <= 0) return no_figure("Open vSwitch", *told);
  return *kpps * 1000;
}

}  // namespace

std::string openvswitch_obstacle(const TrafficCase& traffic) {
  if (!installed(kDaemon)) return "openvswitch-switch-dpdk is not installed";
  if (traffic.load != Load::kEstablished) return "it is set against open flows alone";
  if (traffic.packets > kMostPackets) return "its pool of 65,536 buffers does not hold the capture";
  return {};
}

Result<double> play_openvswitch_plain(const Match& match) {
  Switch ovs(match.folder);
  SALLYPORT_TRY_VOID(ovs.start());
  SALLYPORT_TRY_VOID(ovs.program({"in_port=1,actions=output:2"}));
  return rate(ovs, match);
}

Result<double> play_openvswitch_conntrack(const Match& match) {
  Switch ovs(match.folder);
  SALLYPORT_TRY_VOID(ovs.start());
  SALLYPORT_TRY_VOID(ovs.program(tracked(match.traffic)));
  SALLYPORT_TRY_VOID(open_flows(ovs, match));
  return rate(ovs, match);
}

}  // namespace sallyport::bench
