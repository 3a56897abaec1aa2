// The real sallyport-dataplane between real network namespaces, with this test in control's and
// setup's place: ports on veth (af_packet, and AF_XDP on the uplink), TAPs for the host stacks, the
// plant of tests/support/pipeline_world.h as policy. Needs root. One file, because most of it is
// that place, which all of its tests share.
//
//   plc --- lan1 \                        / lan3 --- scada
//                 [PREFIXports: dataplane]
//   meter - lan2 /                        \ wan  --- cloud
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "policy/compile/compile.h"
#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/sandbox.h"
#include "policy/os/seqpacket.h"
#include "tests/support/netns.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/process.h"

namespace sallyport::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const char* const kHosts[] = {"plc", "meter", "scada", "cloud"};

constexpr const char* kTcpServer = R"(
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
x = socket.socket(family, socket.SOCK_STREAM)
x.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
x.bind((sys.argv[1], int(sys.argv[2])))
x.listen(5)
while True:
    c = x.accept()[0]
    c.sendall(c.recv(9))
    c.close()
)";
constexpr const char* kUdpServer = R"(
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
x = socket.socket(family, socket.SOCK_DGRAM)
x.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, who = x.recvfrom(9)
    x.sendto(data, who)
)";
constexpr const char* kClient = R"(
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
x = socket.socket(family, socket.SOCK_STREAM if sys.argv[3] == 'tcp' else socket.SOCK_DGRAM)
x.settimeout(1)
try:
    x.connect((sys.argv[1], int(sys.argv[2])))
    x.send(b'ahoy')
    print(x.recv(9).decode(), end='')
except TimeoutError:
    print('silence', end='')
except OSError:
    print('refused', end='')
)";

