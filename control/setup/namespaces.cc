#include "control/setup/namespaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <memory>

#include "policy/base/result.h"

namespace sallyport::setup {
namespace {

constexpr const char* kOwnNamespace = "/proc/thread-self/ns/net";

bool is_namespace(int fd) {
  struct statfs status = {};
  return ::fstatfs(fd, &status) == 0 && status.f_type == NSFS_MAGIC;
}

// An empty file for the namespace to be mounted on; one left behind by a crash will do.
Outcome<void> make_mount_point(const std::string& path) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file) return failed(errno, path);
  return {};
}

}  // namespace

std::string namespace_path(const std::string& name) {
  return std::string(kNamespaceFolder) + "/" + name;
}

Outcome<void> share_namespace_folder() {
  const std::string folder(kNamespaceFolder);
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return failed(errno, folder);
  const os::UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) return failed(errno, folder);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed(errno, folder);
  }
  const auto share = [&] {
    return ::mount("none", folder.c_str(), nullptr, MS_SHARED | MS_REC, nullptr) == 0;
  };
  if (share()) return {};
  // EINVAL: no mount point yet.
  if (errno != EINVAL ||
      ::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0 || !share())
    return failed(errno, folder);
  return {};
}

Outcome<os::UniqueFd> open_namespace(const std::string& name) {
  const std::string path = namespace_path(name);
  os::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return failed(errno, path);
  if (!is_namespace(fd.get())) return failed(ENOENT, path);
  return fd;
}

Outcome<os::UniqueFd> current_namespace() {
  os::UniqueFd fd(::open(kOwnNamespace, O_RDONLY | O_CLOEXEC));
  if (!fd) return failed(errno, kOwnNamespace);
  return fd;
}

Outcome<os::UniqueFd> make_namespace(const std::string& name) {
  if (auto found = open_namespace(name); found || found.error().error != ENOENT) return found;
  const std::string path = namespace_path(name);
  SALLYPORT_TRY_VOID(make_mount_point(path));
  SALLYPORT_TRY(const os::UniqueFd start, current_namespace());
  SALLYPORT_TRY_VOID(inside(start, [&]() -> Outcome<void> {
    if (::unshare(CLONE_NEWNET) != 0) return failed(errno, "unshare");
    if (::mount(kOwnNamespace, path.c_str(), "none", MS_BIND, nullptr) != 0)
      return failed(errno, path);
    return {};
  }));
  return open_namespace(name);
}

Outcome<void> remove_namespace(const std::string& name) {
  const std::string path = namespace_path(name);
  // Mounted as often as somebody bound the folder over itself.
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) return failed(errno, path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed(errno, path);
  return {};
}

Outcome<std::vector<std::string>> list_namespaces(std::string_view prefix) {
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  std::vector<std::string> names;
  const std::unique_ptr<DIR, Close> folder(::opendir(std::string(kNamespaceFolder).c_str()));
  if (!folder) {
    if (errno == ENOENT) return names;
    return failed(errno, std::string(kNamespaceFolder));
  }
  errno = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    if (name.starts_with(prefix) && open_namespace(std::string(name))) names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return failed(errno, std::string(kNamespaceFolder));
  std::ranges::sort(names);
  return names;
}

}  // namespace sallyport::setup
