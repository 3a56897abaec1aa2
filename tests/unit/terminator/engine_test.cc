// The engine with real sockets and real TLS: what passes, what does not, and that nothing is lost
// on any way out. One file above 400 lines: every case is a few lines over the same plant.
#include "tls-termination/session/engine.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>

#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/terminator/rig.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;
namespace st = sallyport::testing;

// The camera over HTTPS, the PLC over TLS with a client certificate and inspection, the meter's
// outbound leg, SCADA's inspected plain Modbus.
model::Gateway plant() {
  model::Gateway out = st::bare_gateway();
  auto& web = st::add_conduit(out, "web", st::segment("uplink", {"192.0.2.0/24", "2001:db8::/64"}),
                              st::device("camera"), st::tcp(80));
  web.terminate = st::inbound(443);
  web.terminate->client_auth = model::ClientAuth::kNone;
  web.terminate->client_ca.clear();
  auto& poll = st::add_conduit(out, "poll", st::segment("uplink", {"192.0.2.0/24"}),
                               st::device("press4"), st::tcp(502));
  poll.terminate = st::inbound(802);
  poll.inspect.modbus = model::ModbusInspect{{3}, {1}};
  auto& meter = st::add_conduit(out, "meter", st::device("meter"), st::addresses({"203.0.113.9"}),
                                st::tcp(1883));
  meter.terminate = st::outbound("broker.example", 8883);
  meter.terminate->server_address = st::ip("203.0.113.9");
  auto& inspected =
      st::add_conduit(out, "inspected", st::device("scada"), st::device("press4"), st::tcp(502));
  inspected.inspect.modbus = model::ModbusInspect{{3}, {}};
  return out;
}
model::Conduit& conduit(model::Gateway& gateway, std::string_view name) {
  for (model::Conduit& c : gateway.conduits)
    if (c.name == name) return c;
  throw std::runtime_error("no such conduit");
}
void remove(model::Gateway& gateway, std::string_view name) {
  std::erase_if(gateway.conduits, [name](const model::Conduit& c) { return c.name == name; });
}

Peer dial(Rig& rig, const std::string& conduit, IpVersion version = IpVersion::k4) {
  const ListenAddress where = rig.listener(conduit, version);
  return {rig, connect_to(where.address, where.port)};
}
std::optional<Peer> taken(Rig& rig, const os::UniqueFd& listener) {
  std::optional<os::UniqueFd> socket;
  if (!rig.until([&] { return (socket = accept_on(listener)).has_value(); })) return std::nullopt;
  return Peer(rig, *std::move(socket));
}

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
  EXPECT_EQ(1U, rig.counts("web").established);
}
INSTANTIATE_TEST_SUITE_P(Ip, BothVersions,
                         ::testing::Values(VersionCase{IpVersion::k4, "10.20.0.7"},
                                           VersionCase{IpVersion::k6, "fd00:20::7"}));

TEST(Engine, DeviceSeesNothingBeforeTheHandshakeIsOver) {
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

TEST(Engine, ForbiddenModbusIsAnsweredWithoutTheDevice) {
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
  EXPECT_TRUE(rig.journal.has("request-refused", "\"function\":6"));
  ASSERT_TRUE(scada.write("this is no Modbus"));
  EXPECT_TRUE(device->sees_cut());
  EXPECT_TRUE(rig.failed_with("inspect-malformed"));
}

TEST(Engine, InspectionWorksPlainToPlain) {
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

TEST(Engine, OutboundVerifiesTheServerAndShowsItsOwnCertificate) {
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
  EXPECT_EQ(1U, rig.counts("meter").failed);
}
INSTANTIATE_TEST_SUITE_P(Servers, WrongServer, ::testing::Values("impostor", "broker-expired"));

TEST(Engine, EachDirectionEndsByItself) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
  auto device = taken(rig, camera);
  ASSERT_TRUE(device);
  ASSERT_TRUE(client.write("last request"));
  ASSERT_EQ(Io::kOk, client.leg().close_write());
  EXPECT_EQ("last request", device->read(12));
  EXPECT_TRUE(device->sees_end());
  ASSERT_TRUE(device->write("a late answer"));
  EXPECT_EQ("a late answer", client.read(13));
  ASSERT_EQ(Io::kOk, device->leg().close_write());
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(rig.until([&] { return rig.engine->conversations() == 0; }));
  EXPECT_TRUE(rig.journal.events.empty());
}

TEST(Engine, DeviceMayEndFirst) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
  auto device = taken(rig, camera);
  ASSERT_TRUE(device);
  ASSERT_TRUE(device->write("bye"));
  ASSERT_EQ(Io::kOk, device->leg().close_write());
  EXPECT_EQ("bye", client.read(3));
  EXPECT_TRUE(client.sees_end());
  ASSERT_TRUE(client.write("thanks"));
  EXPECT_EQ("thanks", device->read(6));
  ASSERT_EQ(Io::kOk, client.leg().close_write());
  EXPECT_TRUE(rig.until([&] { return rig.engine->conversations() == 0; }));
}

