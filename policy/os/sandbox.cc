#include "policy/os/sandbox.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "policy/os/fd.h"
#include "policy/os/system_error.h"
#include "policy/os/threads.h"

namespace sallyport::os {
namespace {

struct CapabilitySets {
  std::array<__user_cap_data_struct, 2> data{};
};

Result<void> set_capabilities(std::span<const int> kept) {
  // Static, because a thread that is late still reads them.
  static __user_cap_header_struct header;
  static CapabilitySets sets;
  header = {_LINUX_CAPABILITY_VERSION_3, 0};
  sets = {};
  for (int capability : kept) {
    auto& half = sets.data[static_cast<std::size_t>(capability / 32)];
    half.permitted |= 1U << (capability % 32);
    half.effective |= 1U << (capability % 32);
  }
  return in_every_thread(SYS_capset, {reinterpret_cast<long>(&header),
                                      reinterpret_cast<long>(sets.data.data()), 0, 0, 0});
}

Result<void> forbid_new_privileges() {
  return in_every_thread(SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0});
}

Result<void> shrink_bounding_set(std::span<const int> kept) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    bool keep = false;
    for (int wanted : kept) keep = keep || wanted == capability;
    if (!keep && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return fail(
          system_error("capability-bounding-set", fmt::format("capability {}", capability)));
    }
  }
  return {};
}

bool has_capability(int capability) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  CapabilitySets sets;
  if (::syscall(SYS_capget, &header, sets.data.data()) != 0) return false;
  return (sets.data[static_cast<std::size_t>(capability / 32)].effective &
          (1U << (capability % 32))) != 0;
}

// Rights that the running kernel knows; older ones refuse rights they do not.
std::uint64_t known_rights(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  if (abi >= 2) rights |= std::uint64_t{1} << 13;  // refer
  if (abi >= 3) rights |= std::uint64_t{1} << 14;  // truncate
  if (abi >= 5) rights |= std::uint64_t{1} << 15;  // ioctl on devices
  return rights;
}

constexpr std::uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteRights =
    kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | (std::uint64_t{1} << 14);
// What makes sense on a single file.
constexpr std::uint64_t kFileRights =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | (std::uint64_t{1} << 14);

Result<void> add_path(int ruleset, const PathRule& rule, std::uint64_t known) {
  const UniqueFd fd(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return fail(system_error("landlock-path", rule.path));
  landlock_path_beneath_attr attribute = {};
  attribute.parent_fd = fd.get();
  attribute.allowed_access = (rule.write ? kWriteRights : kReadRights) & known;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attribute, 0) == 0)
    return {};
  attribute.allowed_access &= kFileRights;  // a file, not a folder
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attribute, 0) == 0)
    return {};
  return fail(system_error("landlock-path", rule.path));
}

}  // namespace

Result<User> find_user(const std::string& name) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size()) return User{number, number};
  std::array<char, 4096> buffer{};
  passwd entry = {};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return fail(
        ErrorKind::kNotFound, "no-such-user",
        fmt::format("user {} does not exist; create it with: useradd --system {}", name, name));
  }
  return User{found->pw_uid, found->pw_gid};
}

Result<void> enter_netns(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("netns-open", path));
  if (::setns(fd.get(), CLONE_NEWNET) != 0) return fail(system_error("netns-enter", path));
  return {};
}

Result<void> unshare_network() {
  if (::unshare(CLONE_NEWNET) != 0) return fail(system_error("netns-unshare", "unshare"));
  return {};
}

Result<void> become_user(const User& user, std::span<const int> kept_capabilities) {
  if (has_capability(CAP_SETPCAP)) SALLYPORT_TRY_VOID(shrink_bounding_set(kept_capabilities));
  if (has_capability(CAP_SETGID) && ::setgroups(0, nullptr) != 0)
    return fail(system_error("set-groups", "setgroups"));
  if (::getuid() != user.uid || ::getgid() != user.gid) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
      return fail(system_error("keep-capabilities", "prctl"));
    if (::setresgid(user.gid, user.gid, user.gid) != 0)
      return fail(system_error("set-group", "setresgid"));
    if (::setresuid(user.uid, user.uid, user.uid) != 0)
      return fail(system_error("set-user", "setresuid"));
  }
  SALLYPORT_TRY_VOID(set_capabilities(kept_capabilities));
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return fail(system_error("ambient-capabilities", "prctl"));
  }
  return forbid_new_privileges();
}

Result<void> drop_all_capabilities() { return set_capabilities({}); }

Result<void> forbid_dumps() {
  const rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail(system_error("core-limit", "setrlimit"));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(system_error("dumpable", "prctl"));
  return {};
}

Result<void> restrict_paths(std::span<const PathRule> rules) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) {
    return fail(ErrorKind::kUnavailable, "no-landlock",
                "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock); Sallyport "
                "does not run without");
  }
  const std::uint64_t known = known_rights(static_cast<int>(abi));
  landlock_ruleset_attr attribute = {};
  attribute.handled_access_fs = known;
  // The first field is all that the oldest kernel knows; later fields stay at "not handled".
  const UniqueFd ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &attribute, sizeof(attribute.handled_access_fs), 0)));
  if (!ruleset) return fail(system_error("landlock-create", "landlock_create_ruleset"));
  for (const PathRule& rule : rules) SALLYPORT_TRY_VOID(add_path(ruleset.get(), rule, known));
  SALLYPORT_TRY_VOID(forbid_new_privileges());
  return in_every_thread(SYS_landlock_restrict_self, {ruleset.get(), 0, 0, 0, 0});
}

}  // namespace sallyport::os