class Plant : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root for network namespaces";
    run_dir_ = std::filesystem::temp_directory_path() / (prefix_ + "run");
    spaces_.emplace_back("ports");
    for (const char* name : kHosts) make_host(name, plant_hosts().find(name)->second);
    gateway_ = plant();
    for (model::Port& port : gateway_.ports) {
      const bool xdp = port.name == "wan";
      port.device =
          fmt::format("{},iface={}", xdp ? "net_af_xdp0" : "net_af_packet_" + port.name, port.name);
    }
    start();
  }

  void TearDown() override {
    if (dataplane_) stop(SIGTERM);
    spaces_.clear();
    EXPECT_EQ(left_behind(prefix_), std::vector<std::string>{});
    std::error_code ignored;
    std::filesystem::remove_all(run_dir_, ignored);
  }

  // A command of words without quotes; {0} is the prefix.
  template <class... Parts>
  bool sh(const std::string& format, const Parts&... parts) {
    std::istringstream words(fmt::format(fmt::runtime(format), prefix_, parts...));
    return run({std::istream_iterator<std::string>(words), {}}).status == 0;
  }
  std::vector<std::string> in(const std::string& host, std::vector<std::string> words) {
    words.insert(words.begin(), {"ip", "netns", "exec", prefix_ + host});
    return words;
  }
  bool in_host(const std::string& host, const std::string& command) {
    return sh("ip netns exec {0}{1} {2}", host, command);
  }

  void make_host(const std::string& name, const Host& host) {
    const std::string gw4 = host.v4.to_string().substr(0, host.v4.to_string().rfind('.')) +
                            (host.segment == "uplink" ? ".2" : ".1");
    const std::string v6 = host.v6.to_string();
    const std::string gw6 = v6.substr(0, v6.rfind(':')) + (host.segment == "uplink" ? ":2" : ":1");
    spaces_.emplace_back(name);
    ASSERT_TRUE(sh("ip -n {0}{1} link add eth0 address {2} type veth peer name {3} netns {0}ports",
                   name, host.mac.to_string(), host.port));
    // A veth leaves sums to hardware that is not there.
    ASSERT_TRUE(sh("ip netns exec {0}{1} ethtool -K eth0 tx off", name));
    ASSERT_TRUE(sh("ip -n {0}{1} addr add {2}/24 dev eth0", name, host.v4.to_string()));
    ASSERT_TRUE(sh("ip -n {0}{1} addr add {2}/64 dev eth0 nodad", name, v6));
    ASSERT_TRUE(sh("ip -n {0}{1} link set eth0 up", name));
    ASSERT_TRUE(sh("ip -n {0}{1} route add default via {2}", name, gw4));
    ASSERT_TRUE(sh("ip -n {0}{1} route add default via {2}", name, gw6));
  }

  void start() {
    const std::string bin = SALLYPORT_DATAPLANE;
    const std::vector<std::string> words = {
        bin,          "--run-dir", run_dir_,        "--netns", "/run/netns/" + prefix_ + "ports",
        "--user",     "65534",     "--control-uid", "0",       "--xdp-object",
        SALLYPORT_XDP};
    dataplane_.emplace(words);
    ASSERT_TRUE(wait_until([&] {
      auto socket = os::connect_to(run_dir_ + "/dataplane/socket");
      if (socket) socket_ = std::move(*socket);
      return socket.has_value();
    }));
    std::vector<os::PortSpec> ports;
    std::uint16_t slot = 0;
    for (const model::Port& port : gateway_.ports)
      ports.push_back({slot++, port.name, port.device});
    const auto configured = call(os::encode_configure(++id_, ports));
    ASSERT_TRUE(configured.has_value()) << configured.error().context;
    for (const model::Port& port : gateway_.ports) {
      ASSERT_TRUE(sh("ip -n {0}ports link set {1} addrgenmode none up", port.name));
    }
  }
  void stop(int signal) {
    dataplane_->signal(signal);
    EXPECT_TRUE(dataplane_->wait(seconds(10)).has_value());
    dataplane_.reset();
    socket_.reset();
  }

  Result<std::string> call(const os::Bytes& request, std::span<const int> descriptors = {}) {
    SALLYPORT_TRY_VOID(os::send_datagram(socket_.get(), request, descriptors));
    while (os::wait_readable(socket_.get(), milliseconds(15000))) {
      SALLYPORT_TRY(auto datagram, os::receive_datagram(socket_.get()));
      if (!datagram) continue;
      SALLYPORT_TRY(const wire::Envelope* envelope, os::decode(datagram->bytes));
      if (envelope->body_type() == wire::Body::Event) {
        events_.push_back(envelope->body_as_Event()->json()->str());
        continue;
      }
      SALLYPORT_TRY_VOID(os::outcome_of(*envelope));
      if (envelope->body_type() == wire::Body::Ack) return std::string();
      received_ = std::move(datagram->descriptors);
      return os::json_of(*envelope, received_);
    }
    return fail(ErrorKind::kTimeout, "silent", "the dataplane does not answer");
  }
  nlohmann::json query(const std::string& what, const std::vector<std::string>& words = {}) {
    const auto json = call(os::encode_query(++id_, what, words));
    EXPECT_TRUE(json.has_value()) << what << ": " << (json ? "" : json.error().context);
    return json ? nlohmann::json::parse(*json) : nlohmann::json();
  }

  void apply() {
    prepare(gateway_);
    ASSERT_TRUE(call(os::encode_apply(++id_, revision_, wire::Phase::Commit)).has_value());
  }
  void prepare(const model::Gateway& gateway) {
    compile::CompileInput input;
    input.revision = ++revision_;
    if (const auto before = wire::SnapshotView::verify(snapshot_))
      input.previous = compile::slots_of(*before);
    const auto compiled = compile::compile(gateway, input);
    ASSERT_TRUE(compiled.has_value()) << compiled.error().front().message;
    snapshot_ = compiled->snapshot;
    const auto memory = os::make_sealed("snapshot", snapshot_);
    const std::array fds = {memory->get()};
    const auto prepared = call(os::encode_apply(++id_, revision_, wire::Phase::Prepare), fds);
    ASSERT_TRUE(prepared.has_value()) << prepared.error().context;
  }

  // What sallyport-setup would make: one namespace and TAP per segment.
  void attach_taps() {
    const auto view = wire::SnapshotView::verify(snapshot_);
    ASSERT_TRUE(view.has_value());
    for (const wire::Segment* segment : *view->root().segments()) {
      const std::string name = segment->name()->str();
      spaces_.emplace_back("s" + name);
      os::UniqueFd tap;
      std::thread inside([&] {
        if (!os::enter_netns("/run/netns/" + prefix_ + "s" + name)) return;
        os::UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request{};
        std::string("tap0").copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
        if (ioctl(fd.get(), TUNSETIFF, &request) == 0) tap = std::move(fd);
      });
      inside.join();
      ASSERT_TRUE(tap) << name;
      ASSERT_TRUE(sh("ip -n {0}s{1} link set tap0 address {2} up", name,
                     wire::to_mac(*segment->mac()).to_string()));
      for (const wire::InterfaceAddress* a : *segment->addresses()) {
        ASSERT_TRUE(sh("ip -n {0}s{1} addr add {2}/{3} dev tap0 nodad", name,
                       wire::to_ip(a->address()).to_string(), unsigned{a->prefix_length()}));
      }
      const std::array fds = {tap.get()};
      const auto attached = call(os::encode_attach_tap(++id_, segment->slot(), name, false), fds);
      ASSERT_TRUE(attached.has_value()) << attached.error().context;
    }
  }

  bool ping(const std::string& from, const std::string& to) {
    return in_host(from, "ping -c 1 -W 1 " + to);
  }
  // A server that answers for as long as the test lasts, and a client that expects its word back.
  bool talk(const std::string& from, const std::string& server, const std::string& address,
            int port, bool tcp) {
    const Process serving(in(
        server, {"python3", "-c", tcp ? kTcpServer : kUdpServer, address, std::to_string(port)}));
    return wait_until([&] { return dial(from, address, port, tcp) == "ahoy"; });
  }
  // What came back: "ahoy", "refused" (somebody said no) or "silence".
  std::string dial(const std::string& from, const std::string& address, int port, bool tcp) {
    return run(in(from,
                  {"python3", "-c", kClient, address, std::to_string(port), tcp ? "tcp" : "udp"}))
        .output;
  }
  std::uint64_t frames_out(const std::string& port) {
    const Ran ran = run(in("ports", {"cat", "/sys/class/net/" + port + "/statistics/tx_packets"}));
    EXPECT_EQ(ran.status, 0) << ran.output;
    return std::strtoull(ran.output.c_str(), nullptr, 10);
  }

  const std::string prefix_ = unique_prefix();
  std::string run_dir_;
  std::vector<Namespace> spaces_;
  model::Gateway gateway_;
  std::optional<Process> dataplane_;
  os::UniqueFd socket_;
  std::uint64_t id_ = 0;
  std::uint64_t revision_ = 0;
  std::vector<std::uint8_t> snapshot_;
  std::vector<os::UniqueFd> received_;
  std::vector<std::string> events_;
};

