// Memory handed from process to process. A *sealed* memfd can never change again: the receiver
// checks every seal before it maps, so what was verified is what is used. A *shared* one (the
// handover ring) may be written but never grow or shrink, so a mapping can never fault (SIGBUS)
// through the other side's doing.
//
// Failures leave nothing mapped or open. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "policy/base/bytes.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::os {

// A mapping with one owner.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(void* address, std::size_t size) noexcept : address_(address), size_(size) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  ConstBytes bytes() const noexcept { return {static_cast<const std::uint8_t*>(address_), size_}; }
  void* data() const noexcept { return address_; }
  std::size_t size() const noexcept { return size_; }
  explicit operator bool() const noexcept { return address_ != nullptr; }

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
};

// A new memfd with these bytes and all seals. `name` shows in /proc for people.
Result<UniqueFd> make_sealed(std::string_view name, ConstBytes bytes);

// Maps a received memfd read-only. Refused (kInvalid) unless it carries F_SEAL_SEAL, _SHRINK, _GROW
// and _WRITE ("memfd-not-sealed") and holds 1 to max_size bytes ("memfd-bad-size").
Result<Mapping> map_sealed(int fd, std::size_t max_size);

// A new zero-filled memfd of this size that both sides may write and neither may resize.
Result<UniqueFd> make_shared(std::string_view name, std::size_t size);

// Maps a shared memfd read-write. Refused unless it carries F_SEAL_SEAL, _SHRINK and _GROW and has
// exactly this size.
Result<Mapping> map_shared(int fd, std::size_t size);

}  // namespace sallyport::os
