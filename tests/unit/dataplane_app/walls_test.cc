// Each case builds the dataplane's walls in a child, as after probing, and tries there what whoever
// took it over would.
#include "dataplane/app/walls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/keyctl.h>
#include <linux/vfio.h>
#include <sched.h>
#include <sys/eventfd.h>
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

#include <array>
#include <csignal>
#include <thread>

#include "policy/os/memfd.h"
#include "policy/os/sandbox.h"
#include "tests/support/intruder.h"
#include "tests/support/netns.h"

namespace sallyport::dataplane {
namespace {

using sallyport::testing::expect_attempts;
using sallyport::testing::kKilledByFilter;

class DataplaneWalls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!sallyport::testing::is_root()) GTEST_SKIP() << "needs root";
  }
  // What main.cc and daemon.cc do, with a descriptor of each kind that a dataplane holds.
  static Result<void> build() {
    packet_socket_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    constexpr std::array kProbing = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, CAP_IPC_LOCK};
    SALLYPORT_TRY_VOID(os::become_user({65534, 65534}, kProbing));
    SALLYPORT_TRY_VOID(drop_rights());
    return install_filter();
  }
  static inline int packet_socket_ = -1;
};

int raw(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  return static_cast<int>(::syscall(number, a, b, c, d));
}
int open_file(const char* path, int flags = O_RDONLY) { return ::open(path, flags, 0600); }

TEST_F(DataplaneWalls, LetThePacketPathWork) {
  expect_attempts(build,
                  {
                      {"a thread", 0, [] { return std::thread([] {}).join(), 0; }},
                      {"an event", 0, [] { return ::eventfd(0, EFD_NONBLOCK) < 0 ? -1 : 0; }},
                      {"memory", 0,
                       [] {
                         return ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                                    ? -1
                                    : 0;
                       }},
                      {"an answer in sealed memory", 0,
                       [] {
                         const std::array<std::uint8_t, 3> bytes = {1, 2, 3};
                         return os::make_sealed("answer", bytes) ? 0 : -1;
                       }},
                      {"reading a port's pending error", 0,
                       [] {
                         int error = 0;
                         socklen_t size = sizeof error;
                         return ::getsockopt(packet_socket_, SOL_SOCKET, SO_ERROR, &error, &size);
                       }},
                      {"asking for a PCI port's next interrupt, of what is none", ENOTTY,
                       [] { return ::ioctl(packet_socket_, VFIO_DEVICE_SET_IRQS, nullptr); }},
                  });
}

TEST_F(DataplaneWalls, RefuseEverySocketAndEveryFile) {
  std::vector<sallyport::testing::Attempt> attempts;
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_PACKET, AF_NETLINK, AF_XDP, AF_VSOCK,
                           AF_ALG, AF_BLUETOOTH, AF_CAN, AF_KEY}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      attempts.push_back({"socket " + std::to_string(family) + " " + std::to_string(type), EPERM,
                          [=] { return ::socket(family, type, 0); }});
    }
  }
  for (const char* path : {"/", "/etc/passwd", "/etc/shadow", "/proc/self/mem", "/proc/1/environ",
                           "/dev/null", "/dev/net/tun", "/dev/mem", "/tmp", "/run", "/sys"}) {
    attempts.push_back({std::string("reading ") + path, EPERM, [=] { return open_file(path); }});
  }
  attempts.insert(
      attempts.end(),
      {
          {"making a file", EPERM, [] { return open_file("/tmp/new", O_WRONLY | O_CREAT); }},
          {"removing one", EPERM, [] { return ::unlink("/tmp/x"); }},
          {"renaming one", EPERM, [] { return ::rename("/tmp/x", "/tmp/y"); }},
          {"linking one", EPERM, [] { return ::symlink("/etc/shadow", "/tmp/x"); }},
          {"connecting", EPERM, [] { return raw(SYS_connect, packet_socket_, 0, 0); }},
          {"binding its port's socket elsewhere", EPERM,
           [] { return raw(SYS_bind, packet_socket_, 0, 0); }},
          {"listening", EPERM, [] { return raw(SYS_listen, packet_socket_, 1); }},
          {"giving a PCI port other memory", EPERM,
           [] { return ::ioctl(packet_socket_, VFIO_IOMMU_MAP_DMA, nullptr); }},
      });
  expect_attempts(build, attempts);
}

