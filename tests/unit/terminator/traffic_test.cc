// What passes a conduit, what does not, and how it ends: with real sockets and real TLS.
#include <gtest/gtest.h>

#include "tests/unit/terminator/openssl_peer.h"
#include "tests/unit/terminator/plant.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

struct VersionCase {
  IpVersion version;
  const char* camera;
};
class BothVersions : public ::testing::TestWithParam<VersionCase> {};

TEST_P(BothVersions, InboundTlsReachesTheDeviceInPlaintext) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on(GetParam().camera, 80);
  Peer client = dial(rig, "web", GetParam().version);
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")))
      << client.leg().failure().context;
  auto device = taken(rig, camera);
  ASSERT_TRUE(device);
  ASSERT_TRUE(client.write("GET /picture"));
  EXPECT_EQ("GET /picture", device->read(12));
  ASSERT_TRUE(device->write("a picture"));
  EXPECT_EQ("a picture", client.read(9));
  EXPECT_TRUE(rig.established("web", 1));
}
INSTANTIATE_TEST_SUITE_P(Ip, BothVersions,
                         ::testing::Values(VersionCase{IpVersion::k4, "10.20.0.7"},
                                           VersionCase{IpVersion::k6, "fd00:20::7"}));

TEST(Traffic, DeviceSeesNothingBeforeTheHandshakeIsOver) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer silent = dial(rig, "poll");
  Peer nobody = dial(rig, "poll");
  EXPECT_FALSE(nobody.secure(client_context("gw.example", "plant-ca.ca")) &&
               !nobody.read(1).empty());
  Peer stranger = dial(rig, "poll");
  EXPECT_FALSE(stranger.secure(client_context("gw.example", "plant-ca.ca", "stranger")) &&
               !stranger.read(1).empty());
  ASSERT_TRUE(rig.until([&] { return rig.counts("poll").failed == 2; }));
  EXPECT_FALSE(accept_on(press)) << "leg B was opened for a client without a right";
  EXPECT_TRUE(rig.failed_with("tls-peer-certificate"));
  EXPECT_EQ(1U, rig.counts("poll").in_flight);  // the silent one

  Peer scada = dial(rig, "poll");
  ASSERT_TRUE(scada.secure(client_context("gw.example", "plant-ca.ca", "scada")));
  EXPECT_TRUE(taken(rig, press));
}

struct OptionalCase {
  const char* name;
  std::string shown;
  bool works;
};
class OptionalCertificate : public ::testing::TestWithParam<OptionalCase> {};
TEST_P(OptionalCertificate, MayBeAbsentButNotWrong) {
  for (const bool tls12 : {false, true}) {
    Rig rig;
    model::Gateway gateway = plant();
    conduit(gateway, "poll").terminate->client_auth = model::ClientAuth::kOptional;
    rig.apply(gateway);
    const os::UniqueFd press = listen_on("10.20.0.5", 502);
    const ListenAddress where = rig.listener("poll");
    OpensslPeer client(
        connect_to(where.address, where.port),
        {.tls12 = tls12,
         .chain = GetParam().shown.empty() ? std::string() : GetParam().shown + ".crt",
         .key = GetParam().shown + ".key"});
    ASSERT_TRUE(rig.until([&] {
      static_cast<void>(client.handshake());
      return rig.counts("poll").established + rig.counts("poll").failed > 0;
    }));
    EXPECT_EQ(GetParam().works ? 1U : 0U, rig.counts("poll").established);
    if (!GetParam().works) {
      EXPECT_TRUE(rig.failed_with("tls-peer-certificate"));
      EXPECT_FALSE(accept_on(press));
      continue;
    }
    const auto session = rig.sessions()["sessions"][0];
    EXPECT_EQ(tls12 ? "TLSv1.2" : "TLSv1.3", session["tls"]["version"]);
    EXPECT_EQ(GetParam().shown.empty(), session["tls"]["peer"] == "") << session;
  }
}
INSTANTIATE_TEST_SUITE_P(Clients, OptionalCertificate,
                         ::testing::Values(OptionalCase{"absent", "", true},
                                           OptionalCase{"right", "scada", true},
                                           OptionalCase{"strangers", "stranger", false},
                                           OptionalCase{"expired", "scada-expired", false},
                                           OptionalCase{"revoked", "scada-revoked", false}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Traffic, ForbiddenModbusIsAnsweredWithoutTheDevice) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer scada = dial(rig, "poll");
  ASSERT_TRUE(scada.secure(client_context("gw.example", "plant-ca.ca", "scada")));
  auto device = taken(rig, press);
  ASSERT_TRUE(device);
  using namespace std::string_view_literals;
  const auto write = "\x00\x07\x00\x00\x00\x06\x01\x06\x00\x01\x00\x02"sv;
  const auto read = "\x00\x08\x00\x00\x00\x06\x01\x03\x00\x01\x00\x01"sv;
  ASSERT_TRUE(scada.write(std::string(write) + std::string(read)));
  EXPECT_EQ("\x00\x07\x00\x00\x00\x03\x01\x86\x01"sv, scada.read(9));
  EXPECT_EQ(read, device->read(read.size()));
  EXPECT_TRUE(rig.until([&] { return rig.journal.has("request-refused", "\"function\":6"); }));
  ASSERT_TRUE(scada.write("this is no Modbus"));
  EXPECT_TRUE(device->sees_cut());
  EXPECT_TRUE(rig.failed_with("inspect-malformed"));
}