TEST_F(Plant, CarriesWhatConduitsSayAndNothingElse) {
  // Deny is in force before the first snapshot.
  EXPECT_FALSE(ping("scada", "10.20.0.5"));
  EXPECT_GT(query("counters")["drops"]["no-snapshot"].get<int>(), 0);
  for (const model::Port& port : gateway_.ports) EXPECT_EQ(frames_out(port.name), 0U) << port.name;

  apply();
  attach_taps();
  ASSERT_TRUE(wait_until([&] { return ping("scada", "10.20.0.5"); })) << query("drops").dump(1);
  EXPECT_TRUE(wait_until([&] { return ping("scada", "fd00:20::5"); })) << query("drops").dump(1);
  EXPECT_TRUE(talk("scada", "plc", "10.20.0.5", 502, true)) << query("drops").dump(1);
  EXPECT_TRUE(talk("scada", "plc", "fd00:20::5", 502, true)) << query("drops").dump(1);
  EXPECT_TRUE(talk("meter", "plc", "10.20.0.5", 5683, false)) << "same segment, by proxy ARP";
  EXPECT_TRUE(talk("meter", "plc", "fd00:20::5", 5683, false)) << "same segment, by proxy ND";
  EXPECT_TRUE(talk("meter", "cloud", "192.0.2.10", 8883, true)) << query("drops").dump(1);
  EXPECT_TRUE(talk("meter", "cloud", "2001:db8::10", 8883, true)) << query("drops").dump(1);

  for (const auto& [from, to] : {std::pair{"plc", "10.30.0.5"},
                                 {"plc", "fd00:30::5"},
                                 {"meter", "10.20.0.5"},
                                 {"cloud", "10.20.0.5"},
                                 {"meter", "192.0.2.10"},
                                 {"cloud", "fd00:20::5"}}) {
    EXPECT_FALSE(ping(from, to)) << from << " > " << to;
  }
  EXPECT_EQ(dial("scada", "10.20.0.5", 503, true), "silence");
  EXPECT_EQ(dial("meter", "fd00:20::5", 502, true), "silence");

  const auto said = query("explain", {"in=office", "source=10.30.0.5", "destination=10.20.0.5",
                                      "protocol=tcp", "destination_port=502"});
  EXPECT_EQ(said["decision"], "allow") << said.dump(1);
}

TEST_F(Plant, WhatWasInForceIsAgainAfterARevisionIsAborted) {
  apply();
  attach_taps();
  const auto pings = [&] { return ping("scada", "10.20.0.5"); };
  ASSERT_TRUE(wait_until(pings)) << query("drops").dump(1);
  for (int i = 0; i < 2; ++i) {
    model::Gateway less = gateway_;
    less.conduits.clear();
    prepare(less);
    EXPECT_FALSE(pings());
    ASSERT_TRUE(call(os::encode_apply(++id_, revision_, wire::Phase::Abort)).has_value());
    EXPECT_TRUE(pings()) << query("drops").dump(1);
  }
}

TEST_F(Plant, ARogueWithAStolenIdentityIsNamedWithBothPorts) {
  apply();
  attach_taps();
  // The meter's wire speaks with the PLC's MAC and address.
  ASSERT_TRUE(sh("ip -n {0}meter link set eth0 address {1}",
                 plant_hosts().find("plc")->second.mac.to_string()));
  in_host("meter", "ping -c 2 -W 1 10.20.0.1");
  EXPECT_TRUE(wait_until([&] {
    query("status");  // events come in between
    return !events_.empty();
  }));
  ASSERT_FALSE(events_.empty());
  const auto event = nlohmann::json::parse(events_.front());
  EXPECT_EQ(event["home_port"], "lan1");
  EXPECT_EQ(event["seen_port"], "lan2");
}

