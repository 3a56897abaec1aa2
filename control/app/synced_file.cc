#include "control/app/synced_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "policy/os/fd.h"
#include "policy/os/system_error.h"

namespace sallyport::control {
namespace {

constexpr mode_t kMode = 0600;

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) return fail(os::system_error("not-written", "write"));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t max) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(os::system_error("not-read", path));
  std::string out;
  std::string part(65'536, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0) return fail(os::system_error("not-read", path));
    if (got == 0) return out;
    out.append(part.data(), static_cast<std::size_t>(got));
    if (out.size() > max) return fail(ErrorKind::kInvalid, "too-large", path + " is too large");
  }
}

Result<void> write_synced(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  {
    const os::UniqueFd file(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file) return fail(os::system_error("not-written", fresh));
    SALLYPORT_TRY_VOID(write_all(file.get(), text));
    if (::fsync(file.get()) != 0) return fail(os::system_error("not-written", "fsync"));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(os::system_error("not-written", path));
  const std::string folder = std::filesystem::path(path).parent_path();
  const os::UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return fail(os::system_error("not-written", folder));
  return {};
}

}  // namespace sallyport::control
