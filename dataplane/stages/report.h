// report: the ICMP error that tells a packet's sender why the gateway, its router, did not send it
// on. RFC 792, RFC 1191 §4, RFC 1812 §4.3.2 and §5.2.7, RFC 4443 §2.4, §3.2 and §3.3. Who may be
// told is the pipeline's to say: senders that bind and policy let through, and no more often than
// stages/police.h allows.
#pragma once

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

enum class Trouble : std::uint8_t {
  kHopLimit,  // used up on its way
  kTooBig,    // for the next link, and it may not be cut
};

// An untagged frame from `own` to the sender of `packet`, link addresses not yet written. It quotes
// `packet` as it stands, up to what every host takes (576 bytes in IPv4, 1280 in IPv6). `mtu`: the
// next link's, kTooBig only. Empty when the pool is exhausted.
Packet make_report(PacketPool& pool, const Packet& packet, const IpAddress& own, Trouble trouble,
                   std::uint16_t mtu) noexcept;

}  // namespace sallyport::dataplane
