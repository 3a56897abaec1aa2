#include <fmt/core.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "policy/os/sandbox.h"
#include "policy/os/system_error.h"

namespace sallyport::os {
namespace {

constexpr auto kCommon = std::to_array<std::string_view>({
    // memory and threads
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mlock",
    "munlock",
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "sched_yield",
    "sched_getaffinity",
    "gettid",
    "getpid",
    "exit",
    "exit_group",
    "membarrier",
    "restart_syscall",
    "getrandom",
    "sysinfo",
    "getcpu",
    // signals and time
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "signalfd4",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    // waiting and moving bytes on descriptors that are there already
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "close",
    "lseek",
    "fstat",
    "newfstatat",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "pipe2",
    "dup",
    "dup3",
    "fcntl",
    "sendmsg",
    "recvmsg",
    "sendto",
    "recvfrom",
    "sendmmsg",
    "recvmmsg",
    "accept4",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "memfd_create",
    "ftruncate",
    // who we are
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getppid",
    "uname",
    // giving up more
    "capset",
    "capget",
    "seccomp",
});

// Of prctl: names and slack of a thread, giving up more, and asking. Nothing that takes a wall down
// again (PR_SET_DUMPABLE) or looks at another process.
constexpr auto kPrctl = std::to_array<int>({
    PR_SET_NAME,
    PR_GET_NAME,
    PR_SET_TIMERSLACK,
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_CAPBSET_READ,
    PR_GET_DUMPABLE,
});

constexpr auto kHostile = std::to_array<std::string_view>({
    "execve",      "execveat",     "ptrace",          "process_vm_readv", "process_vm_writev",
    "init_module", "finit_module", "delete_module",   "kexec_load",       "kexec_file_load",
    "mount",       "umount2",      "pivot_root",      "chroot",           "setns",
    "unshare",     "bpf",          "perf_event_open", "userfaultfd",      "io_uring_setup",
    "keyctl",      "add_key",      "request_key",     "swapon",           "reboot",
    "setuid",      "setgid",       "setreuid",        "setregid",         "setresuid",
    "setresgid",   "setgroups",
});

struct Release {
  void operator()(void* context) const noexcept { seccomp_release(context); }
};

// A thread, and nothing else: a new process or a new namespace (CLONE_NEWUSER would hand back
// capabilities) is not on any list. clone3's flags are behind a pointer that a filter cannot
// follow, so it does not exist here and the C library falls back to clone.
constexpr scmp_datum_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

Result<void> checked(int code, std::string_view what) {
  if (code == 0) return {};
  return fail(system_error("seccomp", what, -code));
}

// libseccomp's own macros for these are compound literals, which C++ does not have.
constexpr scmp_arg_cmp equal(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
constexpr scmp_arg_cmp masked_equal(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

Result<void> allow_if(void* filter, int call, const scmp_arg_cmp& condition,
                      std::string_view what) {
  return checked(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition), what);
}

// What every process needs in part only: memory that is not code, signals to its own threads, its
// own limits.
Result<void> add_narrowed(void* filter) {
  constexpr scmp_datum_t kCode = PROT_EXEC;
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    SALLYPORT_TRY_VOID(allow_if(filter, call, masked_equal(2, kCode, 0), "memory"));
  const auto self = static_cast<std::uint32_t>(::getpid());
  SALLYPORT_TRY_VOID(allow_if(filter, SCMP_SYS(tgkill), equal(0, self), "tgkill"));
  SALLYPORT_TRY_VOID(allow_if(filter, SCMP_SYS(prlimit64), equal(0, 0), "prlimit64"));
  for (const int option : kPrctl) {
    const auto first = static_cast<std::uint32_t>(option);
    SALLYPORT_TRY_VOID(allow_if(filter, SCMP_SYS(prctl), equal(0, first), "prctl"));
  }
  return {};
}

}  // namespace

std::span<const std::string_view> common_syscalls() { return kCommon; }

SyscallFilter& SyscallFilter::allow(std::span<const std::string_view> names) {
  names_.insert(names_.end(), names.begin(), names.end());
  return *this;
}

SyscallFilter& SyscallFilter::allow(std::initializer_list<std::string_view> names) {
  return allow(std::span(names.begin(), names.size()));
}

SyscallFilter& SyscallFilter::allow_when(std::string name, unsigned argument, std::uint64_t value) {
  conditions_.push_back({std::move(name), argument, value});
  return *this;
}

SyscallFilter& SyscallFilter::allow_socket_family(int family) {
  families_.push_back(family);
  return *this;
}

Result<void> SyscallFilter::install() const {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return fail(ErrorKind::kSystem, "seccomp", "seccomp_init");
  SALLYPORT_TRY_VOID(checked(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1), "TSYNC"));
  SALLYPORT_TRY_VOID(checked(
      seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "arch"));
  for (const std::string& name : names_) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR)
      return fail(ErrorKind::kUsage, "seccomp", "no system call is named " + name);
    if (number < 0) continue;  // another architecture's
    SALLYPORT_TRY_VOID(checked(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0), name));
  }
  for (std::string_view name : kHostile) {
    bool wanted = false;
    for (const std::string& allowed : names_) wanted = wanted || allowed == name;
    for (const Condition& condition : conditions_) wanted = wanted || condition.name == name;
    const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
    if (wanted || number < 0) continue;
    SALLYPORT_TRY_VOID(
        checked(seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, number, 0), name));
  }
  SALLYPORT_TRY_VOID(add_narrowed(filter.get()));
  SALLYPORT_TRY_VOID(allow_if(filter.get(), SCMP_SYS(clone),
                              masked_equal(0, CLONE_THREAD | kNamespaceFlags, CLONE_THREAD),
                              "clone"));
  SALLYPORT_TRY_VOID(checked(
      seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3"));
  for (const Condition& condition : conditions_) {
    SALLYPORT_TRY_VOID(allow_if(filter.get(), seccomp_syscall_resolve_name(condition.name.c_str()),
                                equal(condition.argument, condition.value), condition.name));
  }
  for (const int family : families_) {
    const auto first = static_cast<scmp_datum_t>(family);
    for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair)})
      SALLYPORT_TRY_VOID(allow_if(filter.get(), call, equal(0, first), "socket family"));
  }
  return checked(seccomp_load(filter.get()), "seccomp_load");
}

}  // namespace sallyport::os