// The filter says EPERM before Landlock is asked; so each wall is tried without the other.
TEST_F(DataplaneWalls, PathsAreClosedWithoutTheFilterToo) {
  const auto only_landlock = []() -> Result<void> {
    SALLYPORT_TRY_VOID(os::become_user({65534, 65534}, {}));
    return drop_rights();
  };
  expect_attempts(
      only_landlock,
      {
          {"reading", EACCES, [] { return open_file("/etc/passwd"); }},
          {"listing", EACCES, [] { return open_file("/tmp", O_RDONLY | O_DIRECTORY); }},
          {"a device", EACCES, [] { return open_file("/dev/null"); }},
          {"making a file", EACCES, [] { return open_file("/tmp/new", O_WRONLY | O_CREAT); }},
          {"a packet socket", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
      });
}

TEST_F(DataplaneWalls, RefuseToTouchOthersOrTakeAWallDown) {
  const pid_t test = ::getpid();
  expect_attempts(
      build,
      {
          {"a signal to another process", EPERM, [=] { return ::kill(test, 0); }},
          {"one to another's thread", EPERM, [=] { return raw(SYS_tgkill, test, test, 0); }},
          {"one to its own thread", 0, [] { return raw(SYS_tgkill, ::getpid(), ::gettid(), 0); }},
          {"another's limits", EPERM,
           [=] {
             const rlimit none = {0, 0};
             return ::prlimit(test, RLIMIT_NOFILE, &none, nullptr);
           }},
          {"a handle on another", EPERM, [=] { return raw(SYS_pidfd_open, test, 0); }},
          {"another's priority", EPERM,
           [=] { return raw(SYS_setpriority, PRIO_PROCESS, test, 5); }},
          {"dumps again", EPERM, [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
          {"a new process", EPERM, [] { return static_cast<int>(::fork()); }},
          {"writing code", EPERM,
           [] {
             return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                           0) == MAP_FAILED
                        ? -1
                        : 0;
           }},
          {"making data code", EPERM,
           [] {
             void* page =
                 ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
           }},
          {"another TAP on its descriptor", EPERM,
           [] { return ::ioctl(packet_socket_, TUNSETIFF, nullptr); }},
          {"an interface's flags", EPERM,
           [] { return ::ioctl(packet_socket_, SIOCSIFFLAGS, nullptr); }},
          {"a file's owner", EPERM, [] { return ::chown("/tmp", 1, 1); }},
      });
}

TEST_F(DataplaneWalls, KillWhoeverTriesToTakeOver) {
  const int killed = kKilledByFilter;
  expect_attempts(
      build,
      {
          {"a program", killed, [] { return ::execl("/bin/true", "true", nullptr); }},
          {"a program in memory", killed,
           [] {
             const int fd = ::memfd_create("program", 0);
             return raw(SYS_execveat, fd, reinterpret_cast<long>(""), 0, 0);
           }},
          {"tracing", killed, [] { return raw(SYS_ptrace, PTRACE_ATTACH, 1); }},
          {"another's memory", killed, [] { return raw(SYS_process_vm_readv, 1); }},
          {"bpf", killed, [] { return raw(SYS_bpf, 0, 0, 0); }},
          {"another namespace", killed, [] { return ::setns(packet_socket_, CLONE_NEWNET); }},
          {"a new namespace", killed, [] { return ::unshare(CLONE_NEWUSER); }},
          {"mounting", killed, [] { return ::mount("none", "/mnt", "tmpfs", 0, nullptr); }},
          {"unmounting", killed, [] { return ::umount2("/proc", MNT_DETACH); }},
          {"another root", killed, [] { return ::chroot("/"); }},
          {"io_uring", killed, [] { return raw(SYS_io_uring_setup, 1, 0); }},
          {"a module", killed, [] { return raw(SYS_finit_module, -1); }},
          {"another kernel", killed, [] { return raw(SYS_kexec_load, 0, 0, 0, 0); }},
          {"perf events", killed, [] { return raw(SYS_perf_event_open); }},
          {"user faults", killed, [] { return raw(SYS_userfaultfd, 0); }},
          {"keys", killed, [] { return raw(SYS_keyctl, KEYCTL_GET_KEYRING_ID); }},
          {"root", killed, [] { return ::setuid(0); }},
      });
}

TEST_F(DataplaneWalls, LeaveNoCapabilityAndNoDumps) {
  expect_attempts(
      build,
      {
          {"no capability", 0,
           [] {
             __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
             std::array<__user_cap_data_struct, 2> sets{};
             if (::syscall(SYS_capget, &header, sets.data()) != 0) return -1;
             for (const auto& half : sets) {
               if ((half.effective | half.permitted | half.inheritable) != 0) return -1;
             }
             return 0;
           }},
          {"not dumpable", 0, [] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -1; }},
          {"no new privileges", 0,
           [] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -1; }},
      });
}

}  // namespace
}  // namespace sallyport::dataplane
