// Client certificates that are wrong in what they are rather than in who signed them: chains too
// long or without an end, signers that may not sign, keys and sizes that nobody vetted.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"
#include "tests/unit/terminator/openssl_peer.h"
#include "tests/unit/terminator/plant.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

// Writes NAME.crt and NAME.key into the test PKI; ISSUER is another of them, or NAME itself.
class Forge {
 public:
  struct Form {
    std::string extensions;
    std::string key = "EC -pkeyopt ec_paramgen_curve:P-256";
    std::string digest = "sha256";
  };
  static void make(const std::string& name, const std::string& issuer, const Form& form) {
    const std::string at = pki_folder() + "/" + name;
    std::vector<std::string> words = {"openssl", "genpkey", "-out", at + ".key", "-algorithm"};
    for (std::size_t from = 0; from < form.key.size();) {
      const std::size_t to = std::min(form.key.find(' ', from), form.key.size());
      words.push_back(form.key.substr(from, to - from));
      from = to + 1;
    }
    st::must_run(words);
    std::ofstream(at + ".cnf") << "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=" << name
                               << "\n[x]\n"
                               << form.extensions;
    st::must_run({"openssl", "req", "-new", "-key", at + ".key", "-subj", "/CN=" + name, "-config",
                  at + ".cnf", "-out", at + ".csr"});
    std::vector<std::string> sign = {
        "openssl",  "x509",      "-req",        "-in", at + ".csr", "-days",     "30",
        "-extfile", at + ".cnf", "-extensions", "x",   "-out",      at + ".crt", "-" + form.digest};
    const std::string by = pki_folder() + "/" + issuer;
    if (issuer == name) {
      sign.insert(sign.end(), {"-signkey", at + ".key"});
    } else {
      sign.insert(sign.end(), {"-CA", by + ".crt", "-CAkey", by + ".key", "-CAcreateserial"});
    }
    st::must_run(sign);
  }
  // NAME.chain: these certificates, one after another.
  static void chain(const std::string& name, const std::vector<std::string>& links) {
    std::ofstream out(pki_folder() + "/" + name + ".chain", std::ios::binary);
    for (const std::string& link : links)
      out << std::ifstream(pki_folder() + "/" + link + ".crt", std::ios::binary).rdbuf();
  }
};

const std::string kAuthority =
    "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n";
const std::string kClient =
    "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=clientAuth\n";

// deep-ca signs link1, which signs link2 ...; each has a client.
constexpr unsigned kLinks = 6;

