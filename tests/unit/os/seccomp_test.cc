// The filter, tried from behind it.
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "policy/os/sandbox.h"
#include "tests/support/intruder.h"

namespace sallyport::os {
namespace {

using testing::expect_attempts;
using testing::kKilledByFilter;

Result<void> common_and_unix() {
  SyscallFilter filter;
  filter.allow(common_syscalls()).allow_socket_family(AF_UNIX);
  return filter.install();
}

int raw(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  return static_cast<int>(::syscall(number, a, b, c, d));
}

int map_for(int protection) {
  return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                             : 0;
}

TEST(Seccomp, CommonCallsWork) {
  expect_attempts(common_and_unix,
                  {{"poll", 0, [] { return ::poll(nullptr, 0, 1); }},
                   {"Unix sockets", 0, [] { return ::socket(AF_UNIX, SOCK_SEQPACKET, 0); }},
                   {"memory", 0, [] { return std::vector<char>(1 << 24).empty() ? -1 : 0; }},
                   {"threads", 0, [] {
                      std::atomic<bool> ran = false;
                      std::thread([&] { ran = true; }).join();
                      return ran ? 0 : -1;
                    }}});
}

TEST(Seccomp, UnlistedCallsFail) {
  expect_attempts(
      common_and_unix,
      {{"opening a file", EPERM, [] { return raw(SYS_openat, -100, reinterpret_cast<long>("/")); }},
       {"IPv4 sockets", EPERM, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
       {"IPv6 sockets", EPERM, [] { return ::socket(AF_INET6, SOCK_DGRAM, 0); }},
       {"packet sockets", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
       {"netlink sockets", EPERM, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
       {"XDP sockets", EPERM, [] { return ::socket(AF_XDP, SOCK_RAW, 0); }},
       {"VM sockets", EPERM, [] { return ::socket(AF_VSOCK, SOCK_STREAM, 0); }},
       {"connecting", EPERM, [] { return raw(SYS_connect, 0, 0, 0); }},
       {"ioctl", EPERM, [] { return raw(SYS_ioctl, 0, 0, 0); }},
       {"fork", EPERM, [] { return static_cast<int>(::fork()); }},
       {"vfork", EPERM, [] { return raw(SYS_vfork); }},
       {"a thread in a new user namespace", EPERM,
        [] { return raw(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWUSER); }},
       {"clone3", ENOSYS, [] { return raw(SYS_clone3, 0, 0); }},
       {"giving files away", EPERM, [] { return ::chown("/", 1, 1); }},
       {"changing modes", EPERM, [] { return ::chmod("/", 0777); }}});
}

// Whoever took a process over touches no other one, writes no code, and takes no wall down.
TEST(Seccomp, CommonCallsReachThisProcessOnly) {
  const pid_t test = ::getpid();
  expect_attempts(
      common_and_unix,
      {{"a signal to its own thread", 0, [] { return raw(SYS_tgkill, ::getpid(), ::gettid(), 0); }},
       {"one to another's", EPERM, [=] { return raw(SYS_tgkill, test, test, 0); }},
       {"one to another process", EPERM, [=] { return ::kill(test, 0); }},
       {"its own limits", 0,
        [] {
          rlimit limit = {};
          return ::getrlimit(RLIMIT_NOFILE, &limit);
        }},
       {"another's limits", EPERM,
        [=] {
          rlimit limit = {};
          return ::prlimit(test, RLIMIT_NOFILE, nullptr, &limit);
        }},
       {"another's processors", EPERM,
        [=] { return raw(SYS_sched_setaffinity, test, 8, reinterpret_cast<long>(&test)); }},
       {"a thread's name", 0, [] { return ::prctl(PR_SET_NAME, "x", 0, 0, 0); }},
       {"dumps", EPERM, [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
       {"a new parent to trace it", EPERM, [=] { return ::prctl(PR_SET_PTRACER, test, 0, 0, 0); }},
       {"memory", 0, [] { return map_for(PROT_READ | PROT_WRITE); }},
       {"memory that is code", EPERM, [] { return map_for(PROT_READ | PROT_EXEC); }},
       {"memory that can become code", EPERM,
        [] { return map_for(PROT_READ | PROT_WRITE | PROT_EXEC); }},
       {"data that becomes code", EPERM, [] {
          void* page =
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
        }}});
}

TEST(Seccomp, HostileCallsKill) {
  expect_attempts(
      common_and_unix,
      {{"execve", kKilledByFilter, [] { return ::execl("/bin/true", "true", nullptr); }},
       {"execveat", kKilledByFilter, [] { return raw(SYS_execveat, -1); }},
       {"ptrace", kKilledByFilter, [] { return raw(SYS_ptrace, PTRACE_TRACEME); }},
       {"reading another's memory", kKilledByFilter, [] { return raw(SYS_process_vm_readv, 1); }},
       {"writing another's memory", kKilledByFilter, [] { return raw(SYS_process_vm_writev, 1); }},
       {"modules", kKilledByFilter, [] { return raw(SYS_finit_module, -1); }},
       {"bpf", kKilledByFilter, [] { return raw(SYS_bpf, 0, 0, 0); }},
       {"mounting", kKilledByFilter, [] { return raw(SYS_mount); }},
       {"entering a namespace", kKilledByFilter, [] { return ::setns(-1, 0); }},
       {"making a namespace", kKilledByFilter, [] { return ::unshare(CLONE_NEWUSER); }},
       {"changing user", kKilledByFilter, [] { return raw(SYS_setuid, 0); }},
       {"chroot", kKilledByFilter, [] { return ::chroot("/"); }},
       {"io_uring", kKilledByFilter, [] { return raw(SYS_io_uring_setup, 1, 0); }},
       {"keys", kKilledByFilter, [] { return raw(SYS_keyctl, 0); }},
       {"user faults", kKilledByFilter, [] { return raw(SYS_userfaultfd, 0); }},
       {"perf events", kKilledByFilter, [] { return raw(SYS_perf_event_open); }},
       {"another architecture's calls", kKilledByFilter,
        [] { return raw(0x40000000 + SYS_getpid); }}});
}

TEST(Seccomp, ConditionsHoldForOneValueOnly) {
  const auto walls = [] {
    SyscallFilter filter;
    filter.allow(common_syscalls()).allow_when("unshare", 0, CLONE_FILES);
    return filter.install();
  };
  expect_attempts(
      walls,
      {{"the value", 0, [] { return ::unshare(CLONE_FILES); }},
       {"another", EPERM, [] { return ::unshare(CLONE_NEWUSER); }},
       {"the value and more", EPERM, [] { return ::unshare(CLONE_FILES | CLONE_NEWUSER); }},
       {"a socket without a family", EPERM, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }}});
}

TEST(Seccomp, CoversThreadsThatRunAlready) {
  expect_attempts([] { return Result<void>(); }, {{"IPv4 socket in an older thread", EPERM, [] {
                                                     std::atomic<int> stage = 0;
                                                     int result = 0;
                                                     int error = 0;
                                                     std::thread older([&] {
                                                       while (stage.load() == 0)
                                                         ::poll(nullptr, 0, 1);
                                                       result = ::socket(AF_INET, SOCK_STREAM, 0);
                                                       error = errno;
                                                     });
                                                     const bool built =
                                                         common_and_unix().has_value();
                                                     stage = 1;
                                                     older.join();
                                                     errno = error;
                                                     return built ? result : 0;
                                                   }}});
}

TEST(Seccomp, MisspelledCallIsAnError) {
  SyscallFilter filter;
  filter.allow({"opneat"});
  EXPECT_EQ(filter.install().error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace sallyport::os
