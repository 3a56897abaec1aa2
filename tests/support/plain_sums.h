// Whether a frame's sums and lengths are right, asked without any of the product's code: plain
// loops over the bytes, for IPv4 and IPv6 without extension headers, TCP and UDP.
#pragma once

#include <cstdint>
#include <string>

#include "policy/base/bytes.h"

namespace sallyport::testing {

// The folded sum of `bytes` as big-endian words, not inverted.
inline std::uint32_t plain_words(ConstBytes bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<std::uint32_t>(i % 2 == 0 ? bytes[i] << 8 : bytes[i]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// What is wrong with it; empty if nothing.
inline std::string wrong_with(ConstBytes frame) {
  if (frame.size() < 54 - 20) return "too short";
  const bool v4 = frame[12] == 0x08 && frame[13] == 0x00;
  if (!v4 && !(frame[12] == 0x86 && frame[13] == 0xdd)) return "not IP";
  const ConstBytes ip = frame.subspan(14);
  const auto word = [&](std::size_t at) {
    return static_cast<std::size_t>(ip[at] << 8 | ip[at + 1]);
  };
  const std::size_t head = v4 ? (ip[0] & 0x0fU) * 4U : 40;
  if (ip.size() < head) return "shorter than its IP header";
  const std::size_t stated = v4 ? word(2) : word(4) + 40;
  if (stated != ip.size()) return "not as long as it says";
  if (v4 && plain_words(ip.first(head)) != 0xffff) return "IPv4's sum";
  const std::uint8_t protocol = ip[v4 ? 9 : 6];
  const ConstBytes segment = ip.subspan(head);
  std::uint32_t sum = plain_words(v4 ? ip.subspan(12, 8) : ip.subspan(8, 32));
  sum = plain_words(segment, sum + protocol + static_cast<std::uint32_t>(segment.size()));
  if ((protocol == 6 || protocol == 17) && sum != 0xffff) return "the transport's sum";
  return "";
}

}  // namespace sallyport::testing
