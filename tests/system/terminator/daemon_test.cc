// sallyport-terminator and sallyport-setup as processes: control's messages in, TLS outside,
// plaintext inside, each in the segment's own namespace.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/seqpacket.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/system/setup/daemon.h"
#include "tests/unit/terminator/pki.h"
#include "tls-termination/relay/leg.h"

namespace sallyport::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace std::string_literals;
using terminator::Io;
using terminator::Leg;

constexpr std::chrono::seconds kLongest{10};

os::UniqueFd tcp_socket() { return os::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(ip(address).v4_value());
  return out;
}

class TerminatorDaemon : public SetupDaemon {
 protected:
  void SetUp() override {
    SetupDaemon::SetUp();
    if (IsSkipped()) return;
    state_ = folder_ + "-state";
    fs::create_directories(state_ + "/keys");
    for (const char* name : {"gw.crt", "gw.key", "plant-ca.ca"}) {
      fs::copy(terminator::testing::pki_folder() + "/" + name, state_ + "/keys");
      ASSERT_EQ(0, ::chown((state_ + "/keys/" + name).c_str(), kTerminator, kTerminator));
    }
    ASSERT_EQ(0, ::chown((state_ + "/keys").c_str(), kTerminator, kTerminator));
    fs::permissions(state_ + "/keys", fs::perms(0700));
    for (const char* name : {"uplink", "field", "office"}) {
      make_segment(name);
      segment(name).ip({"link", "set", "lo", "up"});
    }
    must(with_address(record(wire::SetupOp::kAddressAdd, "uplink"), "192.0.2.2", 24));
    must(with_address(record(wire::SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
    segment("field").ip({"addr", "add", "10.20.0.7/32", "dev", "lo"});  // stands for the camera
    start_terminator();
  }
  void TearDown() override {
    terminator_.reset();
    SetupDaemon::TearDown();
    fs::remove_all(state_);
  }

  void start_terminator(const std::vector<std::string>& more = {},
                        const std::function<void()>& prepare = {}) {
    std::vector<std::string> words = {TERMINATOR_PROGRAM,
                                      "--run-dir",
                                      folder_,
                                      "--state-dir",
                                      state_,
                                      "--user",
                                      std::to_string(kTerminator),
                                      "--control-uid",
                                      std::to_string(::getuid())};
    words.insert(words.end(), more.begin(), more.end());
    terminator_.emplace(words, prepare);
    ASSERT_TRUE(wait_until([&] {
      auto connected = os::connect_to(folder_ + "/terminator/socket");
      if (!connected) return false;
      control_ = *std::move(connected);
      return ask(os::encode_query(++id_, "status", {})).has_value();
    }));
  }

  // The answer to a request; nothing if the connection ends.
  std::optional<os::Datagram> ask(const os::Bytes& request, int descriptor = -1) {
    std::vector<int> descriptors;
    if (descriptor >= 0) descriptors.push_back(descriptor);
    if (!os::send_datagram(control_.get(), request, descriptors)) return std::nullopt;
    while (os::wait_readable(control_.get(), kLongest)) {
      auto datagram = os::receive_datagram(control_.get());
      if (!datagram) return std::nullopt;
      if (!*datagram) continue;
      auto envelope = os::decode((*datagram)->bytes);
      if (envelope && (*envelope)->id() == id_) return *std::move(datagram);
    }
    return std::nullopt;
  }
  // The status files of its threads.
  std::vector<std::string> threads() const {
    std::vector<std::string> out;
    for (const auto& entry :
         fs::directory_iterator("/proc/" + std::to_string(terminator_->pid()) + "/task")) {
      std::ifstream in(entry.path() / "status");
      out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return out;
  }
  nlohmann::json query(const std::string& what) {
    auto answer = ask(os::encode_query(++id_, what, {}));
    if (!answer) return {};
    auto envelope = os::decode(answer->bytes);
    auto json = os::json_of(**envelope, answer->descriptors);
    return json ? nlohmann::json::parse(*json) : nlohmann::json();
  }
  Result<void> apply(const compile::Compiled& compiled, std::uint64_t revision, wire::Phase phase) {
    os::UniqueFd sealed;
    if (phase == wire::Phase::Prepare) sealed = *os::make_sealed("snapshot", compiled.snapshot);
    auto answer = ask(os::encode_apply(++id_, revision, phase), sealed.get());
    if (!answer) return fail(ErrorKind::kUnavailable, "no-answer");
    auto envelope = os::decode(answer->bytes);
    return envelope ? os::outcome_of(**envelope) : fail(envelope.error());
  }

  std::string state_;
  std::optional<Process> terminator_;
  os::UniqueFd control_;
  std::uint64_t id_ = 0;
};

compile::Compiled camera_over_https() {
  model::Gateway gateway = bare_gateway();
  auto& web =
      add_conduit(gateway, "web", segment("uplink", {"192.0.2.0/24"}), device("camera"), tcp(80));
  web.terminate = inbound(443);
  web.terminate->client_auth = model::ClientAuth::kNone;
  web.terminate->client_ca.clear();
  compile::CompileInput input;
  input.revision = 1;
  return compiled(gateway, input);
}

TEST_F(TerminatorDaemon, CarriesTlsFromOneNamespaceToPlaintextInAnother) {
  const compile::Compiled snapshot = camera_over_https();
  const auto prepared = apply(snapshot, 1, wire::Phase::Prepare);
  ASSERT_TRUE(prepared) << prepared.error().code << ": " << prepared.error().context;
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Commit));
  const std::uint16_t port =
      view_of(snapshot).root().conduits()->Get(0)->termination()->listener_port();

  os::UniqueFd camera;
  segment("field").run([&] {
    camera = tcp_socket();
    const sockaddr_in where = at("10.20.0.7", 80);
    EXPECT_EQ(0, ::bind(camera.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)));
    EXPECT_EQ(0, ::listen(camera.get(), 4));
  });
  os::UniqueFd client;
  segment("uplink").run([&] {
    client = tcp_socket();
    const sockaddr_in where = at("192.0.2.2", port);
    EXPECT_EQ(0, ::connect(client.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)));
  });
  ::fcntl(client.get(), F_SETFL, O_NONBLOCK);
  Leg leg(std::move(client));
  const auto context =
      terminator::Context::client({.server_name = "gw.example",
                                   .server_ca = terminator::testing::pki("plant-ca.ca"),
                                   .server_crl = {},
                                   .chain = {},
                                   .key = {}});
  ASSERT_TRUE(context && leg.secure(*context));
  Io io = Io::kWantRead;
  ASSERT_TRUE(wait_until([&] { return (io = leg.handshake()) == Io::kOk || io == Io::kFailed; }));
  ASSERT_EQ(Io::kOk, io) << leg.failure().context;
  const std::string request = "GET /";
  const ConstBytes bytes(reinterpret_cast<const std::uint8_t*>(request.data()), request.size());
  ASSERT_EQ(Io::kOk, leg.write(bytes).io);
  ASSERT_TRUE(os::wait_readable(camera.get(), kLongest));
  const os::UniqueFd device(::accept4(camera.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(os::wait_readable(device.get(), kLongest));
  std::array<char, 16> seen{};
  EXPECT_EQ(5, ::recv(device.get(), seen.data(), seen.size(), 0));
  EXPECT_EQ(request, seen.data());

  const nlohmann::json sessions = query("sessions");
  ASSERT_EQ(1U, sessions["sessions"].size()) << sessions.dump();
  EXPECT_EQ("web", sessions["sessions"][0]["conduit"]);
  EXPECT_EQ("TLSv1.3", sessions["sessions"][0]["tls"]["version"]);
  EXPECT_EQ(1, query("status")["conduits"][0]["handshakes"]["established"]);
  EXPECT_EQ("strict", query("crypto")["policy"]);
}

TEST_F(TerminatorDaemon, StaysAwayFromStrangersAndGarbage) {
  // Another user.
  EXPECT_FALSE(Client(folder_ + "/terminator/socket", kTerminator + 1)
                   .send_bytes(os::encode_query(1, "status", {})));
  // Not a message.
  const std::array<std::uint8_t, 7> garbage = {1, 2, 3, 4, 5, 6, 7};
  EXPECT_FALSE(ask({garbage.begin(), garbage.end()}));
  control_ = *os::connect_to(folder_ + "/terminator/socket");
  EXPECT_EQ(0, query("status")["revision"]);
  // A snapshot that is none.
  auto sealed = os::make_sealed("snapshot", garbage);
  auto answer = ask(os::encode_apply(++id_, 1, wire::Phase::Prepare), sealed->get());
  ASSERT_TRUE(answer);
  const auto refused = os::outcome_of(**os::decode(answer->bytes));
  ASSERT_FALSE(refused);
  EXPECT_EQ("snapshot-truncated", refused.error().code);
}

TEST_F(TerminatorDaemon, ComesBackFromKillAndEndsWhenAsked) {
  const compile::Compiled snapshot = camera_over_https();
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Prepare));
  terminator_->signal(SIGKILL);
  ASSERT_TRUE(terminator_->wait(kLongest));
  start_terminator();
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Prepare));
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Commit));
  EXPECT_EQ(1, query("status")["revision"]);
  terminator_->signal(SIGTERM);
  EXPECT_EQ(0, terminator_->wait(kLongest));
}

