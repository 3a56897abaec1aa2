// The walls that each daemon builds around itself at start: its own user, only the capabilities it
// still needs, no dumps, a seccomp allow-list, Landlock. They hold wherever the daemon runs;
// systemd units repeat them.
//
// Order: enter_netns / unshare_network -> become_user (keeping what probing needs) -> probe ->
// drop_all_capabilities -> forbid_dumps -> restrict_paths -> SyscallFilter::install. Namespaces and
// users before other threads start; the rest reaches every thread there is (threads.h). All
// failures are fatal to the caller: a daemon that cannot build its walls must not run. 2.4.7.18.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::os {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};

// A system user by name ("sallyport-control") or number ("1234": uid and gid alike).
Result<User> find_user(const std::string& name);

// Joins the network namespace at `path` (/run/netns/NAME).
Result<void> enter_netns(const std::string& path);
// A network namespace of our own with nothing in it.
Result<void> unshare_network();

// Becomes `user` with no supplementary groups and exactly these capabilities (permitted, effective;
// nothing inheritable, ambient or bounding beyond them), no_new_privs set. Must run as root; as
// `user` already with the right capabilities it only drops.
Result<void> become_user(const User& user, std::span<const int> kept_capabilities);
// Every thread gives up every capability, and with it the chance to get one back.
Result<void> drop_all_capabilities();
// No core files, no ptrace by the same user, no /proc/self/mem for others.
Result<void> forbid_dumps();

// A path tree that stays usable after restrict_paths.
struct PathRule {
  std::string path;
  bool write = false;  // files may be written, made and removed below it; sockets too
};
// Landlock: everything outside `rules` can no longer be opened. A kernel without Landlock is an
// error (kUnavailable "no-landlock").
Result<void> restrict_paths(std::span<const PathRule> rules);

// What every daemon needs: threads, time, waiting, reading and writing descriptors it has, exit.
std::span<const std::string_view> common_syscalls();

// A seccomp allow-list. Beside it, always: memory that is not code, signals to threads of this very
// process, its own limits, the harmless part of prctl. What is not on it fails with EPERM; what
// only an attacker calls (exec of a new program, ptrace, kernel modules, bpf after start, mounting,
// namespaces) kills the process. Threads may be made, processes may not. Rationale: an unexpected
// but harmless call inside a library must not turn into an outage; a hostile one must not be
// retried.
class SyscallFilter {
 public:
  SyscallFilter& allow(std::span<const std::string_view> names);
  SyscallFilter& allow(std::initializer_list<std::string_view> names);
  // This call only when its argument (0 is the first) has exactly this value.
  SyscallFilter& allow_when(std::string name, unsigned argument, std::uint64_t value);
  // socket(2) and socketpair(2) for this address family only (AF_UNIX, AF_NETLINK...). Without any,
  // socket() fails.
  SyscallFilter& allow_socket_family(int family);
  // Installs for all threads. Cannot be undone.
  Result<void> install() const;

 private:
  struct Condition {
    std::string name;
    unsigned argument = 0;
    std::uint64_t value = 0;
  };
  std::vector<std::string> names_;
  std::vector<Condition> conditions_;
  std::vector<int> families_;
};

}  // namespace sallyport::os
