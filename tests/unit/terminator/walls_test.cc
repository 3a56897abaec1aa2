// Each case builds the terminator's walls in a child and tries there what an intruder would, on the
// front's thread and on those of engines.
#include "tls-termination/app/walls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <latch>
#include <utility>

#include "policy/base/check.h"
#include "policy/os/clock.h"
#include "tests/support/intruder.h"
#include "tests/support/netns.h"
#include "tls-termination/session/terminator.h"

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

std::vector<Attempt> allowed(const std::string& folder) {
  return {
      {"read a key", 0,
       [=] { return ::open((folder + "/keys/a.key").c_str(), O_RDONLY) < 0 ? -1 : 0; }},
      {"a socket to setup", 0, [] { return ::socket(AF_UNIX, SOCK_SEQPACKET, 0) < 0 ? -1 : 0; }},
      {"random numbers for c-ares", 0,
       [] { return ::open("/dev/urandom", O_RDONLY) < 0 ? -1 : 0; }},
  };
}

std::vector<Attempt> forbidden(const std::string& folder) {
  return {
      {"an IPv4 socket", EPERM, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"an IPv6 socket", EPERM, [] { return ::socket(AF_INET6, SOCK_DGRAM, 0); }},
      {"a packet socket", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
      {"a netlink socket", EPERM, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"a file elsewhere", EACCES, [] { return ::open("/etc/hosts", O_RDONLY); }},
      {"resolv.conf", EACCES, [] { return ::open("/etc/resolv.conf", O_RDONLY); }},
      {"writing a key", EACCES,
       [=] { return ::open((folder + "/keys/new.key").c_str(), O_WRONLY | O_CREAT, 0600); }},
      {"another process's memory", kKilledByFilter,
       [] { return static_cast<int>(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }},
      {"another namespace", kKilledByFilter, [] { return ::unshare(CLONE_NEWUSER); }},
      {"a new program", kKilledByFilter, [] { return ::execl("/bin/true", "true", nullptr); }},
  };
}

TEST_F(TerminatorWalls, LetItReadItsKeysAndAskForSockets) {
  expect_attempts([this] { return build(); }, allowed(folder_));
}

TEST_F(TerminatorWalls, RefuseWhatItNeverDoes) {
  expect_attempts([this] { return build(); }, forbidden(folder_));
}

class Nothing : public SocketSource, public Journal {
 public:
  void open(const std::string&, IpVersion, SocketKind, Done) override {}
  void event(std::string_view, const std::string&) override {}
};

// The daemon's threads without its traffic; it lives as long as the child.
struct Engines {
  Engines() {
    auto made = Terminator::create(
        loop, nothing, KeyStore(""), nothing,
        {.timeouts = {}, .engines = 2, .clock = &os::steady_now, .wall_s = nullptr});
    SALLYPORT_CHECK(made.has_value());
    terminator = *std::move(made);
  }
  // What came of it on the last engine's thread, with that thread's errno.
  int try_there(const std::function<int()>& act) const {
    std::pair<int, int> outcome;
    std::latch done(1);
    terminator->engine(1).post([&](Engine&) {
      outcome = {act(), errno};
      done.count_down();
    });
    done.wait();
    errno = outcome.second;
    return outcome.first;
  }
  Loop loop = *Loop::create(&os::steady_now);
  Nothing nothing;
  std::unique_ptr<Terminator> terminator;
};

class EngineWalls : public TerminatorWalls, public ::testing::WithParamInterface<bool> {};

// Engines are made behind the walls; walls that are built later still reach them.
TEST_P(EngineWalls, HoldOnTheThreadsOfEngines) {
  for (std::vector<Attempt> attempts : {allowed(folder_), forbidden(folder_)}) {
    std::optional<Engines> engines;
    for (Attempt& attempt : attempts)
      attempt.act = [&engines, act = attempt.act] { return engines->try_there(act); };
    expect_attempts(
        [&]() -> Result<void> {
          SALLYPORT_TRY_VOID(leave_the_world(options_));
          if (!GetParam()) engines.emplace();
          SALLYPORT_TRY_VOID(build_walls(options_));
          if (GetParam()) engines.emplace();
          return {};
        },
        attempts);
  }
}
INSTANTIATE_TEST_SUITE_P(Order, EngineWalls, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "made_behind_them" : "made_before_them");
});

TEST(Places, FitIntoTheDescriptorsThatThereAre) {
  EXPECT_EQ(4096U, places_within(16384, 4));
  EXPECT_EQ(4096U, places_within(1U << 20, 256));
  EXPECT_EQ(256U, places_within(1024, 64));
  EXPECT_LT(places_within(4096, 64), places_within(4096, 2));
  for (const std::size_t descriptors : {0U, 3U, 64U, 513U, 5000U})
    EXPECT_LE(places_within(descriptors, 2) * 2, descriptors);
  EXPECT_GT(places_within(64, 2), 0U);
}

}  // namespace
}  // namespace sallyport::terminator