void forge_once() {
  static const bool done = [] {
    Forge::make("deep-ca", "deep-ca", {.extensions = kAuthority});
    std::ofstream(pki_folder() + "/deep-ca.ca", std::ios::binary)
        << std::ifstream(pki_folder() + "/deep-ca.crt", std::ios::binary).rdbuf();
    std::string issuer = "deep-ca";
    std::vector<std::string> links;
    for (unsigned i = 0; i <= kLinks; ++i) {
      const std::string client = "deep-client" + std::to_string(i);
      Forge::make(client, issuer, {.extensions = kClient});
      std::vector<std::string> chain = {client};
      chain.insert(chain.end(), links.rbegin(), links.rend());
      Forge::chain(client, chain);
      const std::string link = "link" + std::to_string(i + 1);
      Forge::make(link, issuer, {.extensions = kAuthority});
      links.push_back(link);
      issuer = link;
    }
    // A client of deep-ca that signs another.
    Forge::make("signing-client", "deep-client0", {.extensions = kClient});
    Forge::chain("signing-client", {"signing-client", "deep-client0"});
    // An authority that may sign clients, not authorities.
    Forge::make("short", "deep-ca",
                {.extensions = "basicConstraints=critical,CA:true,pathlen:0\n"
                               "keyUsage=critical,keyCertSign\n"});
    Forge::make("too-far", "short", {.extensions = kAuthority});
    Forge::make("past-short", "too-far", {.extensions = kClient});
    Forge::chain("past-short", {"past-short", "too-far", "short"});
    // The right chain with hundreds of links behind it.
    std::vector<std::string> endless = {"deep-client1", "link1"};
    endless.insert(endless.end(), 400, "link2");
    Forge::chain("endless", endless);
    std::filesystem::copy_file(pki_folder() + "/deep-client1.key", pki_folder() + "/endless.key");
    std::string names = "subjectAltName=DNS:first.example";
    for (int i = 0; i < 5000; ++i)
      names.append(",DNS:a-rather-long-name-").append(std::to_string(i)).append(".example");
    Forge::make("oversized", "deep-ca", {.extensions = kClient + names + "\n"});
    Forge::chain("oversized", {"oversized"});
    Forge::make("rsa1024", "deep-ca",
                {.extensions = kClient, .key = "RSA -pkeyopt rsa_keygen_bits:1024"});
    Forge::chain("rsa1024", {"rsa1024"});
    Forge::make("rsa2048", "deep-ca",
                {.extensions = kClient, .key = "RSA -pkeyopt rsa_keygen_bits:2048"});
    Forge::chain("rsa2048", {"rsa2048"});
    Forge::make("ed25519", "deep-ca", {.extensions = kClient, .key = "ED25519"});
    Forge::chain("ed25519", {"ed25519"});
    Forge::make("sha1", "deep-ca", {.extensions = kClient, .digest = "sha1"});
    Forge::chain("sha1", {"sha1"});
    Forge::make("p521", "deep-ca",
                {.extensions = kClient, .key = "EC -pkeyopt ec_paramgen_curve:P-521"});
    Forge::chain("p521", {"p521"});
    Forge::make("critical", "deep-ca",
                {.extensions = kClient + "1.2.3.4.5.6.7=critical,DER:05:00\n"});
    Forge::chain("critical", {"critical"});
    return true;
  }();
  ASSERT_TRUE(done);
}

struct ShownCase {
  std::string shown;
  bool works = false;
};
std::ostream& operator<<(std::ostream& out, const ShownCase& c) { return out << c.shown; }
class Shown : public ::testing::TestWithParam<ShownCase> {};

TEST_P(Shown, IsTakenOnlyIfAllOfItIsVetted) {
  forge_once();
  for (const bool tls12 : {false, true}) {
    Rig rig({.timeouts = {.handshake = 5s}, .engines = 1});
    model::Gateway gateway = plant();
    conduit(gateway, "poll").terminate->client_ca = "deep-ca";
    rig.apply(gateway);
    const os::UniqueFd press = listen_on("10.20.0.5", 502);
    const ListenAddress where = rig.listener("poll");
    OpensslPeer client(connect_to(where.address, where.port), {.tls12 = tls12,
                                                               .name = "gw.example",
                                                               .trusts = "plant-ca.ca",
                                                               .chain = GetParam().shown + ".chain",
                                                               .key = GetParam().shown + ".key"});
    ASSERT_TRUE(rig.until([&] {
      static_cast<void>(client.handshake());
      const AdmissionCounts c = rig.counts("poll");
      return c.established + c.failed + c.timed_out > 0;
    }));
    EXPECT_EQ(GetParam().works ? 1U : 0U, rig.counts("poll").established)
        << (tls12 ? "TLS 1.2 " : "TLS 1.3 ") << rig.sessions()["failures"];
    EXPECT_EQ(0U, rig.counts("poll").timed_out);
    if (!GetParam().works) {
      EXPECT_FALSE(accept_on(press));
    }
  }
}

std::vector<ShownCase> shown_cases() {
  std::vector<ShownCase> out;
  for (unsigned i = 0; i <= kLinks; ++i)
    out.push_back({"deep-client" + std::to_string(i), i < kMaxChainDepth});
  for (const char* wrong : {"signing-client", "past-short", "endless", "oversized", "rsa1024",
                            "ed25519", "sha1", "p521", "critical"})
    out.push_back({wrong});
  out.push_back({"rsa2048", true});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Certificates, Shown, ::testing::ValuesIn(shown_cases()),
                         [](const auto& param) {
                           std::string name = param.param.shown;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace sallyport::terminator::testing
