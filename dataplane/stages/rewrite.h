// rewrite: one end's address and port, where the other side knows them otherwise: the server's of a
// terminated flow, which is the listener; the client's behind NAPT44, which is the gateway's on the
// uplink. Sums are updated, not recomputed (RFC 1624), so a packet that came damaged stays damaged.
//
// Thread: pure over the packet's bytes. The packet has passed the parser; its headers stay true.
#pragma once

#include "dataplane/dpdk/packet.h"
#include "dataplane/flow/flow.h"

namespace sallyport::dataplane {

// What rewrite() does to a packet of a rewritten flow: which end, and what it becomes.
struct Rewriting {
  bool source;
  const IpAddress& address;
  std::uint16_t port;
};
Rewriting rewriting(const Flow& flow, Direction direction) noexcept;

[[gnu::noinline]] void rewrite(Packet& packet, const Flow& flow, Direction direction) noexcept;

// An ICMP error of which parse_quote() made sense, about a packet of a rewritten flow that went in
// the direction `quoted_went`: the error and its quote become what they would be on the side where
// that packet came from. The error's own sum is computed anew, so it must have been right before.
void rewrite_error(Packet& error, const Flow& flow, Direction quoted_went) noexcept;

// TTL or hop limit, one less; its sum with it. False (unchanged) when it is used up.
bool decrement_ttl(Packet& packet) noexcept;

// The transport sum as a receiver would check it (a UDP sum that is absent over IPv4 is right).
[[gnu::noinline]] bool transport_sum_right(const Packet& packet) noexcept;

}  // namespace sallyport::dataplane
