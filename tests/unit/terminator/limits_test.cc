// Every wait has an end and every number a bound.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>

#include "policy/os/clock.h"
#include "tests/unit/terminator/plant.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

constexpr Timeouts kQuick = {.handshake = 200ms, .connect = 100ms};

TEST(Waits, SilentClientIsCut) {
  Rig rig({.timeouts = kQuick});
  rig.apply(plant());
  Peer silent = dial(rig, "poll");
  EXPECT_TRUE(silent.sees_cut());
  EXPECT_TRUE(rig.timed_out("poll", 1));
  EXPECT_EQ(0U, rig.counts("poll").in_flight);
}

TEST(Waits, ClientHelloThatComesByTheByteIsCut) {
  Rig rig({.timeouts = kQuick});
  rig.apply(plant());
  Peer slow = dial(rig, "poll");
  // A handshake record of 512 bytes, a ClientHello of 508; each round brings one byte more.
  std::string hello = {0x16, 3, 1, 2, 0, 1, 0, 1, static_cast<char>(0xfc), 3, 3};
  hello.resize(5 + 512, 'r');
  std::size_t at = 0;
  EXPECT_TRUE(rig.until([&] {
    static_cast<void>(slow.leg().write(bytes(std::string_view(hello).substr(at, 1))));
    at = std::min(at + 1, hello.size() - 2);
    return rig.counts("poll").timed_out == 1;
  }));
  EXPECT_TRUE(rig.failed_with("handshake-timeout"));
}

TEST(Waits, ServerThatNeverShakesHandsIsCut) {
  Rig rig({.timeouts = kQuick});
  rig.apply(plant());
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  auto server = taken(rig, broker);
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_TRUE(rig.timed_out("meter", 1));
}

TEST(Waits, ServerThatIsNotThereEndsTheClient) {
  Rig rig;
  rig.apply(plant());
  Peer meter = dial(rig, "meter");
  EXPECT_TRUE(rig.failed("meter", 1));
  EXPECT_TRUE(rig.failed_with("server-unreachable"));
  EXPECT_EQ("", meter.read(1));
}

// A listener whose queue is full: the kernel answers no SYN to it.
struct FullListener {
  FullListener(Rig& rig, const std::string& address, std::uint16_t port)
      : listener(listen_on(address, port)) {
    ::listen(listener.get(), 0);
    const IpAddress ip = *IpAddress::parse(address);
    EXPECT_TRUE(rig.until([&] {
      waiting.push_back(connect_to(ip, port));
      rig.rounds(3);
      int error = 0;
      socklen_t size = sizeof(error);
      sockaddr_storage peer{};
      socklen_t peer_size = sizeof(peer);
      ::getsockopt(waiting.back().get(), SOL_SOCKET, SO_ERROR, &error, &size);
      return ::getpeername(waiting.back().get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) !=
             0;
    }));
  }
  os::UniqueFd listener;
  std::vector<os::UniqueFd> waiting;
};

