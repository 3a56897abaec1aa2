// Peers that do what they should not: at a listener before, in and after the handshake. Whatever
// they do, they end alone, learn nothing, and others are served meanwhile.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "policy/os/clock.h"
#include "tests/unit/terminator/openssl_peer.h"
#include "tests/unit/terminator/plant.h"
#include "tls-termination/wolfssl/socket_io.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

std::string record(char type, std::string_view body) {
  std::string out = {type, 3, 3, static_cast<char>(body.size() >> 8),
                     static_cast<char>(body.size() & 0xff)};
  return out.append(body);
}
std::string times(std::size_t count, std::string_view what) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += what;
  return out;
}

// What a client in order says first.
std::string client_hello() {
  std::array<int, 2> ends{};
  EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()));
  const os::UniqueFd ours(ends[0]);
  const os::UniqueFd theirs(ends[1]);
  auto session = Session::start(client_context("gw.example", "plant-ca.ca"), ours.get());
  EXPECT_EQ(Io::kWantRead, session->handshake());
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(theirs.get(), buffer.data(), buffer.size(), 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

// A second client of the same conduit gets through.
bool serves(Rig& rig, const os::UniqueFd& camera) {
  Peer client = dial(rig, "web");
  if (!client.secure(client_context("gw.example", "plant-ca.ca"))) return false;
  auto device = taken(rig, camera);
  return device && client.write("GET /") && device->read(5) == "GET /";
}
bool serves(Rig& rig) { return serves(rig, listen_on("10.20.0.7", 80)); }

struct FirstWordsCase {
  const char* name;
  std::string words;
  // The peer gets the alert that everyone gets, or nothing; after a ClientHello in order it has got
  // the server's answer to that before.
  bool answered = false;
};
std::ostream& operator<<(std::ostream& out, const FirstWordsCase& c) { return out << c.name; }
class FirstWords : public ::testing::TestWithParam<FirstWordsCase> {};

TEST_P(FirstWords, EndTheirSpeakerAndTellItNothing) {
  Rig rig({.timeouts = {.handshake = 2s}, .engines = 1});
  rig.apply(plant());
  Peer peer = dial(rig, "web");
  std::string_view rest = GetParam().words;
  std::string seen;
  ASSERT_TRUE(rig.until([&] {
    const IoResult put = peer.leg().write(bytes(rest));
    if (put.io == Io::kOk) rest.remove_prefix(put.size);
    if (put.io == Io::kOk && rest.empty()) static_cast<void>(peer.leg().close_write());
    seen += peer.take(4096);
    return rig.counts("web").failed == 1 &&
           (peer.last() == Io::kClosed || peer.last() == Io::kFailed);
  }));
  EXPECT_EQ(0U, rig.counts("web").established);
  EXPECT_EQ(0U, rig.counts("web").timed_out) << "it was waited for";
  constexpr std::string_view kAlert = "\x15\x03\x03\x00\x02\x02\x28"sv;
  if (!GetParam().answered) {
    std::string tail = seen;
    if (tail.size() == kAlert.size()) tail[2] = 3;  // the record's version is the client's
    EXPECT_TRUE(tail.empty() || tail == kAlert) << ::testing::PrintToString(seen);
  } else {
    EXPECT_EQ('\x16', seen.empty() ? '\0' : seen.front());
  }
  EXPECT_TRUE(serves(rig));
}

std::vector<FirstWordsCase> first_words() {
  const std::string hello = client_hello();
  const std::string huge_hello = record(22, "\x01\xff\xff\xff\x03\x03"s + std::string(16000, 'r'));
  // Whole but for its one extension, which says that it is longer than all of them.
  const std::string bad_extension =
      record(22, "\x01\x00\x00\x2f\x03\x03"s + std::string(32, 'r') +
                     "\x00\x00\x02\x13\x01\x01\x00\x00\x04\x00\x00\x00\xff"s);
  std::string long_hello = hello;
  long_hello[5 + 3] = static_cast<char>(long_hello[5 + 3] + 1);  // says one byte more than it has
  return {
      {"nothing", ""},
      {"http", "GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n"},
      {"modbus", "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x03"s},
      {"ssh", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"zeros", std::string(20000, '\0')},
      {"noise",
       [] {
         std::string out(20000, '\0');
         for (std::size_t i = 0; i < out.size(); ++i)
           out[i] = static_cast<char>((i * 0x9e3779b97f4a7c15U) >> 56);
         return out;
       }()},
      {"ssl2_hello", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"s + std::string(37, 'c')},
      {"record_too_large", "\x16\x03\x01\xff\xff"s + std::string(65535, 'x')},
      {"empty_records", times(20000, record(22, ""))},
      {"empty_alerts", times(2000, record(21, ""))},
      {"warnings", times(20000, record(21, "\x01\x5a"))},
      {"fatal_alert", record(21, "\x02\x28")},
      {"close_notify", record(21, "\x01\x00"s)},
      {"change_cipher_spec_first", record(20, "\x01") + hello},
      {"change_cipher_specs", times(20000, record(20, "\x01"))},
      {"data_first", record(23, std::string(1000, 'd')) + hello},
      {"heartbeat", record(24, "\x01\x40\x00"s)},
      {"unknown_record", record(99, "x")},
      {"unknown_message", record(22, "\x63\x00\x00\x01x"s)},
      {"finished_first", record(22, "\x14\x00\x00\x0c"s + std::string(12, 'f'))},
      {"server_hello", record(22, "\x02\x00\x00\x28\x03\x03"s + std::string(38, 'r'))},
      {"hello_of_16_megabytes", huge_hello + times(100, record(22, std::string(16000, 'x')))},
      {"message_of_16_megabytes", record(22, "\x10\xff\xff\xff"s + std::string(16000, 'k'))},
      {"hello_in_empty_fragments",
       [&] {
         std::string out;
         for (std::size_t at = 5; at < 60; ++at)
           out += times(100, record(22, "")) + record(22, hello.substr(at, 1));
         return out;
       }()},
      {"hello_with_a_bad_extension", bad_extension},
      {"hello_with_a_bad_length", long_hello + record(22, "x")},
      {"hello_twice", hello + hello, true},
      {"hello_and_data_before_its_time", hello + times(64, record(23, std::string(16000, 'e'))),
       true},
      {"hello_and_change_cipher_specs", hello + times(20000, record(20, "\x01")), true},
      {"hello_and_warnings", hello + times(20000, record(21, "\x01\x5a")), true},
      {"hello_and_the_end", hello, true},
  };
}
INSTANTIATE_TEST_SUITE_P(Hostile, FirstWords, ::testing::ValuesIn(first_words()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Hostile, ThousandsOfGarbageConnectionsKeepNobodyOut) {
  Rig rig;
  rig.apply(plant());
  std::size_t begun = 0;
  std::vector<Peer> crowd;
  std::size_t served = 0;
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 400; ++j, ++begun) {
      crowd.push_back(dial(rig, "web"));
      static_cast<void>(crowd.back().leg().write(bytes("GET / HTTP/1.1\r\n\r\n")));
    }
    served += serves(rig) ? 1 : 0;
    crowd.clear();
  }
  EXPECT_EQ(5U, served) << rig.status();
  EXPECT_TRUE(rig.until([&] { return rig.counts("web").in_flight == 0; }));
  EXPECT_LE(rig.journal.events.size(), 200U) << "a crowd fills the journal";
}

// An established session of "web" with OpenSSL's client, and the camera.
struct Session13 {
  Session13(Rig& rig, const OpensslPeer::Options& options)
      : camera(listen_on("10.20.0.7", 80)), client(dialled(rig), options), device(met(rig)) {}
  static os::UniqueFd dialled(Rig& rig) {
    const ListenAddress where = rig.listener("web");
    return connect_to(where.address, where.port);
  }
  Peer met(Rig& rig) {
    std::optional<os::UniqueFd> socket;
    EXPECT_TRUE(rig.until([&] {
      static_cast<void>(client.handshake());
      return (socket = accept_on(camera)).has_value();
    }));
    return {rig, socket ? *std::move(socket) : os::UniqueFd()};
  }
  os::UniqueFd camera;
  OpensslPeer client;
  Peer device;
};

std::string stream(std::size_t from, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<char>((((from + i) * 0x9e3779b97f4a7c15U) >> 56) & 0xffU);
  return out;
}

// What the device sends while the client reads nothing, until it is stopped.
std::size_t fill(Rig& rig, Peer& device) {
  std::size_t sent = 0;
  int stalled = 0;
  EXPECT_TRUE(rig.until(
      [&] {
        ++stalled;
        for (Io io = Io::kOk; io == Io::kOk;) {
          const IoResult put = device.leg().write(bytes(stream(sent, 4096)));
          io = put.io;
          if (io == Io::kOk) stalled = 0;
          if (io == Io::kOk) sent += put.size;
        }
        return stalled > 50;
      },
      30s));
  return sent;
}

TEST(Hostile, NewKeysWhileARecordWaitsNeitherLoseNorDoubleAByte) {
  Rig rig;
  rig.apply(plant());
  Session13 session(rig, {});
  const std::size_t sent = fill(rig, session.device);
  // Room for the record that waits, then the request that makes the library speak in between.
  std::string seen;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(rig.until([&] { return session.client.update_keys(); }));
    seen += session.client.read();
    rig.rounds(3);
  }
  ASSERT_TRUE(rig.until(
      [&] {
        seen += session.client.read();
        return seen.size() >= sent || session.client.broken() || session.client.ended();
      },
      30s));
  EXPECT_FALSE(session.client.broken());
  EXPECT_EQ(sent, seen.size());
  EXPECT_TRUE(seen == stream(0, sent));
}

