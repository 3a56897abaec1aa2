// rewrite: the address and port of a terminated flow, on the way in to the listener and back out
// again. Sums are updated, not recomputed (RFC 1624), so a packet that came damaged stays damaged.
//
// Thread: pure over the packet's bytes. The packet has passed the parser; its headers stay true.
#pragma once

#include "dataplane/dpdk/packet.h"
#include "dataplane/flow/flow.h"

namespace sallyport::dataplane {

[[gnu::noinline]] void rewrite(Packet& packet, const Flow& flow, Direction direction) noexcept;

// An ICMP error of which parse_quote() made sense, about a packet that a terminated flow's client
// was sent: destination and quoted source become the listener's. The error's own sum is computed
// anew, so it must have been right before.
void rewrite_error(Packet& error, const Flow& flow) noexcept;

// TTL or hop limit, one less; its sum with it. False (unchanged) when it is used up.
bool decrement_ttl(Packet& packet) noexcept;

// The transport sum as a receiver would check it (a UDP sum that is absent over IPv4 is right).
[[gnu::noinline]] bool transport_sum_right(const Packet& packet) noexcept;

}  // namespace sallyport::dataplane