TEST(Traffic, InspectionWorksPlainToPlain) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer scada = dial(rig, "inspected");
  auto device = taken(rig, press);
  ASSERT_TRUE(device);
  using namespace std::string_view_literals;
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  ASSERT_TRUE(scada.write(read));
  EXPECT_EQ(read, device->read(read.size()));
}

TEST(Traffic, OutboundVerifiesTheServerAndShowsItsOwnCertificate) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  ASSERT_TRUE(meter.write("CONNECT"));
  auto server = taken(rig, broker);
  ASSERT_TRUE(server);
  ASSERT_TRUE(server->secure(server_context("broker"))) << server->leg().failure().context;
  EXPECT_EQ("CONNECT", server->read(7));
  ASSERT_TRUE(server->write("CONNACK"));
  EXPECT_EQ("CONNACK", meter.read(7));
}

class WrongServer : public ::testing::TestWithParam<const char*> {};
TEST_P(WrongServer, GetsNoByteOfTheDevice) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  ASSERT_TRUE(meter.write("secret reading"));
  auto server = taken(rig, broker);
  ASSERT_TRUE(server);
  if (server->secure(server_context(GetParam()))) {
    EXPECT_EQ("", server->read(1));
  }
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_TRUE(rig.failed_with("tls-peer-certificate"));
  EXPECT_TRUE(rig.failed("meter", 1));
}
INSTANTIATE_TEST_SUITE_P(Servers, WrongServer, ::testing::Values("impostor", "broker-expired"));

// Both kinds of termination, seen from the two ends of an established conversation.
struct Ends {
  Peer* first;  // the one that writes, or ends first
  Peer* second;
};
struct EndsCase {
  const char* name;
  bool inbound;
  bool client_first;
};
class BothLegs : public ::testing::TestWithParam<EndsCase> {
 protected:
  void SetUp() override {
    rig_.apply(plant());
    if (GetParam().inbound) {
      web_.emplace(rig_);
      return;
    }
    broker_ = listen_on("203.0.113.9", 8883);
    meter_.emplace(dial(rig_, "meter"));
    server_ = taken(rig_, broker_);
    ASSERT_TRUE(server_ && server_->secure(server_context("broker")));
  }
  Ends ends() {
    Peer* client = web_ ? &web_->client : &*meter_;
    Peer* server = web_ ? &web_->device : &*server_;
    return GetParam().client_first ? Ends{client, server} : Ends{server, client};
  }
  bool nobody_left() {
    return rig_.until([&] { return rig_.terminator->conversations() == 0; });
  }

