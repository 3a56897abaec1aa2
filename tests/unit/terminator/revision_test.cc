// How revisions come and go under running sessions, and what a broken credential closes.
#include <gtest/gtest.h>

#include <filesystem>
#include "tests/unit/terminator/plant.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

TEST(Revision, RemovedConduitCutsItsSessionsAndNoOther) {
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
  EXPECT_TRUE(rig.until([&] { return rig.journal.has("session-cut", "web"); }));
  Peer late(rig, connect_to(old.address, old.port));
  EXPECT_TRUE(late.sees_cut());
  using namespace std::string_view_literals;
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  ASSERT_TRUE(plain.write(read));
  EXPECT_EQ(read, plain_device->read(read.size()));
}

TEST(Revision, RevisionWithAMissingCredentialIsRefusedAndTheOldOneStays) {
  Rig rig;
  rig.apply(plant());
  model::Gateway broken = plant();
  conduit(broken, "web").terminate->certificate = "absent";
  const auto refused = rig.prepare(broken);
  ASSERT_FALSE(refused);
  EXPECT_EQ("credential-missing", refused.error().code);
  EXPECT_NE(std::string::npos, refused.error().context.find("web"));
  EXPECT_EQ(1U, rig.terminator->revision());
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
  EXPECT_TRUE(rig.until([&] { return rig.journal.has("conduit-closed", GetParam().code); }))
      << rig.status();
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

TEST(Revision, ReloadServesTheNewCertificateAndKeepsSessions) {
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
  EXPECT_NE(std::string::npos, rig.terminator->reload().find("\"web\""));
  Peer after = dial(rig, "web");
  EXPECT_TRUE(after.secure(client_context("broker.example", "cloud-ca.ca")));
  ASSERT_TRUE(before.write("kept"));
  EXPECT_EQ("kept", device->read(4));
}

TEST(Revision, AbortedRevisionLeavesNoListener) {
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
  EXPECT_EQ(1U, rig.terminator->revision());
}

TEST(Revision, RevisionIsRefusedWithoutSetup) {
  Rig rig;
  model::Gateway first = plant();
  remove(first, "web");
  rig.apply(first);
  rig.sockets.broken_segment = "uplink";
  const auto refused = rig.prepare(plant());
  ASSERT_FALSE(refused);
  EXPECT_EQ("setup-gone", refused.error().code);
}

}  // namespace
}  // namespace sallyport::terminator::testing
