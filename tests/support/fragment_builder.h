// Fragments for tests, cut from whole frames by the book and nothing of the product's: RFC 791
// §3.2, RFC 8200 §4.5. Untagged frames only.
#pragma once

#include <cstdint>
#include <vector>

namespace sallyport::testing {

struct Cut {
  std::size_t offset;  // bytes of the datagram, without its IP header
  std::size_t size;
  bool more;
};
// That part of `frame`, as a frame.
std::vector<std::uint8_t> fragment_of(const std::vector<std::uint8_t>& frame, const Cut& cut,
                                      std::uint32_t id);
// All of it, in pieces of at most `size` bytes (a multiple of 8).
std::vector<std::vector<std::uint8_t>> fragments_of(const std::vector<std::uint8_t>& frame,
                                                    std::size_t size, std::uint32_t id);
// Backwards, by adding up: the frame whose fragments these are, in their order. Aborts the test's
// expectations by returning nothing if they do not adjoin.
std::vector<std::uint8_t> put_together(const std::vector<std::vector<std::uint8_t>>& fragments);

}  // namespace sallyport::testing