TEST(Hostile, NewKeysAfterOurEndLeaveTheOtherDirectionAlone) {
  Rig rig;
  rig.apply(plant());
  Session13 session(rig, {});
  ASSERT_EQ(Io::kOk, session.device.leg().close_write());
  ASSERT_TRUE(rig.until([&] {
    session.client.read();
    return session.client.ended();
  }));
  ASSERT_TRUE(rig.until([&] { return session.client.update_keys(); }));
  ASSERT_TRUE(session.client.write("still here"));
  EXPECT_EQ("still here", session.device.read(10));
}

TEST(Hostile, AnswersThatAPeerWantsAndDoesNotReadAreBounded) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  Session13 session(rig, {});
  fill(rig, session.device);
  ASSERT_TRUE(rig.until([&] {
    for (int i = 0; i < 50; ++i) static_cast<void>(session.client.update_keys());
    return rig.journal.has("session-failed", "tls-flood");
  }));
  EXPECT_TRUE(session.device.sees_cut());
}

TEST(Hostile, NewKeysWithoutDataAreNoConversation) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  Session13 session(rig, {});
  // The client reads every answer: nothing waits, it is only for nothing.
  ASSERT_TRUE(rig.until(
      [&] {
        for (int i = 0; i < 100; ++i) static_cast<void>(session.client.update_keys());
        session.client.read();
        return rig.journal.has("session-failed", "tls-flood");
      },
      30s));
  EXPECT_TRUE(session.device.sees_cut());
}

