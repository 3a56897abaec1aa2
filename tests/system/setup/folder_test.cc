// /run/netns itself, which setup shares with ip-netns(8), on a machine that does not have it yet:
// in a mount namespace of the test's own with an empty /run.
#include <sys/mount.h>

#include "tests/system/setup/daemon.h"

namespace sallyport::testing {
namespace {

enum class Root { kPrivate, kShared };  // as containers have it; as systemd makes it

class FreshMachine : public ::testing::TestWithParam<Root> {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root";
    keeper_.emplace(std::vector<std::string>{"tail", "-f", "/dev/null"}, [] {
      bool made = ::unshare(CLONE_NEWNS) == 0 &&
                  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
      // What other tests have mounted at this moment came along and is not for this one to judge.
      while (made && ::umount2("/run/netns", MNT_DETACH) == 0) {
      }
      made = made && ::mount("none", "/run", "tmpfs", 0, nullptr) == 0 &&
             (GetParam() == Root::kPrivate ||
              ::mount("none", "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0);
      if (!made) ::_exit(1);
    });
    // Once `tail` runs, everything before it was done.
    ASSERT_TRUE(wait_until([&] { return ran({"test", "!", "-e", "/run/netns"}); }));
    start_setup();
  }
  void TearDown() override {
    setup_.reset();
    keeper_.reset();  // the mount namespace and everything in it ends with its last process
  }
  std::vector<std::string> inside(std::vector<std::string> words) const {
    words.insert(words.begin(),
                 {"nsenter", "--mount=/proc/" + std::to_string(keeper_->pid()) + "/ns/mnt"});
    return words;
  }
  bool ran(const std::vector<std::string>& words) const {
    const Ran done = run(inside(words));
    output_ = done.output;
    return done.status == 0;
  }
  std::vector<std::string> setup_words() const {
    return {SETUP_PROGRAM, "--prefix",         "fm-",
            "--run-dir",   "/run/sallyport",   "--control-uid",
            "64001",       "--terminator-uid", "64002"};
  }
  void start_setup() {
    setup_.emplace(inside(setup_words()));
    ASSERT_TRUE(wait_until([&] { return ran({"test", "-S", "/run/sallyport/setup/socket"}); }));
  }
  // What is mounted below /run/netns, each as often as it is.
  std::size_t mounts() const {
    EXPECT_TRUE(ran({"cat", "/proc/self/mountinfo"}));
    std::size_t count = 0;
    for (std::size_t at = 0; (at = output_.find(" /run/netns/", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
  std::optional<Process> keeper_;
  std::optional<Process> setup_;
  mutable std::string output_;
};
INSTANTIATE_TEST_SUITE_P(Machines, FreshMachine, ::testing::Values(Root::kPrivate, Root::kShared),
                         [](const auto& root) {
                           return root.param == Root::kPrivate ? "PrivateRoot" : "SharedRoot";
                         });

TEST_P(FreshMachine, WhatSetupMadeFirstCanBeRemovedAfterIpNetnsCame) {
  const std::size_t alone = mounts();
  ASSERT_TRUE(ran({"ip", "netns", "add", "later"})) << output_;
  ASSERT_TRUE(ran({"ip", "netns", "del", "later"})) << output_;
  EXPECT_EQ(mounts(), alone) << "bound over itself:\n" << output_;
  setup_.reset();
  auto words = setup_words();
  words.emplace_back("--cleanup");
  EXPECT_TRUE(ran(words)) << output_;
  EXPECT_EQ(mounts(), 0U) << output_;
  EXPECT_TRUE(ran({"ls", "/run/netns"}));
  EXPECT_EQ(output_, "");
}

TEST_P(FreshMachine, IpNetnsRemovesWhatSetupMade) {
  setup_.reset();
  EXPECT_TRUE(ran({"ip", "netns", "del", "fm-ports"})) << output_;
  EXPECT_EQ(mounts(), 0U) << output_;
}

}  // namespace
}  // namespace sallyport::testing