TEST(Engine, SlowReaderStopsTheWriterAndMemoryStaysBounded) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
  auto device = taken(rig, camera);
  ASSERT_TRUE(device);
  const std::string chunk(16384, 'x');
  std::size_t sent = 0;
  int stalled = 0;
  ASSERT_TRUE(rig.until(
      [&] {
        const IoResult put = device->leg().write(bytes(chunk));
        if (put.io == Io::kOk) sent += put.size;
        stalled = put.io == Io::kOk ? 0 : stalled + 1;
        EXPECT_LE(rig.engine->buffered(), 2 * kPipeSize);
        return stalled > 50 || sent > (std::size_t{256} << 20);
      },
      20s));
  EXPECT_LT(sent, std::size_t{64} << 20) << "the writer was never stopped";
  const std::string seen = client.read(sent);
  EXPECT_EQ(sent, seen.size());
  EXPECT_EQ(std::string::npos, seen.find_first_not_of('x'));
}

TEST(Engine, SilentClientIsCutInTime) {
  Rig rig({.handshake = 150ms, .connect = 100ms, .half_closed = 1s});
  rig.apply(plant());
  Peer silent = dial(rig, "poll");
  EXPECT_TRUE(silent.sees_cut());
  EXPECT_EQ(1U, rig.counts("poll").timed_out);
  EXPECT_EQ(0U, rig.counts("poll").in_flight);
}

TEST(Engine, ServerThatNeverShakesHandsIsCutInTime) {
  Rig rig({.handshake = 150ms, .connect = 100ms, .half_closed = 1s});
  rig.apply(plant());
  const os::UniqueFd broker = listen_on("203.0.113.9", 8883);
  Peer meter = dial(rig, "meter");
  auto server = taken(rig, broker);
  EXPECT_TRUE(meter.sees_cut());
  EXPECT_EQ(1U, rig.counts("meter").timed_out);
}

TEST(Engine, UnreachableServerEndsTheClient) {
  Rig rig;
  rig.apply(plant());
  Peer meter = dial(rig, "meter");
  EXPECT_TRUE(rig.until([&] { return rig.counts("meter").failed == 1; }));
  EXPECT_TRUE(rig.failed_with("server-unreachable"));
  EXPECT_EQ("", meter.read(1));
}

TEST(Engine, InFlightNeverExceedsTheBoundAndTheNextIsServedWhenOneEnds) {
  Rig rig({.handshake = 200ms, .connect = 100ms, .half_closed = 1s});
  model::Gateway gateway = plant();
  conduit(gateway, "web").admission.inflight = 2;
  rig.apply(gateway);
  std::vector<Peer> silent;
  for (int i = 0; i < 6; ++i) silent.push_back(dial(rig, "web"));
  std::uint32_t most = 0;
  ASSERT_TRUE(rig.until([&] {
    most = std::max(most, rig.counts("web").in_flight);
    return rig.counts("web").timed_out == 6;
  }));
  EXPECT_EQ(2U, most);
  EXPECT_EQ(0U, rig.counts("web").in_flight);
}

TEST(Engine, RemovedConduitCutsItsSessionsAndNoOther) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  Peer web = dial(rig, "web");
  ASSERT_TRUE(web.secure(client_context("gw.example", "plant-ca.ca")));
  auto web_device = taken(rig, camera);
  Peer plain = dial(rig, "inspected");
  auto plain_device = taken(rig, press);
  ASSERT_TRUE(web_device && plain_device);
  const ListenAddress old = rig.listener("web");

  model::Gateway next = plant();
  remove(next, "web");
  ASSERT_TRUE(rig.prepare(next));
  ASSERT_TRUE(web.write("still here"));
  EXPECT_EQ("still here", web_device->read(10));  // nothing is lost before the commit
  ASSERT_TRUE(rig.commit());
  EXPECT_TRUE(web.sees_cut());
  EXPECT_TRUE(web_device->sees_cut());
  EXPECT_TRUE(rig.journal.has("session-cut", "web"));
  Peer late(rig, connect_to(old.address, old.port));
  EXPECT_TRUE(late.sees_cut());
  using namespace std::string_view_literals;
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  ASSERT_TRUE(plain.write(read));
  EXPECT_EQ(read, plain_device->read(read.size()));
}

TEST(Engine, RevisionWithAMissingCredentialIsRefusedAndTheOldOneStays) {
  Rig rig;
  rig.apply(plant());
  model::Gateway broken = plant();
  conduit(broken, "web").terminate->certificate = "absent";
  const auto refused = rig.prepare(broken);
  ASSERT_FALSE(refused);
  EXPECT_EQ("credential-missing", refused.error().code);
  EXPECT_NE(std::string::npos, refused.error().context.find("web"));
  EXPECT_EQ(1U, rig.engine->revision());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  EXPECT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
}

