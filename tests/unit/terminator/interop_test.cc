// openssl's own programs against the engine: what `strict` offers works with a stranger's
// implementation, everything else is refused, one offer at a time.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/policy/sample_gateway.h"
#include "tests/support/process.h"
#include "tests/unit/terminator/rig.h"

namespace sallyport::terminator::testing {
namespace {

namespace st = sallyport::testing;
using Words = std::vector<std::string>;
using std::string_literals::operator""s;

model::Gateway plant(const std::string& certificate, bool client_certificate) {
  model::Gateway out = st::bare_gateway();
  auto& web = st::add_conduit(out, "web", st::segment("uplink", {"192.0.2.0/24"}),
                              st::device("camera"), st::tcp(80));
  web.terminate = st::inbound(443);
  web.terminate->certificate = certificate;
  if (!client_certificate) {
    web.terminate->client_auth = model::ClientAuth::kNone;
    web.terminate->client_ca.clear();
  }
  auto& meter = st::add_conduit(out, "meter", st::device("meter"), st::addresses({"203.0.113.9"}),
                                st::tcp(1883));
  meter.terminate = st::outbound("broker.example", 8883);
  meter.terminate->server_address = st::ip("203.0.113.9");
  return out;
}

// A program whose output goes to a file and whose input is empty but open.
class Program {
 public:
  // `ems`: whether openssl's own configuration lets it use extended_master_secret.
  Program(const std::string& log, Words words, bool ems = true) : log_(log) {
    if (!ems) {
      std::ofstream(log + ".cnf") << "openssl_conf = o\n[o]\nssl_conf = s\n[s]\n"
                                     "system_default = d\n[d]\nOptions = -ExtendedMasterSecret\n";
      words.insert(words.begin(), {"/usr/bin/env", "OPENSSL_CONF=" + log + ".cnf"});
    }
    words.insert(words.begin(), {"/usr/bin/env", "sh", "-c",
                                 "log=$1; shift; exec \"$@\" >\"$log\" 2>&1", "sh", log_});
    process_.emplace(words);
  }
  bool ended() { return process_->wait(std::chrono::milliseconds(0)).has_value(); }
  std::string output() const {
    std::ifstream in(log_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string log_;
  std::optional<st::Process> process_;
};

// TLS records of a stream, one by one, in the clear: RFC 5246 §6.2.1.
class Records {
 public:
  explicit Records(os::UniqueFd& socket) : socket_(socket.get()) {}
  explicit Records(os::UniqueFd&& socket) : own_(std::move(socket)), socket_(own_.get()) {}
  // The next one with its header, if it is there as a whole.
  std::optional<std::string> next() {
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = ::recv(socket_, part.data(), part.size(), MSG_DONTWAIT)) > 0;)
      stream_.append(part.data(), static_cast<std::size_t>(got));
    if (stream_.size() < 5) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(stream_[i]); };
    const std::size_t size = 5 + byte(3) * std::size_t{256} + byte(4);
    if (stream_.size() < size) return std::nullopt;
    std::string out = stream_.substr(0, size);
    stream_.erase(0, size);
    ++count_;
    return out;
  }
  // False once the other side is gone.
  bool send(std::string_view bytes) const {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  std::size_t count() const { return count_; }

 private:
  os::UniqueFd own_;
  int socket_;
  std::string stream_;
  std::size_t count_ = 0;
};

struct OfferCase {
  std::string name;
  Words offer = {};
  bool works = false;
  std::string certificate = "gw";
  bool ems = true;
};
std::ostream& operator<<(std::ostream& out, const OfferCase& c) { return out << c.name; }
class Offer : public ::testing::TestWithParam<OfferCase> {};

TEST_P(Offer, OfAClientIsAcceptedOnlyIfItIsVetted) {
  Rig rig;
  rig.apply(plant(GetParam().certificate, false));
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  const ListenAddress where = rig.listener("web");
  Words words = {"openssl", "s_client", "-connect",
                 where.address.to_string() + ":" + std::to_string(where.port), "-CAfile",
                 rig.keys + "/plant-ca.ca", "-verify_return_error",
                 // So that what is refused is refused by us and not by our own client.
                 "-cipher", "ALL:@SECLEVEL=0", "-quiet"};
  words.insert(words.end(), GetParam().offer.begin(), GetParam().offer.end());
  Program client(rig.keys + "/client.log", words, GetParam().ems);
  std::optional<os::UniqueFd> device;
  ASSERT_TRUE(rig.until([&] {
    if (!device) device = accept_on(camera);
    const AdmissionCounts c = rig.counts("web");
    return c.established + c.failed + c.timed_out > 0;
  })) << client.output();
  EXPECT_EQ(GetParam().works ? 1U : 0U, rig.counts("web").established)
      << client.output() << rig.sessions();
  if (GetParam().works) return;
  EXPECT_FALSE(accept_on(camera));
}

OfferCase tls12(const std::string& suite, bool works, const std::string& certificate = "gw") {
  return {"tls12_" + suite, {"-tls1_2", "-cipher", suite + ":@SECLEVEL=0"}, works, certificate};
}
INSTANTIATE_TEST_SUITE_P(
    Openssl, Offer,
    ::testing::Values(
        OfferCase{"tls13_aes128", {"-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"}, true},
        OfferCase{"tls13_aes256", {"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, true},
        OfferCase{"tls13_chacha", {"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}},
        OfferCase{"tls13_ccm", {"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}},
        OfferCase{"tls13_ccm8", {"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"}},
        OfferCase{"group_p256", {"-groups", "P-256"}, true},
        OfferCase{"group_p384", {"-groups", "P-384"}, true},
        OfferCase{"group_x25519", {"-groups", "X25519"}},
        OfferCase{"group_p521", {"-groups", "P-521"}},
        OfferCase{"group_ffdhe2048", {"-groups", "ffdhe2048"}}, OfferCase{"version_10", {"-tls1"}},
        OfferCase{"version_11", {"-tls1_1"}},
        OfferCase{"name_of_the_certificate", {"-servername", "gw.example"}, true},
        OfferCase{"another_name", {"-servername", "other.example"}},
        OfferCase{"no_name", {"-noservername"}, true}, tls12("ECDHE-ECDSA-AES128-GCM-SHA256", true),
        tls12("ECDHE-ECDSA-AES256-GCM-SHA384", true),
        tls12("ECDHE-RSA-AES128-GCM-SHA256", true, "gw-rsa"),
        tls12("ECDHE-RSA-AES256-GCM-SHA384", true, "gw-rsa"),
        tls12("ECDHE-ECDSA-CHACHA20-POLY1305", false), tls12("ECDHE-ECDSA-AES128-CCM", false),
        tls12("ECDHE-ECDSA-AES128-CCM8", false), tls12("ECDHE-ECDSA-AES128-SHA256", false),
        tls12("ECDHE-ECDSA-AES128-SHA", false), tls12("ECDHE-RSA-AES128-SHA256", false, "gw-rsa"),
        tls12("DHE-RSA-AES128-GCM-SHA256", false, "gw-rsa"),
        tls12("AES128-GCM-SHA256", false, "gw-rsa"), tls12("AES256-SHA", false, "gw-rsa"),
        tls12("ECDHE-ECDSA-NULL-SHA", false), tls12("AECDH-AES128-SHA", false),
        OfferCase{"tls12_pkcs1_signature", {"-tls1_2", "-sigalgs", "RSA+SHA256"}, false, "gw-rsa"},
        OfferCase{
            "tls12_pss_signature", {"-tls1_2", "-sigalgs", "rsa_pss_rsae_sha256"}, true, "gw-rsa"},
        OfferCase{"tls12_without_extended_master_secret", {"-tls1_2"}, false, "gw", false}),
    [](const auto& param) {
      std::string name = param.param.name;
      for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      return name;
    });

struct ServerCase {
  std::string name;
  std::string certificate;
  Words more = {};
  bool works = false;
  bool ems = true;
};
std::ostream& operator<<(std::ostream& out, const ServerCase& c) { return out << c.name; }
class Server : public ::testing::TestWithParam<ServerCase> {};

TEST_P(Server, OfACloudIsAcceptedOnlyIfItProvesItsName) {
  Rig rig;
  rig.apply(plant("gw", false));
  const std::string at = rig.keys + "/" + GetParam().certificate;
  Words words = {"openssl", "s_server",  "-accept", "203.0.113.9:8883",        "-cert", at + ".crt",
                 "-key",    at + ".key", "-CAfile", rig.keys + "/cloud-ca.ca", "-rev"};
  words.insert(words.end(), GetParam().more.begin(), GetParam().more.end());
  Program server(rig.keys + "/server.log", words, GetParam().ems);
  ASSERT_TRUE(rig.until([&] { return server.output().find("ACCEPT") != std::string::npos; }))
      << server.output();
  const ListenAddress where = rig.listener("meter");
  Peer meter(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(meter.write("secret reading\n"));
  if (GetParam().works) {
    EXPECT_EQ("gnidaer terces\n", meter.read(15)) << server.output();
    return;
  }
  EXPECT_EQ("", meter.read(1));
  EXPECT_TRUE(rig.failed("meter", 1)) << rig.sessions();
  EXPECT_EQ(std::string::npos, server.output().find("reading"));
}
INSTANTIATE_TEST_SUITE_P(
    Openssl, Server,
    ::testing::Values(
        ServerCase{"broker", "broker", {}, true},
        ServerCase{"broker_tls12", "broker", {"-tls1_2"}, true},
        ServerCase{"broker_wants_our_certificate",
                   "broker",
                   {"-Verify", "1", "-verify_return_error"},
                   true},
        ServerCase{"another_name", "misnamed", {}},
        ServerCase{"its_name_in_the_common_name_only", "broker.example", {}},
        ServerCase{"another_ca", "impostor", {}}, ServerCase{"expired", "broker-expired", {}},
        ServerCase{"a_clients_certificate", "gw-client", {}},
        ServerCase{
            "only_chacha", "broker", {"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}},
        ServerCase{"only_cbc", "broker", {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"}},
        ServerCase{"only_tls11", "broker", {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}},
        ServerCase{"without_extended_master_secret", "broker", {"-tls1_2"}, false, false}),
    [](const auto& param) { return param.param.name; });

// CVE-2026-93304: somebody on the way makes the server change keys before the client has sent its
// own. A client that goes on would take what follows for protected.
TEST(Change, OfKeysBeforeTheClientHasSentItsOwnEndsTheHandshake) {
  for (const bool early : {false, true}) {
    Rig rig({.engines = 1});
    rig.apply(plant("gw", false));
    const std::string at = rig.keys + "/broker";
    Program server(rig.keys + "/server.log",
                   {"openssl", "s_server", "-accept", "203.0.113.9:9443", "-cert", at + ".crt",
                    "-key", at + ".key", "-tls1_2", "-rev"});
    ASSERT_TRUE(rig.until([&] { return server.output().find("ACCEPT") != std::string::npos; }));
    const os::UniqueFd way = listen_on("203.0.113.9", 8883);
    const ListenAddress where = rig.listener("meter");
    Peer meter(rig, connect_to(where.address, where.port));
    ASSERT_TRUE(meter.write("secret reading\n"));
    std::optional<os::UniqueFd> dialled;
    ASSERT_TRUE(rig.until([&] { return (dialled = accept_on(way)).has_value(); }));
    Records client(*dialled);
    Records broker(connect_to(st::ip("203.0.113.9"), 9443));
    std::vector<std::uint8_t> answers;  // types of the client's records after its hello
    ASSERT_TRUE(rig.until([&] {
      while (const auto record = client.next()) {
        if (client.count() > 1) answers.push_back(static_cast<std::uint8_t>(record->front()));
        broker.send(*record);
      }
      while (const auto record = broker.next()) {
        constexpr char kServerHelloDone = 14;
        if (early && record->size() == 9 && record->at(5) == kServerHelloDone)
          client.send("\x14\x03\x03\x00\x01\x01"s);
        client.send(*record);
      }
      return rig.counts("meter").established + rig.counts("meter").failed > 0;
    }));
    EXPECT_EQ(early ? 0U : 1U, rig.counts("meter").established) << rig.sessions();
    constexpr std::uint8_t kHandshake = 22;
    EXPECT_EQ(early ? 0 : 2, std::ranges::count(answers, kHandshake))
        << "its key exchange and its finished, or neither";
  }
}

class Uniform : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, Uniform, ::testing::Values("-tls1_2", "-tls1_3"),
                         [](const auto& param) { return std::string(param.param).substr(1); });

TEST_P(Uniform, FailuresOfAClientCertificateLookAlike) {
  // What the client's program sees after the server's own flight, whatever was wrong with what it
  // showed.
  std::vector<std::string> seen;
  for (const char* shown : {"", "stranger", "scada-expired", "scada-revoked", "broker"}) {
    Rig rig;
    rig.apply(plant("gw", true));
    const ListenAddress where = rig.listener("web");
    Words words = {"openssl",  "s_client",
                   "-connect", where.address.to_string() + ":" + std::to_string(where.port),
                   "-quiet",   GetParam(),
                   "-CAfile",  rig.keys + "/plant-ca.ca"};
    if (*shown != '\0')
      words.insert(words.end(), {"-cert", rig.keys + "/" + shown + ".crt", "-key",
                                 rig.keys + "/" + shown + ".key"});
    Program client(rig.keys + "/client.log", words);
    ASSERT_TRUE(rig.until([&] { return rig.counts("web").failed == 1 && client.ended(); }));
    std::string output = client.output();
    const std::size_t alert = output.find("alert");
    seen.push_back(alert == std::string::npos ? "no alert" : output.substr(alert, 30));
  }
  for (const std::string& one : seen) EXPECT_EQ(seen.front(), one);
  // In TLS 1.3 the client's own handshake is over by then, and an alert would be sealed: none
  // comes.
  const bool tls13 = std::string_view(GetParam()) == "-tls1_3";
  EXPECT_EQ(tls13 ? "no alert" : "alert handshake failure", seen.front().substr(0, 23));
}

TEST_P(Uniform, TheRightClientCertificateWorks) {
  Rig rig;
  rig.apply(plant("gw", true));
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  const ListenAddress where = rig.listener("web");
  Program client(rig.keys + "/client.log",
                 {"openssl", "s_client", "-connect",
                  where.address.to_string() + ":" + std::to_string(where.port), "-quiet",
                  GetParam(), "-cert", rig.keys + "/scada.crt", "-key", rig.keys + "/scada.key"});
  EXPECT_TRUE(rig.until([&] { return accept_on(camera).has_value(); }))
      << client.output() << rig.sessions();
}

}  // namespace
}  // namespace sallyport::terminator::testing
