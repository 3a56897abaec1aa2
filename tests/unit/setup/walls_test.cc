// Each case builds setup's walls in a child and tries there what an intruder would.
#include "control/setup/walls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/intruder.h"
#include "tests/support/netns.h"

namespace sallyport::setup {
namespace {

using testing::Attempt;
using testing::expect_attempts;

class SetupWalls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "needs root";
  }
};

TEST_F(SetupWalls, LetSetupDoItsWork) {
  expect_attempts(
      build_walls,
      {
          {"enter a network namespace", 0,
           [] {
             const int fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
             return ::setns(fd, CLONE_NEWNET);
           }},
          {"make a network namespace", 0, [] { return ::unshare(CLONE_NEWNET); }},
          {"open netlink", 0, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? -1 : 0; }},
      });
}

TEST_F(SetupWalls, RefuseWhatItNeverDoes) {
  expect_attempts(
      build_walls,
      {
          {"other namespaces", EPERM, [] { return ::unshare(CLONE_NEWUSER | CLONE_NEWNS); }},
          {"a new process", EPERM, [] { return static_cast<int>(::fork()); }},
          {"a process in a new user namespace", EPERM,
           [] {
             return static_cast<int>(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
           }},
          {"packet sockets", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
          {"raw sockets", EPERM, [] { return ::socket(AF_INET, SOCK_RAW, 1); }},
          {"mounting a file system", EPERM,
           [] { return ::mount("none", "/mnt", "tmpfs", 0, nullptr); }},
          {"giving files away", EPERM, [] { return ::chown("/", 1, 1); }},
          {"another process's signals", EPERM, [] { return ::kill(::getppid(), 0); }},
          {"another process's limits", EPERM,
           [] {
             const rlimit none = {0, 0};
             return ::prlimit(::getppid(), RLIMIT_NOFILE, &none, nullptr);
           }},
          {"another's thread", EPERM,
           [] { return static_cast<int>(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)); }},
          {"code from data", EPERM,
           [] {
             return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                           0) == MAP_FAILED
                        ? -1
                        : 0;
           }},
          {"an interface's address by ioctl", EPERM,
           [] { return ::ioctl(::socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFADDR, nullptr); }},
          {"dumps again", EPERM, [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
          {"sockets of other families", EPERM, [] { return ::socket(AF_VSOCK, SOCK_STREAM, 0); }},
          {"connecting", EPERM,
           [] {
             return static_cast<int>(
                 ::syscall(SYS_connect, ::socket(AF_INET, SOCK_STREAM, 0), nullptr, 0));
           }},
          {"moving a mount", EPERM,
           [] { return ::mount("/proc", "/mnt", nullptr, MS_MOVE, nullptr); }},
          {"another kind of namespace", EPERM,
           [] {
             const int fd = ::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
             return ::setns(fd, CLONE_NEWNS);
           }},
          {"reading others' files", EACCES, [] { return ::open("/proc/1/environ", O_RDONLY); }},
      });
}

TEST_F(SetupWalls, KillWhoeverTriesToTakeOver) {
  const int killed = testing::kKilledByFilter;
  expect_attempts(
      build_walls,
      {
          {"running a program", killed, [] { return ::execl("/bin/true", "true", nullptr); }},
          {"tracing", killed, [] { return static_cast<int>(::ptrace(PTRACE_ATTACH, 1, 0, 0)); }},
          {"loading a module", killed,
           [] { return static_cast<int>(::syscall(SYS_init_module, 0, 0, "")); }},
          {"bpf", killed, [] { return static_cast<int>(::syscall(SYS_bpf, 0, 0, 0)); }},
          {"changing user", killed, [] { return ::setuid(1); }},
          {"a program in memory", killed,
           [] {
             const int fd = ::memfd_create("program", 0);
             return static_cast<int>(::syscall(SYS_execveat, fd, "", nullptr, nullptr, 0x1000));
           }},
          {"another's memory", killed,
           [] { return static_cast<int>(::syscall(SYS_process_vm_readv, ::getppid())); }},
          {"io_uring", killed,
           [] { return static_cast<int>(::syscall(SYS_io_uring_setup, 1, nullptr)); }},
          {"another root file system", killed,
           [] { return static_cast<int>(::syscall(SYS_pivot_root, "/", "/")); }},
          {"changing root", killed, [] { return ::chroot("/"); }},
      });
}

}  // namespace
}  // namespace sallyport::setup
