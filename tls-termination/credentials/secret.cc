#include "tls-termination/credentials/secret.h"

#include <sys/mman.h>

#include <cstring>
#include <utility>

namespace sallyport::terminator {

Secret::Secret(std::size_t size) : bytes_(size) {
  // Best effort: the daemon also locks all of its memory at start.
  if (size > 0) static_cast<void>(::mlock(bytes_.data(), bytes_.size()));
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

void Secret::wipe() noexcept {
  if (bytes_.empty()) return;
  ::explicit_bzero(bytes_.data(), bytes_.size());
  ::munlock(bytes_.data(), bytes_.size());
  bytes_.clear();
}

}  // namespace sallyport::terminator
