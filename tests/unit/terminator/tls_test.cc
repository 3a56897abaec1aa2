// The TLS fence over socket pairs: who may speak with whom, and what a refused peer learns.
#include "tls-termination/wolfssl/tls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <ostream>

#include "policy/os/fd.h"
#include "tests/unit/terminator/pki.h"
#include "tls-termination/wolfssl/certificate.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {
namespace {

using testing::pki;

struct Pair {
  os::UniqueFd a;
  os::UniqueFd b;
};
Pair socket_pair() {
  std::array<int, 2> fds{};
  EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()));
  return {os::UniqueFd(fds[0]), os::UniqueFd(fds[1])};
}

struct ServerCase {
  std::string certificate = "gw";
  ClientCertificate client = ClientCertificate::kNone;
  bool crl = false;
};
Result<Context> server(const ServerCase& c) {
  ServerSetup setup{.chain = pki(c.certificate + ".crt"),
                    .key = pki(c.certificate + ".key"),
                    .client_certificate = c.client,
                    .client_ca = pki("plant-ca.ca"),
                    .client_crl = {}};
  if (c.crl) setup.client_crl.push_back(pki("plant-ca.crl"));
  return Context::server(setup);
}
Result<Context> client(const std::string& name, const std::string& ca,
                       const std::string& own = {}) {
  ClientSetup setup{
      .server_name = name, .server_ca = pki(ca), .server_crl = {}, .chain = {}, .key = {}};
  if (!own.empty()) {
    setup.chain = pki(own + ".crt");
    setup.key = pki(own + ".key");
  }
  return Context::client(setup);
}

// Steps both sides until each is done or broken. A side that waits for ever is a failure.
struct Outcome {
  Io server = Io::kWantRead;
  Io client = Io::kWantRead;
};
bool pending(Io io) { return io == Io::kWantRead || io == Io::kWantWrite; }
Outcome run(Session& server_side, Session& client_side, Pair& sockets) {
  Outcome out;
  for (int round = 0; round < 200 && (pending(out.server) || pending(out.client)); ++round) {
    if (pending(out.client)) out.client = client_side.handshake();
    if (out.client == Io::kFailed) ::shutdown(sockets.b.get(), SHUT_RDWR);
    if (pending(out.server)) out.server = server_side.handshake();
    if (out.server == Io::kFailed) ::shutdown(sockets.a.get(), SHUT_RDWR);
  }
  return out;
}

struct MatrixCase {
  std::string name;
  ServerCase server;
  std::string asks = "gw.example";
  std::string trusts = "plant-ca.ca";
  std::string shows;
  bool works = false;
  bool server_refuses = false;  // with TLS 1.3 the client may believe for a moment that it is in
};
std::ostream& operator<<(std::ostream& out, const MatrixCase& c) { return out << c.name; }
class Matrix : public ::testing::TestWithParam<MatrixCase> {};

TEST_P(Matrix, IsJudgedByBothSides) {
  const MatrixCase& c = GetParam();
  auto server_context = server(c.server);
  ASSERT_TRUE(server_context) << server_context.error().context;
  auto client_context = client(c.asks, c.trusts, c.shows);
  ASSERT_TRUE(client_context) << client_context.error().context;
  Pair sockets = socket_pair();
  auto s = Session::start(*server_context, sockets.a.get());
  auto k = Session::start(*client_context, sockets.b.get());
  ASSERT_TRUE(s && k);
  const Outcome out = run(*s, *k, sockets);
  EXPECT_EQ(c.works, out.server == Io::kOk)
      << s->failure().code << ": " << s->failure().context << " | " << k->failure().context;
  if (c.works) {
    EXPECT_EQ(Io::kOk, out.client);
    EXPECT_EQ("TLSv1.3", s->facts().version);
    EXPECT_EQ(c.shows.empty() || c.server.client == ClientCertificate::kNone,
              s->facts().peer.empty());
    return;
  }
  if (c.server_refuses) {
    EXPECT_EQ("tls-peer-certificate", s->failure().code) << s->failure().context;
    return;
  }
  EXPECT_EQ(Io::kFailed, out.client);
}

