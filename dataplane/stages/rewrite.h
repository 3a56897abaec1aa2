// rewrite: one end's address and port, where the other side knows them otherwise: the server's of a
// terminated flow, which is the listener; the client's behind NAPT44, which is the gateway's on the
// uplink. Sums are updated, not recomputed (RFC 1624), so a packet that came damaged stays damaged.
//
// Thread: pure over the packet's bytes. The packet has passed the parser; its headers stay true.
#pragma once

#include <bit>
#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/dpdk/packet.h"
#include "dataplane/flow/flow.h"

namespace sallyport::dataplane {

inline constexpr std::size_t kIpv4SumOffset = 10;

// What rewrite() does to a packet of a rewritten flow: which end, and what it becomes. Here and
// below `stood` is what FlowTable::stand_in() says of the flow.
struct Rewriting {
  bool source;
  const IpAddress& address;
  std::uint16_t port;
};
Rewriting rewriting(const Flow& flow, const IpAddress& stood, Direction direction) noexcept;

// Where a frame has what rewriting needs, as the parser found it.
struct Located {
  std::uint16_t l3;
  std::uint16_t l4;
  std::uint16_t end;
  IpProtocol protocol;
};
// To bytes alone: one end of a frame becomes what `end` says, and the sums stay as right as they
// were. First of what nearly all of it is, TCP with its whole header or UDP, over IPv4; `address`
// as it lies in memory.
[[gnu::always_inline]] inline void rewrite_ipv4(std::uint8_t* frame, const Located& at, bool source,
                                                std::uint32_t address,
                                                std::uint16_t port) noexcept {
  const auto replace = [](std::uint8_t* field, auto now) {
    decltype(now) was;
    std::memcpy(&was, field, sizeof was);
    std::memcpy(field, &now, sizeof now);
    return std::uint64_t{static_cast<decltype(now)>(~was)} + now;
  };
  std::uint8_t* const ip = frame + at.l3;
  std::uint8_t* const l4 = frame + at.l4;
  const bool tcp = at.protocol == IpProtocol::kTcp;
  std::uint64_t change = replace(ip + (source ? 12 : 16), address);
  std::uint16_t sum;
  std::memcpy(&sum, ip + kIpv4SumOffset, sizeof sum);
  sum = corrected(sum, change);
  std::memcpy(ip + kIpv4SumOffset, &sum, sizeof sum);

  change += replace(l4 + (source ? 0 : 2), std::byteswap(port));
  std::uint8_t* const field = l4 + (tcp ? 16 : 6);
  std::memcpy(&sum, field, sizeof sum);
  if (!tcp && sum == 0) return;  // there is none
  sum = corrected(sum, change);
  // RFC 768: a computed zero is sent as all ones.
  if (!tcp && sum == 0) [[unlikely]]
    sum = 0xffff;
  std::memcpy(field, &sum, sizeof sum);
}
[[gnu::noinline]] void rewrite_end(MutableBytes frame, const Located& at,
                                   const Rewriting& end) noexcept;

[[gnu::noinline]] void rewrite(Packet& packet, const Flow& flow, const IpAddress& stood,
                               Direction direction) noexcept;

// An ICMP error of which parse_quote() made sense, about a packet of a rewritten flow that went in
// the direction `quoted_went`: the error and its quote become what they would be on the side where
// that packet came from. The error's own sum is computed anew, so it must have been right before.
void rewrite_error(Packet& error, const Flow& flow, const IpAddress& stood,
                   Direction quoted_went) noexcept;

// TTL or hop limit, one less; its sum with it. False (unchanged) when it is used up.
bool decrement_ttl(Packet& packet) noexcept;
// The same of one that is not used up, in a frame whose IP header, checked, lies at `l3`.
inline void lower_ttl(MutableBytes frame, std::size_t l3, IpVersion version) noexcept {
  std::uint8_t* const ip = frame.data() + l3;
  if (version == IpVersion::k6) {
    --ip[7];
    return;
  }
  --ip[8];
  // RFC 1624 equation 3 for a word that becomes one less, as TTL's is in memory order: the sum
  // becomes one more, round its end, and never all ones.
  std::uint16_t sum;
  std::memcpy(&sum, ip + kIpv4SumOffset, sizeof sum);
  const std::uint32_t more = sum + 1U;
  sum = static_cast<std::uint16_t>(more + static_cast<std::uint32_t>(more >= 0xffff));
  std::memcpy(ip + kIpv4SumOffset, &sum, sizeof sum);
}

// The transport sum as a receiver would check it (a UDP sum that is absent over IPv4 is right).
[[gnu::noinline]] bool transport_sum_right(const Packet& packet) noexcept;

}  // namespace sallyport::dataplane
