// parse, the messages that never leave a link: ARP, neighbour discovery, multicast listener
// reports. Like stages/parse.h, of which they are a part: any bytes in, Headers or one named reason
// out.
//
// Thread: pure. Sources: RFC 826, RFC 5227, RFC 4861 §6.1.1, §7.1, RFC 2710, RFC 3810 §5.2.
#pragma once

#include <optional>

#include "dataplane/headers.h"
#include "policy/base/bytes.h"
#include "policy/base/drop_reasons.h"

namespace sallyport::dataplane {

// `arp` begins behind the Ethernet header; out.l3 is set.
std::optional<Drop> parse_arp(ConstBytes arp, Headers& out) noexcept;
// `icmp` is a whole ICMPv6 message of type 133, 135 or 136; addresses, hop limit and type are set.
std::optional<Drop> parse_nd(ConstBytes icmp, Headers& out) noexcept;
// `body` is what follows an IPv6 header whose next header is hop-by-hop options: a listener report
// with its router alert, or an extension header that is not carried. Addresses and hop limit are
// set; moves out.l4 behind the options.
std::optional<Drop> parse_multicast_report(ConstBytes body, Headers& out) noexcept;

}  // namespace sallyport::dataplane