const auto kRequired = ClientCertificate::kRequired;
const auto kOptional = ClientCertificate::kOptional;
INSTANTIATE_TEST_SUITE_P(
    Handshakes, Matrix,
    ::testing::Values(MatrixCase{.name = "plain server", .server = {}, .shows = {}, .works = true},
                      MatrixCase{.name = "RSA 3072 server",
                                 .server = {.certificate = "gw-rsa"},
                                 .shows = {},
                                 .works = true},
                      MatrixCase{.name = "required and shown",
                                 .server = {.client = kRequired},
                                 .shows = "scada",
                                 .works = true},
                      MatrixCase{.name = "required and revoked",
                                 .server = {.client = kRequired, .crl = true},
                                 .shows = "scada-revoked",
                                 .server_refuses = true},
                      MatrixCase{.name = "required, list loaded, good",
                                 .server = {.client = kRequired, .crl = true},
                                 .shows = "scada",
                                 .works = true},
                      MatrixCase{.name = "required and absent",
                                 .server = {.client = kRequired},
                                 .shows = {},
                                 .server_refuses = true},
                      MatrixCase{.name = "required, wrong CA",
                                 .server = {.client = kRequired},
                                 .shows = "stranger",
                                 .server_refuses = true},
                      MatrixCase{.name = "required, expired",
                                 .server = {.client = kRequired},
                                 .shows = "scada-expired",
                                 .server_refuses = true},
                      MatrixCase{.name = "required, a server's certificate",
                                 .server = {.client = kRequired},
                                 .shows = "gw",
                                 .server_refuses = true},
                      MatrixCase{.name = "optional and absent",
                                 .server = {.client = kOptional},
                                 .shows = {},
                                 .works = true},
                      MatrixCase{.name = "optional and shown",
                                 .server = {.client = kOptional},
                                 .shows = "scada",
                                 .works = true},
                      MatrixCase{.name = "optional, wrong CA",
                                 .server = {.client = kOptional},
                                 .shows = "stranger",
                                 .server_refuses = true}),
    [](const auto& param) {
      std::string name = param.param.name;
      for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      return name;
    });

struct Connected {
  Pair sockets = socket_pair();
  std::optional<Session> server;
  std::optional<Session> client;
};
Connected connected() {
  Connected out;
  auto server_context = terminator::server({});
  auto client_context = terminator::client("gw.example", "plant-ca.ca");
  out.server.emplace(*Session::start(*server_context, out.sockets.a.get()));
  out.client.emplace(*Session::start(*client_context, out.sockets.b.get()));
  const Outcome seen = run(*out.server, *out.client, out.sockets);
  EXPECT_EQ(Io::kOk, seen.server);
  EXPECT_EQ(Io::kOk, seen.client);
  return out;
}

std::string read_text(Session& session) {
  std::array<std::uint8_t, 256> buffer{};
  const IoResult got = session.read(buffer);
  return got.io == Io::kOk
             ? std::string(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.size))
             : std::string();
}
ConstBytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(TlsSession, HalfCloseLeavesTheOtherDirectionOpen) {
  Connected c = connected();
  ASSERT_EQ(Io::kOk, c.client->write(bytes("last words")).io);
  ASSERT_EQ(Io::kOk, c.client->close_write());
  EXPECT_EQ("last words", read_text(*c.server));
  std::array<std::uint8_t, 16> buffer{};
  EXPECT_EQ(Io::kClosed, c.server->read(buffer).io);
  ASSERT_EQ(Io::kOk, c.server->write(bytes("still here")).io);
  EXPECT_EQ("still here", read_text(*c.client));
  ASSERT_EQ(Io::kOk, c.server->close_write());
  EXPECT_EQ(Io::kClosed, c.client->read(buffer).io);
}

TEST(TlsSession, EndWithoutCloseNotifyIsAFailure) {
  Connected c = connected();
  c.sockets.b.reset();
  std::array<std::uint8_t, 16> buffer{};
  EXPECT_EQ(Io::kFailed, c.server->read(buffer).io);
  EXPECT_EQ("tls-truncated", c.server->failure().code);
}

TEST(TlsSession, NegotiatesTheFirstGroupOfThePolicy) {
  Connected c = connected();
  for (const Group& group : kStrictGroups)
    if (available(group)) {
      EXPECT_TRUE(strict_group(group.id) != nullptr);
      break;
    }
  EXPECT_FALSE(c.server->facts().group.empty());
  EXPECT_EQ(c.server->facts().group, c.client->facts().group);
  EXPECT_EQ("TLS_AES_256_GCM_SHA384", c.server->facts().suite);
}

TEST(TlsContext, KeyOfAnotherCertificateIsRefused) {
  const auto mismatched = Context::server({.chain = pki("gw.crt"),
                                           .key = pki("broker.key"),
                                           .client_certificate = {},
                                           .client_ca = {},
                                           .client_crl = {}});
  ASSERT_FALSE(mismatched);
  EXPECT_EQ(ErrorKind::kInvalid, mismatched.error().kind);
}

TEST(TlsCertificate, ShowsKeyNameAndTime) {
  const auto gw = Certificate::from_pem(pki("gw.crt"));
  ASSERT_TRUE(gw);
  EXPECT_EQ("EC", gw->key_type());
  EXPECT_EQ(256U, gw->key_bits());
  EXPECT_TRUE(gw->is_for("gw.example"));
  EXPECT_TRUE(gw->is_for("127.0.0.1"));
  EXPECT_FALSE(gw->is_for("gw"));  // the common name
  EXPECT_FALSE(gw->is_ca());
  EXPECT_GT(gw->not_after(), gw->not_before());
  const auto rsa = Certificate::from_pem(pki("weak.crt"));
  ASSERT_TRUE(rsa);
  EXPECT_EQ("RSA", rsa->key_type());
  EXPECT_EQ(1024U, rsa->key_bits());
  EXPECT_TRUE(Certificate::from_pem(pki("plant-ca.ca"))->is_ca());
  EXPECT_FALSE(Certificate::from_pem(bytes("no certificate")));
}

}  // namespace
}  // namespace sallyport::terminator
