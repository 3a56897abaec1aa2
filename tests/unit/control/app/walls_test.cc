// Each case builds control's walls in a child and tries there what whoever took it over would.
#include "control/app/walls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "policy/os/sandbox.h"
#include "tests/support/intruder.h"
#include "tests/support/netns.h"

namespace sallyport::control {
namespace {

using sallyport::testing::expect_attempts;
using sallyport::testing::kKilledByFilter;

constexpr os::User kControlUser = {64003, 64003};

class ControlWalls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!sallyport::testing::is_root()) GTEST_SKIP() << "needs root";
    folder_ = std::filesystem::temp_directory_path() /
              ("sallyport-control-walls-" + std::to_string(::getpid()));
    for (const char* below : {"/run/control", "/run/dataplane", "/etc", "/state", "/state/control"})
      std::filesystem::create_directories(folder_ + below);
    for (const char* file : {"/etc/gateway.yaml", "/state/gateway.db", "/run/control/x"})
      std::ofstream(folder_ + file) << "x";
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    // Everything is its own by the file system's word: what refuses is the wall.
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      ASSERT_EQ(::chown(entry.path().c_str(), kControlUser.uid, kControlUser.gid), 0);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  Result<void> build() const {
    SALLYPORT_TRY_VOID(os::become_user(kControlUser, {}));
    return raise_walls(
        {folder_ + "/run", folder_ + "/state/control", folder_ + "/etc/gateway.yaml"});
  }
  int open_for(const char* path, int flags) const {
    return ::open((folder_ + path).c_str(), flags, 0600);
  }
  std::string folder_;
};

TEST_F(ControlWalls, LetItReadTheOfferedFileAndServeItsSocket) {
  expect_attempts(
      [this] { return build(); },
      {
          {"the file", 0, [&] { return open_for("/etc/gateway.yaml", O_RDONLY); }},
          {"its own folder", 0, [&] { return open_for("/run/control/new", O_WRONLY | O_CREAT); }},
          {"the recovery copy", 0,
           [&] {
             const int copy = open_for("/state/control/recovery.json", O_WRONLY | O_CREAT);
             return copy < 0 ? copy : ::fsync(copy);
           }},
          {"a Unix socket", 0, [] { return ::socket(AF_UNIX, SOCK_SEQPACKET, 0); }},
      });
}

TEST_F(ControlWalls, RefuseWhatItNeverDoes) {
  const pid_t test = ::getpid();
  expect_attempts(
      [this] { return build(); },
      {
          {"an IPv4 socket", EPERM, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
          {"an IPv6 socket", EPERM, [] { return ::socket(AF_INET6, SOCK_DGRAM, 0); }},
          {"a packet socket", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
          {"a netlink socket", EPERM, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
          {"writing the offered file", EACCES,
           [&] { return open_for("/etc/gateway.yaml", O_WRONLY); }},
          {"the database's file", EACCES, [&] { return open_for("/state/gateway.db", O_RDONLY); }},
          {"another's run folder", EACCES,
           [&] { return open_for("/run/dataplane/new", O_WRONLY | O_CREAT); }},
          {"the machine's secrets", EACCES, [] { return ::open("/etc/shadow", O_RDONLY); }},
          {"the machine's hosts", EACCES, [] { return ::open("/etc/hosts", O_RDONLY); }},
          {"another process's memory", EACCES, [] { return ::open("/proc/1/mem", O_RDONLY); }},
          {"a signal to another", EPERM, [=] { return ::kill(test, 0); }},
          {"a new process", EPERM, [] { return static_cast<int>(::fork()); }},
          {"code from data", EPERM,
           [] {
             return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                           0) == MAP_FAILED
                        ? -1
                        : 0;
           }},
          {"dumps again", EPERM, [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
          {"not dumpable", 0, [] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -1; }},
      });
}

TEST_F(ControlWalls, KillWhoeverTriesToTakeOver) {
  const int killed = kKilledByFilter;
  expect_attempts([this] { return build(); },
                  {
                      {"a program", killed, [] { return ::execl("/bin/true", "true", nullptr); }},
                      {"tracing", killed,
                       [] { return static_cast<int>(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }},
                      {"a new namespace", killed, [] { return ::unshare(CLONE_NEWUSER); }},
                      {"another namespace", killed, [] { return ::setns(0, 0); }},
                      {"bpf", killed, [] { return static_cast<int>(::syscall(SYS_bpf, 0, 0, 0)); }},
                      {"mounting", killed, [] { return static_cast<int>(::syscall(SYS_mount)); }},
                      {"io_uring", killed,
                       [] { return static_cast<int>(::syscall(SYS_io_uring_setup, 1, nullptr)); }},
                      {"root", killed, [] { return ::setuid(0); }},
                  });
}

}  // namespace
}  // namespace sallyport::control
