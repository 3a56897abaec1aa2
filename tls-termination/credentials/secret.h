// Bytes that must not outlive their use: locked in memory if the limits allow it, wiped when they
// go. Moved, never copied.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/base/bytes.h"

namespace sallyport::terminator {

class Secret {
 public:
  Secret() = default;
  // Room for exactly `size` bytes; it never grows, so no copy is ever left behind.
  explicit Secret(std::size_t size);
  Secret(Secret&& other) noexcept = default;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  MutableBytes space() { return bytes_; }
  ConstBytes bytes() const { return bytes_; }
  // Zeroes and forgets.
  void wipe() noexcept;

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace sallyport::terminator
