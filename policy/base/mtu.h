// Bounds of a segment's MTU, in bytes of IP in one packet: what every link of IPv6 carries (RFC
// 8200 §5), and what an Ethernet frame holds (RFC 894, RFC 2464 §2).
#pragma once

#include <cstdint>

namespace sallyport {

inline constexpr std::uint16_t kLeastMtu = 1280;
inline constexpr std::uint16_t kMostMtu = 1500;

}  // namespace sallyport
