// Server names: who is asked, what an answer may say, how long it is believed.
#include "tls-termination/resolve/resolver.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/terminator/rig.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator::testing {
namespace {

namespace st = sallyport::testing;

// A DNS server on 203.0.113.53 that answers each A question with one address and AAAA with none.
class Dns {
 public:
  explicit Dns(const std::string& answer, std::uint8_t ttl_s = 30)
      : answer_(st::ip(answer)), ttl_s_(ttl_s) {
    socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    const SocketAddress at = socket_address(st::ip("203.0.113.53"), 53);
    EXPECT_EQ(0, ::bind(socket_.get(), at.raw(), at.size));
  }
  // Answers what has arrived; true, so that it can stand in conditions.
  bool step() {
    std::array<std::uint8_t, 512> question{};
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    const ssize_t got = ::recvfrom(socket_.get(), question.data(), question.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 17) return true;
    ++questions;
    std::vector<std::uint8_t> out(question.begin(), question.begin() + got);
    const bool a = out[static_cast<std::size_t>(got) - 3] == 1;
    out[2] |= 0x80;         // RFC 1035 §4.1.1: a response
    out[10] = out[11] = 0;  // no additional records
    out[7] = a && !silent ? 1 : 0;
    if (a && !silent) {
      const std::array<std::uint8_t, 12> record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl_s_, 0, 4};
      out.insert(out.end(), record.begin(), record.end());
      const auto& bytes = answer_.bytes();
      out.insert(out.end(), bytes.begin() + 12, bytes.end());
    }
    ::sendto(socket_.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    return true;
  }
  unsigned questions = 0;
  bool silent = false;  // answers without an address

 private:
  IpAddress answer_;
  std::uint8_t ttl_s_;
  os::UniqueFd socket_;
};

model::Gateway named_plant() {
  model::Gateway out = st::bare_gateway();
  st::add_conduit(out, "meter", st::device("meter"), st::name("broker.example"), st::tcp(1883))
      .terminate = st::outbound("broker.example", 8883);
  st::add_conduit(out, "dns", st::device("gateway"), st::addresses({"203.0.113.53"}), st::udp(53));
  return out;
}

// Each engine has a resolver of its own, and asks once.
class OfEngines : public ::testing::TestWithParam<unsigned> {};
TEST_P(OfEngines, ServerNameIsAskedOfTheReviewedResolverAndKept) {
  Rig rig({.engines = GetParam()});
  rig.apply(named_plant());
  Dns dns("203.0.113.9");
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  const ListenAddress where = rig.listener("meter");
  for (unsigned i = 0; i < 2 * GetParam(); ++i) {
    Peer meter(rig, connect_to(where.address, where.port));
    std::optional<os::UniqueFd> server;
    ASSERT_TRUE(rig.until([&] { return dns.step() && (server = accept_on(broker)); }));
    Peer peer(rig, *std::move(server));
    EXPECT_TRUE(peer.secure(server_context("broker")));
  }
  EXPECT_EQ(2U * GetParam(), dns.questions);  // A and AAAA
  EXPECT_TRUE(rig.established("meter", 2 * GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Resolver, OfEngines, ::testing::Values(1U, 3U));

struct MartianCase {
  const char* name;
  const char* address;
};
class Martian : public ::testing::TestWithParam<MartianCase> {};
TEST_P(Martian, AnswerOpensNothing) {
  Rig rig;
  rig.apply(named_plant());
  Dns dns(GetParam().address);
  const ListenAddress where = rig.listener("meter");
  Peer meter(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(rig.until([&] { return dns.step() && rig.counts("meter").failed == 1; }));
  EXPECT_TRUE(rig.failed_with("resolve-martian"));
  EXPECT_EQ("", meter.read(1));
}
INSTANTIATE_TEST_SUITE_P(Answers, Martian,
                         ::testing::Values(MartianCase{"device", "10.20.0.5"},
                                           MartianCase{"gateway", "192.0.2.2"},
                                           MartianCase{"loopback", "127.0.0.1"},
                                           MartianCase{"group", "224.0.0.1"},
                                           MartianCase{"link", "169.254.1.1"},
                                           MartianCase{"virtual_address", "198.18.0.1"}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Resolver, AnswerWithoutAddressFailsTheSession) {
  Rig rig;
  rig.apply(named_plant());
  Dns dns("203.0.113.9");
  dns.silent = true;
  const ListenAddress where = rig.listener("meter");
  Peer meter(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(rig.until([&] { return dns.step() && rig.counts("meter").failed == 1; }));
  EXPECT_TRUE(rig.failed_with("resolve-failed"));
}

TEST(Resolver, WithoutAReviewedResolverNobodyIsAsked) {
  Rig rig;
  model::Gateway gateway = named_plant();
  std::erase_if(gateway.conduits, [](const model::Conduit& c) { return c.name == "dns"; });
  rig.apply(gateway);
  const ListenAddress where = rig.listener("meter");
  Peer meter(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(rig.until([&] { return rig.counts("meter").failed == 1; }));
  EXPECT_TRUE(rig.failed_with("resolve-no-server"));
}

// A dataplane that has started anew opens addresses only as it sees them answered.
TEST(Resolver, AnAddressThatNobodyAnswersAtIsAskedForAgain) {
  Rig rig({.engines = 1});
  rig.apply(named_plant());
  Dns dns("203.0.113.9", 60);
  const ListenAddress where = rig.listener("meter");
  Peer refused(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(rig.until([&] { return dns.step() && rig.counts("meter").failed == 1; }));
  EXPECT_TRUE(rig.failed_with("server-unreachable"));
  EXPECT_EQ(2U, dns.questions);  // A and AAAA
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  Peer meter(rig, connect_to(where.address, where.port));
  std::optional<os::UniqueFd> server;
  ASSERT_TRUE(rig.until([&] { return dns.step() && (server = accept_on(broker)); }));
  Peer peer(rig, *std::move(server));
  EXPECT_TRUE(peer.secure(server_context("broker")));
  EXPECT_EQ(4U, dns.questions);
}

TEST(Resolver, DeadServerEndsTheSessionInTime) {
  Rig rig({.timeouts = {.handshake = std::chrono::milliseconds(300)}});
  rig.apply(named_plant());
  const ListenAddress where = rig.listener("meter");
  const os::UniqueFd mute(::socket(AF_INET, SOCK_DGRAM, 0));
  const SocketAddress at = socket_address(st::ip("203.0.113.53"), 53);
  ASSERT_EQ(0, ::bind(mute.get(), at.raw(), at.size));
  Peer meter(rig, connect_to(where.address, where.port));
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_TRUE(rig.timed_out("meter", 1));
}

}  // namespace
}  // namespace sallyport::terminator::testing