  Rig rig_;
  std::optional<Web> web_;
  os::UniqueFd broker_;
  std::optional<Peer> meter_;
  std::optional<Peer> server_;
};
INSTANTIATE_TEST_SUITE_P(Ends, BothLegs,
                         ::testing::Values(EndsCase{"inbound_client_first", true, true},
                                           EndsCase{"inbound_device_first", true, false},
                                           EndsCase{"outbound_device_first", false, true},
                                           EndsCase{"outbound_server_first", false, false}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(BothLegs, EachDirectionEndsByItself) {
  const auto [first, second] = ends();
  ASSERT_TRUE(first->write("last words"));
  ASSERT_EQ(Io::kOk, first->leg().close_write());
  EXPECT_EQ("last words", second->read(10));
  EXPECT_TRUE(second->sees_end());
  ASSERT_TRUE(second->write("a late answer"));
  EXPECT_EQ("a late answer", first->read(13));
  ASSERT_EQ(Io::kOk, second->leg().close_write());
  EXPECT_TRUE(first->sees_end());
  EXPECT_TRUE(nobody_left());
  EXPECT_TRUE(rig_.journal.events.empty());
}

// A stream whose every byte depends on its place: what is lost, doubled or mixed up shows.
std::string stream(std::size_t from, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<char>((((from + i) * 0x9e3779b97f4a7c15U) >> 56) & 0xffU);
  return out;
}

constexpr std::size_t kChunk = 4096;
constexpr std::size_t kStalled = 50;  // rounds without a byte

// Writes the stream until nobody takes any more; how much was taken.
std::size_t fill(Rig& rig, Peer& writer, std::size_t most) {
  std::size_t sent = 0;
  std::size_t stalled = 0;
  EXPECT_TRUE(rig.until(
      [&] {
        ++stalled;
        for (Io io = Io::kOk; io == Io::kOk && sent <= most;) {
          const IoResult put = writer.leg().write(bytes(stream(sent, kChunk)));
          io = put.io;
          if (io == Io::kOk) sent += put.size;
          if (io == Io::kOk) stalled = 0;
        }
        return stalled > kStalled || sent > most;
      },
      60s));
  return sent;
}

TEST_P(BothLegs, ReaderThatStopsStopsTheWriterAndMemoryStaysBounded) {
  const auto [first, second] = ends();
  constexpr std::size_t kMost = std::size_t{64} << 20;
  const std::size_t sent = fill(rig_, *first, kMost);
  EXPECT_LT(sent, kMost) << "the writer was never stopped";
  EXPECT_LE(rig_.sessions()["buffered-bytes"], 2 * kPipeSize);
  // The other way is not stopped by it.
  ASSERT_TRUE(second->write("meanwhile"));
  EXPECT_EQ("meanwhile", first->read(9));
  std::string seen;
  ASSERT_TRUE(rig_.until(
      [&] {
        static_cast<void>(first->leg().flush());
        seen += second->take(kChunk * 16);
        return seen.size() >= sent;
      },
      60s));
  EXPECT_TRUE(seen == stream(0, sent));
}

TEST_P(BothLegs, EndWithDataInFlightLosesNoneOfIt) {
  const auto [first, second] = ends();
  std::size_t sent = fill(rig_, *first, std::size_t{64} << 20);
  std::string seen;
  // What the writer has begun to write must be finished; the reader makes room for that only.
  ASSERT_TRUE(rig_.until([&] {
    seen += second->take(kChunk);
    const IoResult put = first->leg().write(bytes(stream(sent, kChunk)));
    if (put.io == Io::kOk) sent += put.size;
    return put.io == Io::kOk;
  }));
  ASSERT_LT(seen.size() + (std::size_t{256} << 10), sent) << "nothing was in flight";
  ASSERT_TRUE(rig_.until([&] {
    const Io io = first->leg().close_write();
    if (io != Io::kOk) seen += second->take(kChunk);
    return io == Io::kOk;
  }));
  seen += second->read(std::size_t{1} << 30);
  EXPECT_EQ(sent, seen.size());
  EXPECT_TRUE(seen == stream(0, sent));
  EXPECT_EQ(Io::kClosed, second->last());
  ASSERT_TRUE(second->write("all of it"));
  ASSERT_EQ(Io::kOk, second->leg().close_write());
  EXPECT_EQ("all of it", first->read(9));
  EXPECT_TRUE(first->sees_end());
  EXPECT_TRUE(nobody_left());
  EXPECT_TRUE(rig_.journal.events.empty());
}

TEST_P(BothLegs, ConnectionThatBreaksIsNeverPassedOnAsAnEnd) {
  const auto [first, second] = ends();
  ASSERT_TRUE(first->write("half a mess"));
  EXPECT_EQ("half a mess", second->read(11));
  // On TLS an end without close_notify could be anybody's; on a plain leg RST says it.
  if (first->leg().secured()) {
    first->leg().close();
  } else {
    first->leg().reset();
  }
  EXPECT_TRUE(second->sees_cut());
  EXPECT_TRUE(rig_.failed_with(first->leg().secured() ? "tls-truncated" : "tcp-connection"));
  EXPECT_TRUE(nobody_left());
}

class Versions : public ::testing::TestWithParam<bool> {};

// A stranger's client, in both versions: each direction ends by itself, with data on the way.
TEST_P(Versions, ClientOfAnotherMakeEndsEachDirectionByItself) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  for (const bool client_first : {true, false}) {
    const ListenAddress where = rig.listener("web");
    OpensslPeer client(connect_to(where.address, where.port), {.tls12 = GetParam()});
    std::optional<os::UniqueFd> accepted;
    ASSERT_TRUE(rig.until([&] {
      static_cast<void>(client.handshake());
      return (accepted = accept_on(camera)).has_value();
    }));
    Peer device(rig, *std::move(accepted));
    const std::string request = stream(0, 100'000);
    const std::string answer = stream(7, 300'000);
    std::string seen;
    const auto client_says = [&](const std::string& what) {
      for (std::size_t at = 0; at < what.size(); at += 10'000)
        ASSERT_TRUE(rig.until([&] { return client.write(what.substr(at, 10'000)); }));
      ASSERT_TRUE(rig.until([&] { return client.end(); }));
    };
    const auto device_says = [&](const std::string& what) {
      std::string_view rest = what;
      ASSERT_TRUE(rig.until([&] {
        const IoResult put = device.leg().write(bytes(rest));
        if (put.io == Io::kOk) rest.remove_prefix(put.size);
        seen += client.read();
        return rest.empty();
      }));
      ASSERT_EQ(Io::kOk, device.leg().close_write());
      ASSERT_TRUE(rig.until([&] {
        seen += client.read();
        return client.ended() || client.broken();
      }));
      EXPECT_TRUE(client.ended());
      EXPECT_TRUE(seen == answer);
    };
    if (!client_first) device_says(answer);
    client_says(request);
    EXPECT_TRUE(device.read(request.size() + 1) == request && device.sees_end());
    if (client_first) device_says(answer);
    EXPECT_TRUE(rig.until([&] { return rig.terminator->conversations() == 0; }));
  }
  EXPECT_TRUE(rig.journal.events.empty());
}
INSTANTIATE_TEST_SUITE_P(Tls, Versions, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "tls12" : "tls13");
});

}  // namespace
}  // namespace sallyport::terminator::testing