TEST(Hostile, NewKeysNowAndThenAreFine) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  Session13 session(rig, {});
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(rig.until([&] { return session.client.update_keys(); }));
    ASSERT_TRUE(session.client.write("data"));
    ASSERT_EQ("data", session.device.read(4)) << i;
    ASSERT_TRUE(session.device.write("more"));
    std::string seen;
    ASSERT_TRUE(rig.until([&] { return (seen += session.client.read()) == "more"; })) << i;
  }
}

// Whoever is on the way can write between the segments of a connection.
TEST(Hostile, AlertInTheClearIsNoEnd) {
  for (const bool tls12 : {false, true}) {
    Rig rig({.engines = 1});
    rig.apply(plant());
    Session13 session(rig, {.tls12 = tls12});
    ASSERT_TRUE(session.client.write("half a mess"));
    EXPECT_EQ("half a mess", session.device.read(11));
    ASSERT_TRUE(session.client.raw(record(21, "\x01\x00"s)));
    EXPECT_TRUE(session.device.sees_cut()) << (tls12 ? "TLS 1.2" : "TLS 1.3");
    EXPECT_TRUE(rig.until([&] { return rig.journal.has("session-failed"); }));
  }
}

struct LateWordsCase {
  const char* name;
  std::string words;
};
std::ostream& operator<<(std::ostream& out, const LateWordsCase& c) { return out << c.name; }
class LateWords : public ::testing::TestWithParam<LateWordsCase> {};
TEST_P(LateWords, InTheClearEndTheSession) {
  for (const bool tls12 : {false, true}) {
    Rig rig({.engines = 1});
    rig.apply(plant());
    Session13 session(rig, {.tls12 = tls12});
    ASSERT_TRUE(session.client.raw(GetParam().words));
    EXPECT_TRUE(session.device.sees_cut()) << (tls12 ? "TLS 1.2" : "TLS 1.3");
    EXPECT_TRUE(serves(rig, session.camera));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Hostile, LateWords,
    ::testing::Values(LateWordsCase{"plaintext", "GET / HTTP/1.1\r\n\r\n"},
                      LateWordsCase{"forged_data", record(23, std::string(64, 'f'))},
                      LateWordsCase{"change_cipher_spec", record(20, "\x01")},
                      LateWordsCase{"hello", client_hello()},
                      LateWordsCase{"warnings", times(20000, record(21, "\x01\x5a"))},
                      LateWordsCase{"heartbeat", record(24, "\x01\x40\x00"s)}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Hostile, RenegotiationDoesNotHappen) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  Session13 session(rig, {.tls12 = true});
  ASSERT_TRUE(session.client.write("before"));
  EXPECT_EQ("before", session.device.read(6));
  bool renegotiated = false;
  ASSERT_TRUE(rig.until([&] {
    renegotiated = session.client.renegotiate();
    return renegotiated || session.client.broken() || session.client.ended();
  }));
  EXPECT_FALSE(renegotiated);
  EXPECT_TRUE(session.device.sees_cut());
  EXPECT_TRUE(serves(rig, session.camera));
}

// Data as fast as it goes in one session, small questions in another on the same engine.
TEST(Hostile, GreedySessionLeavesTheOtherItsTurn) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  Web greedy(rig);
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer scada = dial(rig, "inspected");
  auto device = taken(rig, press);
  ASSERT_TRUE(device);
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  std::size_t moved = 0;
  Duration longest{};
  for (int question = 0; question < 50; ++question) {
    const Instant asked = os::steady_now();
    ASSERT_EQ(read.size(), scada.leg().write(bytes(read)).size);
    std::string arrived;
    ASSERT_TRUE(rig.until([&] {
      for (int i = 0; i < 16; ++i) {
        static_cast<void>(greedy.device.leg().write(bytes(std::string(16384, 'g'))));
        moved += greedy.client.take(64 * 1024).size();
      }
      arrived += device->take(64);
      return arrived == read;
    }));
    longest = std::max(longest, os::steady_now() - asked);
  }
  EXPECT_GT(moved, std::size_t{1} << 20);
  EXPECT_LT(longest, 1s);
}

}  // namespace
}  // namespace sallyport::terminator::testing
