#include "control/app/file_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "control/config/load.h"
#include "control/config/tree.h"
#include "policy/os/fd.h"

namespace sallyport::control {
namespace {

constexpr Millis kInterval{1000};

// Nothing if it cannot be read or is no plain file.
std::optional<std::string> read_limited(int fd) {
  std::string text(kMaxConfigSize + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

const char* to_string(FileState state) {
  constexpr std::array kNames{"unknown", "absent", "same", "edited", "invalid"};
  return kNames.at(static_cast<std::size_t>(state));
}

FileWatch::Look FileWatch::look(const std::string& path, const TargetPtr& in_force,
                                const Look& before) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return {"", FileState::kAbsent};
  struct stat info{};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {"", FileState::kUnknown};
  Look out;
  out.stamp = fmt::format("{}.{}.{}.{}.{}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size,
                          info.st_ino, in_force ? in_force->revision : 0);
  if (out.stamp == before.stamp) return before;
  const auto text = read_limited(file.get());
  if (!text) return {"", FileState::kUnknown};
  out.state = in_force && in_force->text == *text ? FileState::kSame
              : load_config(*text)                ? FileState::kEdited
                                                  : FileState::kInvalid;
  return out;
}

void FileWatch::run(Millis now) {
  if (looking_ || now < look_at_) return;
  looking_ = true;
  parts_.beside.start([path = parts_.settings.config_path, in_force = parts_.reconciler.in_force(),
                       before = last_] { return look(path, in_force, before); },
                      [this](Look look) {
                        last_ = std::move(look);
                        state_ = last_.state;
                        looking_ = false;
                        look_at_ = Loop::now() + kInterval;
                      });
}

}  // namespace sallyport::control
