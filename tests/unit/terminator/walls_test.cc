// Each case builds the terminator's walls in a child and tries there what an intruder would.
#include "tls-termination/app/walls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/intruder.h"
#include "tests/support/netns.h"

namespace sallyport::terminator {
namespace {

using sallyport::testing::Attempt;
using sallyport::testing::expect_attempts;
using sallyport::testing::kKilledByFilter;

class TerminatorWalls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!sallyport::testing::is_root()) GTEST_SKIP() << "needs root";
    folder_ =
        std::filesystem::temp_directory_path() / ("sallyport-walls-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ + "/keys");
    std::filesystem::create_directories(folder_ + "/run");
    std::ofstream(folder_ + "/keys/a.key") << "secret";
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    EXPECT_EQ(0, ::chown((folder_ + "/keys").c_str(), 64002, 64002));
    EXPECT_EQ(0, ::chown((folder_ + "/keys/a.key").c_str(), 64002, 64002));
    options_ = {"64002", folder_ + "/keys", folder_ + "/run"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<void> build() const {
    SALLYPORT_TRY_VOID(leave_the_world(options_));
    return build_walls(options_);
  }
  std::string folder_;
  WallOptions options_;
};

TEST_F(TerminatorWalls, LetItReadItsKeysAndAskForSockets) {
  const std::string key = folder_ + "/keys/a.key";
  expect_attempts([this] { return build(); },
                  {
                      {"read a key", 0, [&] { return ::open(key.c_str(), O_RDONLY) < 0 ? -1 : 0; }},
                      {"a socket to setup", 0,
                       [] { return ::socket(AF_UNIX, SOCK_SEQPACKET, 0) < 0 ? -1 : 0; }},
                      {"random numbers for c-ares", 0,
                       [] { return ::open("/dev/urandom", O_RDONLY) < 0 ? -1 : 0; }},
                  });
}

TEST_F(TerminatorWalls, RefuseWhatItNeverDoes) {
  const std::string fresh = folder_ + "/keys/new.key";
  expect_attempts(
      [this] { return build(); },
      {
          {"an IPv4 socket", EPERM, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
          {"an IPv6 socket", EPERM, [] { return ::socket(AF_INET6, SOCK_DGRAM, 0); }},
          {"a packet socket", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
          {"a netlink socket", EPERM, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
          {"a file elsewhere", EACCES, [] { return ::open("/etc/hosts", O_RDONLY); }},
          {"resolv.conf", EACCES, [] { return ::open("/etc/resolv.conf", O_RDONLY); }},
          {"writing a key", EACCES,
           [&] { return ::open(fresh.c_str(), O_WRONLY | O_CREAT, 0600); }},
          {"another process's memory", kKilledByFilter,
           [] { return static_cast<int>(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }},
          {"another namespace", kKilledByFilter, [] { return ::unshare(CLONE_NEWUSER); }},
          {"a new program", kKilledByFilter, [] { return ::execl("/bin/true", "true", nullptr); }},
      });
}

}  // namespace
}  // namespace sallyport::terminator