TEST(Waits, ServerThatNeverAcceptsEndsTheClientWithinTheConnectTimeout) {
  Rig rig({.timeouts = {.handshake = 60s, .connect = 150ms}});
  rig.apply(plant());
  const FullListener broker(rig, "203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  EXPECT_TRUE(rig.failed("meter", 1));
  EXPECT_TRUE(rig.failed_with("server-unreachable"));
}

TEST(Waits, ServerThatNeverAcceptsIsNotWaitedForLongerThanTheHandshake) {
  Rig rig({.timeouts = {.handshake = 150ms, .connect = 60s}});
  rig.apply(plant());
  const FullListener broker(rig, "203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_TRUE(rig.timed_out("meter", 1));
}

TEST(Waits, SetupThatNeverAnswersEndsTheClient) {
  Rig rig({.timeouts = kQuick});
  rig.apply(plant());
  rig.sockets.mute_segment = "uplink";
  Peer meter = dial(rig, "meter");
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_TRUE(rig.timed_out("meter", 1));
  ASSERT_EQ(1U, rig.sockets.unanswered.size());
  // Its late answer finds nobody.
  rig.sockets.unanswered.front()(connect_to(st::ip("203.0.113.9"), 8883));
  rig.rounds(5);
  EXPECT_TRUE(rig.until([&] { return rig.terminator->conversations() == 0; }));
}

TEST(Waits, ConversationWithoutABytePassesForDead) {
  Rig rig({.timeouts = {.idle = 250ms}});
  rig.apply(plant());
  Web web(rig);
  EXPECT_TRUE(web.client.sees_cut());
  EXPECT_TRUE(web.device.sees_cut());
  EXPECT_TRUE(rig.failed_with("idle-timeout"));
}

// Of a conduit that says so, and of no other.
TEST(Waits, ConversationMayBeSilentForAsLongAsItsConduitSays) {
  Rig rig({.timeouts = {.idle = 100ms}});
  model::Gateway gateway = plant();
  conduit(gateway, "web").timeouts.seconds = {18 * 3600, 0, 0, 0, 0};
  rig.apply(gateway);
  Web web(rig);
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer plain = dial(rig, "inspected");
  auto plain_device = taken(rig, press);
  ASSERT_TRUE(plain_device);
  EXPECT_TRUE(plain.sees_cut());
  ASSERT_TRUE(web.client.write("still here"));
  EXPECT_EQ("still here", web.device.read(10));
}

// Its time is the later revision's, and begins anew with it.
TEST(Waits, RunningConversationMayBeSilentForAsLongAsALaterRevisionSays) {
  Rig rig({.timeouts = {.idle = 500ms}});
  model::Gateway gateway = plant();
  conduit(gateway, "web").timeouts.seconds = {18 * 3600, 0, 0, 0, 0};
  rig.apply(gateway);
  Web web(rig);
  const Instant begun = os::steady_now();
  ASSERT_TRUE(rig.until([&] { return os::steady_now() - begun > 700ms; }));
  const Instant changed = os::steady_now();
  rig.apply(plant());
  EXPECT_TRUE(rig.failed_with("idle-timeout"));
  EXPECT_GE(os::steady_now() - changed, 500ms);
  EXPECT_TRUE(web.client.sees_cut());
  EXPECT_FALSE(rig.journal.has("session-cut"));
}

TEST(Waits, HalfOfAConversationMayBeOpenForAsLongAsItsConduitSays) {
  Rig rig({.timeouts = {.half_closed = 100ms}});
  model::Gateway gateway = plant();
  conduit(gateway, "web").timeouts.seconds = {0, 3600, 0, 0, 0};
  rig.apply(gateway);
  Web web(rig);
  ASSERT_EQ(Io::kOk, web.client.leg().close_write());
  EXPECT_TRUE(web.device.sees_end());
  const Instant begun = os::steady_now();
  ASSERT_TRUE(rig.until([&] { return os::steady_now() - begun > 500ms; }));
  ASSERT_TRUE(web.device.write("still here"));
  EXPECT_EQ("still here", web.client.read(10));
}

TEST(Waits, ConversationThatMovesLives) {
  Rig rig({.timeouts = {.idle = 400ms}});
  rig.apply(plant());
  Web web(rig);
  const Instant begun = os::steady_now();
  Instant said = begun;
  std::size_t words = 0;
  // Well below the limit between two words, well above it in all.
  ASSERT_TRUE(rig.until([&] {
    if (os::steady_now() - said > 50ms) {
      said = os::steady_now();
      words += web.client.leg().write(bytes("x")).io == Io::kOk ? 1 : 0;
    }
    return os::steady_now() - begun > 1200ms;
  }));
  EXPECT_EQ(words, web.device.read(words).size());
  EXPECT_FALSE(rig.journal.has("session-failed"));
  EXPECT_TRUE(web.device.sees_cut());
}

TEST(Waits, PeerThatNeverReadsPassesForDead) {
  Rig rig({.timeouts = {.idle = 300ms}});
  rig.apply(plant());
  Web web(rig);
  const std::string chunk(16384, 'x');
  // The device would write for ever; the client reads nothing.
  EXPECT_TRUE(rig.until(
      [&] {
        static_cast<void>(web.device.leg().write(bytes(chunk)));
        return rig.journal.has("session-failed", "idle-timeout");
      },
      30s));
  EXPECT_TRUE(rig.until([&] { return rig.terminator->conversations() == 0; }));
}

class HalfClosed : public ::testing::TestWithParam<bool> {};
TEST_P(HalfClosed, PeerThatNeverFinishesPassesForDead) {
  Rig rig({.timeouts = {.half_closed = 250ms}});
  rig.apply(plant());
  Web web(rig);
  // Not a byte has moved: the end alone starts the clock.
  Peer& first = GetParam() ? web.client : web.device;
  Peer& second = GetParam() ? web.device : web.client;
  ASSERT_EQ(Io::kOk, first.leg().close_write());
  EXPECT_TRUE(second.sees_end());
  EXPECT_TRUE(rig.failed_with("idle-timeout"));
  EXPECT_TRUE(first.sees_cut());
}
INSTANTIATE_TEST_SUITE_P(Sides, HalfClosed, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "client_ends" : "device_ends");
});