struct BrokenCase {
  const char* certificate;
  const char* code;
};
class BrokenCredential : public ::testing::TestWithParam<BrokenCase> {};
TEST_P(BrokenCredential, ClosesOnlyItsOwnConduitAfterAStart) {
  Rig rig;
  model::Gateway gateway = plant();
  conduit(gateway, "poll").terminate->certificate = GetParam().certificate;
  if (std::string_view(GetParam().certificate) == "open-key") {
    namespace fs = std::filesystem;
    fs::copy(rig.keys + "/gw.crt", rig.keys + "/open-key.crt");
    fs::copy(rig.keys + "/gw.key", rig.keys + "/open-key.key");
    fs::permissions(rig.keys + "/open-key.key", fs::perms(0644));
  }
  rig.apply(gateway);
  EXPECT_TRUE(rig.journal.has("conduit-closed", GetParam().code)) << rig.engine->status_json();
  Peer refused = dial(rig, "poll");
  EXPECT_TRUE(refused.sees_cut());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer client = dial(rig, "web");
  EXPECT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
}
INSTANTIATE_TEST_SUITE_P(Credentials, BrokenCredential,
                         ::testing::Values(BrokenCase{"absent", "credential-missing"},
                                           BrokenCase{"weak", "credential-weak-key"},
                                           BrokenCase{"open-key", "credential-unsafe"},
                                           BrokenCase{"broker-expired", "credential-expired"}));

TEST(Engine, ReloadServesTheNewCertificateAndKeepsSessions) {
  Rig rig;
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  Peer before = dial(rig, "web");
  ASSERT_TRUE(before.secure(client_context("gw.example", "plant-ca.ca")));
  auto device = taken(rig, camera);
  ASSERT_TRUE(device);
  namespace fs = std::filesystem;
  for (const char* suffix : {".crt", ".key"})
    fs::copy_file(rig.keys + "/broker" + suffix, rig.keys + "/gw" + suffix,
                  fs::copy_options::overwrite_existing);
  EXPECT_NE(std::string::npos, rig.engine->reload().find("\"web\""));
  Peer after = dial(rig, "web");
  EXPECT_TRUE(after.secure(client_context("broker.example", "cloud-ca.ca")));
  ASSERT_TRUE(before.write("kept"));
  EXPECT_EQ("kept", device->read(4));
}

TEST(Engine, AbortedRevisionLeavesNoListener) {
  Rig rig;
  model::Gateway first = plant();
  remove(first, "web");
  rig.apply(first);
  ASSERT_TRUE(rig.prepare(plant()));
  Peer early = dial(rig, "web");
  ASSERT_TRUE(early.secure(client_context("gw.example", "plant-ca.ca")));
  ASSERT_TRUE(rig.abort());
  EXPECT_TRUE(early.sees_cut());
  Peer late = dial(rig, "web");
  EXPECT_TRUE(late.sees_cut());
  EXPECT_EQ(1U, rig.engine->revision());
}

TEST(Engine, RevisionIsRefusedWithoutSetup) {
  Rig rig;
  model::Gateway first = plant();
  remove(first, "web");
  rig.apply(first);
  rig.sockets.broken_segment = "uplink";
  const auto refused = rig.prepare(plant());
  ASSERT_FALSE(refused);
  EXPECT_EQ("setup-gone", refused.error().code);
}

TEST(Engine, GrantsAreReturnedOnceWithTheirGeneration) {
  Rig rig;
  rig.apply(plant());
  auto memory = os::make_shared("ring", sizeof(wire::HandoverMemory));
  ASSERT_TRUE(memory);
  auto ours = os::map_shared(memory->get(), sizeof(wire::HandoverMemory));
  auto theirs = os::map_shared(memory->get(), sizeof(wire::HandoverMemory));
  auto& rings = *static_cast<wire::HandoverMemory*>(ours->data());
  wire::HandoverProducer grants(rings.to_terminator);
  wire::HandoverConsumer returns(rings.to_dataplane);
  rig.engine->attach_ring(*std::move(theirs), 1);
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  const ListenAddress where = rig.listener("web");
  // The client's port is fixed first, so that the grant can name the connection.
  os::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const SocketAddress from = socket_address(st::ip("192.0.2.77"), 45678);
  ASSERT_EQ(0, ::bind(socket.get(), from.raw(), from.size));
  wire::HandoverRecord grant;
  grant.kind = wire::HandoverKind::kCreditGranted;
  grant.conduit = 5;
  grant.generation = 77;
  grant.id = wire::connection_id(st::ip("192.0.2.77"), 45678, where.port);
  ASSERT_TRUE(grants.push(grant));
  const SocketAddress to = socket_address(where.address, where.port);
  ::connect(socket.get(), to.raw(), to.size);
  Peer client(rig, std::move(socket));
  ASSERT_TRUE(client.secure(client_context("gw.example", "plant-ca.ca")));
  wire::HandoverRecord back;
  ASSERT_TRUE(rig.until([&] { return returns.pop(back); }));
  EXPECT_EQ(wire::HandoverKind::kCreditReturned, back.kind);
  EXPECT_EQ(static_cast<std::uint8_t>(wire::HandoverOutcome::kEstablished), back.detail);
  EXPECT_EQ(77U, back.generation);
  EXPECT_EQ(grant.id, back.id);
  EXPECT_EQ(5U, back.conduit);
  EXPECT_FALSE(returns.pop(back));
}

}  // namespace
}  // namespace sallyport::terminator::testing
