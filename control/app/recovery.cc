#include "control/app/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>

#include "control/config/tree.h"
#include "policy/os/fd.h"
#include "policy/os/system_error.h"

namespace sallyport::control {
namespace {

// A text whose every byte is escaped, and the rest of the row.
constexpr std::size_t kMaxFile = kMaxConfigSize * 6 + 65'536;
constexpr mode_t kMode = 0600;
constexpr const char* kHead = "head";  // the row's own digest does not cover how it ended

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) return fail(os::system_error("recovery-not-written", "write"));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_all(int fd) {
  std::string out;
  std::string part(65'536, '\0');
  while (true) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0) return fail(os::system_error("recovery-damaged", "read"));
    if (got == 0) return out;
    out.append(part.data(), static_cast<std::size_t>(got));
    if (out.size() > kMaxFile)
      return fail(ErrorKind::kInvalid, "recovery-damaged", "the recovery copy is too large");
  }
}

}  // namespace

Result<std::optional<Revision>> read_recovery(const std::string& path) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(os::system_error("recovery-damaged", path));
  SALLYPORT_TRY(const std::string text, read_all(file.get()));
  const auto row = nlohmann::json::parse(text, nullptr, false);
  auto revision = from_row(row);
  if (!revision || revision->state != RevisionState::kConfirmed || !row.contains(kHead) ||
      row[kHead] != head_of(*revision))
    return fail(ErrorKind::kInvalid, "recovery-damaged",
                path + " does not verify: it is damaged, or was changed");
  return revision;
}

Result<void> write_recovery(const std::string& path, const Revision& revision) {
  const std::string fresh = path + ".new";
  {
    const os::UniqueFd file(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!file) return fail(os::system_error("recovery-not-written", fresh));
    nlohmann::json row = to_row(revision);
    row[kHead] = head_of(revision);
    SALLYPORT_TRY_VOID(write_all(file.get(), row.dump() + "\n"));
    if (::fsync(file.get()) != 0) return fail(os::system_error("recovery-not-written", "fsync"));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(os::system_error("recovery-not-written", path));
  const std::string folder = std::filesystem::path(path).parent_path();
  const os::UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return fail(os::system_error("recovery-not-written", folder));
  return {};
}

}  // namespace sallyport::control