TEST_F(TerminatorDaemon, RunsAgainWhenSetupDoes) {
  const compile::Compiled snapshot = camera_over_https();
  // Accepted whether or not the terminator has found the new setup yet: its conduit opens by
  // itself.
  restart_after(SIGKILL);
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Prepare));
  ASSERT_TRUE(apply(snapshot, 1, wire::Phase::Commit));
  EXPECT_TRUE(wait_until([&] { return query("status")["conduits"][0]["open"] == true; }));
}

TEST_F(TerminatorDaemon, RunsAsManyEnginesAsItIsToldBehindTheSameWallsEach) {
  terminator_.reset();
  start_terminator({"--threads", "5"});
  EXPECT_EQ(5U, query("status")["engines"].size());
  const std::vector<std::string> all = threads();
  EXPECT_EQ(6U, all.size());  // and the front
  const std::string user = fmt::format("\nUid:\t{0}\t{0}\t{0}\t{0}\n", kTerminator);
  for (const std::string& status : all)
    for (const std::string& line :
         {"\nSeccomp:\t2\n"s, "\nNoNewPrivs:\t1\n"s, "\nCapPrm:\t0000000000000000\n"s,
          "\nCapEff:\t0000000000000000\n"s, "\nCapBnd:\t0000000000000000\n"s, user})
      EXPECT_NE(std::string::npos, status.find(line)) << line << status;
}

// The first `count` of the cores that this test may use.
cpu_set_t cores_of_ours(int count) {
  cpu_set_t ours;
  cpu_set_t out;
  CPU_ZERO(&out);
  EXPECT_EQ(0, ::sched_getaffinity(0, sizeof(ours), &ours));
  for (std::size_t core = 0; core < CPU_SETSIZE && CPU_COUNT(&out) < count; ++core)
    if (CPU_ISSET(core, &ours)) CPU_SET(core, &out);
  return out;
}

TEST_F(TerminatorDaemon, RunsAnEngineForEachCoreThatItMayUse) {
  for (const int count : {1, 2}) {
    const cpu_set_t cores = cores_of_ours(count);
    const auto given = static_cast<std::size_t>(CPU_COUNT(&cores));  // a machine may have only one
    terminator_.reset();
    start_terminator({}, [&cores] { ::sched_setaffinity(0, sizeof(cores), &cores); });
    EXPECT_EQ(given, query("status")["engines"].size());
    EXPECT_EQ(given + 1, threads().size());
  }
}

}  // namespace
}  // namespace sallyport::testing