// A tag that the kernel or a driver takes off on the way would put the frame into another segment.
// lan2 is af_packet (the kernel does take it off, and the driver puts it back), wan is AF_XDP.
TEST_F(Plant, ATaggedFrameIsNeverTakenForAnUntaggedOne) {
  apply();
  attach_taps();
  const auto dropped = [&](const char* reason) {
    return query("counters")["drops"][reason].get<int>();
  };
  for (const auto& [name, gateway] : {std::pair{"meter", "10.20.0.1"}, {"cloud", "192.0.2.2"}}) {
    SCOPED_TRACE(name);
    const Host& host = plant_hosts().find(name)->second;
    Wire wire(Namespace::existing(prefix_ + name), "eth0");
    const PacketBuilder asks({host.mac, host.v4, 0}, {MacAddress(), *IpAddress::parse(gateway), 0});
    const auto answered = [&] {
      return wire.wait_for([](const WireFrame& f) { return !f.outgoing; }, milliseconds(500));
    };
    wire.send(asks.neighbour_question());
    EXPECT_TRUE(wire.wait_for([](const WireFrame& f) { return !f.outgoing; })) << "untagged";
    for (const auto& [vlan, reason] : {std::pair{9, "segment-mismatch"}, {4095, "vlan-invalid"}}) {
      const int before = dropped(reason);
      auto tagged = asks;
      wire.send(tagged.vlan(static_cast<std::uint16_t>(vlan)).neighbour_question());
      EXPECT_TRUE(wait_until([&, why = reason] { return dropped(why) > before; })) << vlan;
      EXPECT_FALSE(answered()) << vlan;
    }
    // A priority tag is a tag; two are two.
    auto frame = asks;
    auto priority = frame.vlan(1).neighbour_question();
    priority[15] = 0;
    const int invalid = dropped("vlan-invalid");
    wire.send(priority);
    EXPECT_TRUE(wait_until([&] { return dropped("vlan-invalid") > invalid; }));
    auto twice = frame.vlan(9).neighbour_question();
    twice.insert(twice.begin() + 12, {0x81, 0x00, 0, 9});
    const int double_tagged = dropped("qinq");
    wire.send(twice);
    EXPECT_TRUE(wait_until([&] { return dropped("qinq") > double_tagged; }));
    EXPECT_FALSE(answered());
  }
}

// af_packet and AF_XDP have no interrupts of DPDK's; their sockets wake the worker all the same.
TEST_F(Plant, AnIdleWorkerIsWokenByTheSocketsOfItsPorts) {
  for (const auto& port : query("counters")["ports"]) EXPECT_EQ(port["woken_by"], "socket") << port;
  // By itself it comes round a hundred times a second; polling it would do so two thousand times.
  const auto turns = [&] { return query("status")["polls"].get<std::uint64_t>(); };
  EXPECT_TRUE(wait_until([&] {
    const std::uint64_t before = turns();
    const bool quiet = !os::wait_readable(socket_.get(), milliseconds(500));
    return quiet && turns() - before < 500;
  }));
}

TEST_F(Plant, NothingLeavesOnceItIsKilled) {
  apply();
  attach_taps();
  ASSERT_TRUE(wait_until([&] { return ping("scada", "10.20.0.5"); }));
  stop(SIGKILL);
  std::map<std::string, std::uint64_t> before;
  for (const model::Port& port : gateway_.ports) before[port.name] = frames_out(port.name);
  EXPECT_FALSE(ping("scada", "10.20.0.5"));
  EXPECT_FALSE(ping("meter", "fd00:20::1"));
  EXPECT_FALSE(ping("cloud", "192.0.2.2"));
  for (const auto& [port, count] : before) EXPECT_EQ(frames_out(port), count) << port;
}

TEST_F(Plant, EveryThreadIsBehindTheWalls) {
  apply();
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", dataplane_->pid()))) {
    FILE* file = fopen((task.path() / "status").c_str(), "r");
    ASSERT_NE(file, nullptr);
    char line[256];
    bool caps = false, seccomp = false;
    while (fgets(line, sizeof line, file) != nullptr) {
      caps = caps || std::string_view(line).starts_with("CapEff:\t0000000000000000");
      seccomp = seccomp || std::string_view(line).starts_with("Seccomp:\t2");
    }
    fclose(file);
    EXPECT_TRUE(caps && seccomp) << task.path();
  }
}

}  // namespace
}  // namespace sallyport::testing
