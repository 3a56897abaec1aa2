#include "policy/os/memfd.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

#include "policy/os/system_error.h"

namespace sallyport::os {
namespace {

constexpr int kFixedSize = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int kFrozen = kFixedSize | F_SEAL_WRITE;

Result<UniqueFd> create(std::string_view name) {
  UniqueFd fd(::memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail(system_error("memfd-create", name));
  return fd;
}

Result<std::size_t> checked_size(int fd, int seals) {
  const int have = ::fcntl(fd, F_GET_SEALS);
  if (have < 0 || (have & seals) != seals) {
    return fail(ErrorKind::kInvalid, "memfd-not-sealed",
                "the descriptor is not a memfd with every seal");
  }
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return fail(system_error("memfd-stat", "fstat"));
  return static_cast<std::size_t>(status.st_size);
}

Result<Mapping> map(int fd, std::size_t size, int protection) {
  void* address = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return fail(system_error("memfd-map", "mmap"));
  return Mapping(address, size);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (address_ != nullptr) ::munmap(address_, size_);
}

Result<UniqueFd> make_sealed(std::string_view name, ConstBytes bytes) {
  SALLYPORT_TRY(UniqueFd fd, create(name));
  for (ConstBytes rest = bytes; !rest.empty();) {
    const ssize_t wrote = ::write(fd.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail(system_error("memfd-write", name));
    rest = rest.subspan(static_cast<std::size_t>(wrote));
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, kFrozen) != 0) return fail(system_error("memfd-seal", name));
  return fd;
}

Result<Mapping> map_sealed(int fd, std::size_t max_size) {
  SALLYPORT_TRY(const std::size_t size, checked_size(fd, kFrozen));
  if (size == 0 || size > max_size) {
    return fail(ErrorKind::kInvalid, "memfd-bad-size",
                fmt::format("{} bytes; 1 to {} are accepted", size, max_size));
  }
  return map(fd, size, PROT_READ);
}

Result<UniqueFd> make_shared(std::string_view name, std::size_t size) {
  SALLYPORT_TRY(UniqueFd fd, create(name));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return fail(system_error("memfd-resize", name));
  if (::fcntl(fd.get(), F_ADD_SEALS, kFixedSize) != 0)
    return fail(system_error("memfd-seal", name));
  return fd;
}

Result<Mapping> map_shared(int fd, std::size_t size) {
  SALLYPORT_TRY(const std::size_t have, checked_size(fd, kFixedSize));
  if (have != size) {
    return fail(ErrorKind::kInvalid, "memfd-bad-size",
                fmt::format("{} bytes instead of {}", have, size));
  }
  return map(fd, size, PROT_READ | PROT_WRITE);
}

}  // namespace sallyport::os
