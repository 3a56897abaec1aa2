// clamp_mss: a SYN, or its answer, asks for no larger segments than the way through the gateway
// carries: the MSS option is lowered, never raised (RFC 9293 §3.7.1, RFC 6691). The sum is updated
// (RFC 1624), so a segment that came damaged stays damaged. Options that do not parse end the
// search; what stands before them is clamped.
#pragma once

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

// `packet`: TCP that the parser took. `mtu`: the smaller one of both segments', kLeastMtu or more.
[[gnu::noinline]] void clamp_mss(Packet& packet, std::uint16_t mtu) noexcept;

}  // namespace sallyport::dataplane