TEST(Bounds, InFlightNeverExceedsTheConduitsOverAllEngines) {
  Rig rig({.timeouts = {.handshake = 400ms, .connect = 100ms}, .engines = 3});
  model::Gateway gateway = plant();
  conduit(gateway, "web").admission.inflight = 2;
  rig.apply(gateway);
  std::vector<Peer> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(dial(rig, "web"));
  std::uint64_t most = 0;
  std::uint64_t busy = 0;
  ASSERT_TRUE(rig.until([&] {
    most = std::max(most, rig.counts("web").in_flight);
    std::uint64_t engines = 0;
    const auto status = rig.status();
    for (const auto& engine : status["engines"]) engines += engine["sessions"] > 0 ? 1U : 0U;
    busy = std::max(busy, engines);
    return rig.counts("web").timed_out == 8;
  }));
  EXPECT_EQ(2U, most);
  EXPECT_GE(busy, 2U) << "the two in flight were to be on two engines";
  EXPECT_EQ(0U, rig.counts("web").in_flight);
}

// Nothing happens for half a second: the test looks every 2 ms, the loops have no reason to.
bool spins(Rig& rig) {
  const std::uint64_t before = rig.rounds_done();
  const Instant begun = os::steady_now();
  rig.until([&] { return os::steady_now() - begun > 500ms; });
  return rig.rounds_done() - before > 500;
}

bool plain_works(Rig& rig) {
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer scada = dial(rig, "inspected");
  auto device = taken(rig, press);
  if (!device) return false;
  using namespace std::string_view_literals;
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  return scada.write(read) && device->read(read.size()) == read;
}

class Crowd : public ::testing::Test {
 protected:
  static constexpr std::size_t kCrowd = 10'000;
  void SetUp() override {
    ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &before_));
    const rlimit more{kCrowd + 2000, std::max<rlim_t>(before_.rlim_max, kCrowd + 2000)};
    ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &more));
  }
  void TearDown() override { ::setrlimit(RLIMIT_NOFILE, &before_); }
  rlimit before_{};
};

TEST_F(Crowd, TenThousandConnectionsToOneConduitLeaveTheOthersTheirShare) {
  Rig rig({.places = 64});
  model::Gateway gateway = plant();
  conduit(gateway, "web").admission.inflight = 10'000;
  rig.apply(gateway);
  const ListenAddress where = rig.listener("web");
  std::vector<os::UniqueFd> crowd;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    crowd.push_back(connect_to(where.address, where.port));
    if (i % 256 == 0) rig.rounds(1);
  }
  // Half of 64 is anybody's, and a quarter of the other half is its own: four conduits.
  ASSERT_TRUE(rig.until([&] { return rig.terminator->conversations() == 32 + 8; }));
  EXPECT_FALSE(spins(rig));
  EXPECT_EQ(40U, rig.terminator->conversations());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(plain_works(rig)) << "another conduit starves";
  // And when they go, their own conduit is served again.
  crowd.clear();
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  EXPECT_TRUE(rig.until([&] { return rig.counts("web").in_flight < 40; }, 30s));
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
  EXPECT_TRUE(taken(rig, camera));
}

TEST_F(Crowd, TenThousandHandshakesOfOneConduitWaitOutsideItsBound) {
  Rig rig({.timeouts = {.handshake = 300ms}});
  model::Gateway gateway = plant();
  conduit(gateway, "web").admission.inflight = 16;
  rig.apply(gateway);
  const ListenAddress where = rig.listener("web");
  std::vector<os::UniqueFd> crowd;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    crowd.push_back(connect_to(where.address, where.port));
    if (i % 256 == 0) rig.rounds(1);
  }
  std::uint64_t most = 0;
  ASSERT_TRUE(rig.until([&] {
    most = std::max(most, rig.counts("web").in_flight);
    return rig.counts("web").timed_out >= 64;
  }));
  EXPECT_EQ(16U, most);
  EXPECT_TRUE(plain_works(rig));
}

TEST(Bounds, WithoutDescriptorsItRestsAndGoesOnWhenThereAreSome) {
  Rig rig;
  rig.apply(plant());
  // What is needed later is opened first; then nothing more is to be had.
  std::vector<Peer> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(dial(rig, "poll"));
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &before));
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &none));
  const bool spun = spins(rig);
  const std::uint64_t admitted = rig.counts("poll").admitted;
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(spun);
  EXPECT_EQ(0U, admitted);
  EXPECT_TRUE(rig.until([&] { return rig.counts("poll").in_flight == 4; }));
}

}  // namespace
}  // namespace sallyport::terminator::testing
