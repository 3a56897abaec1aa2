#include "dataplane/stages/parse.h"

#include <algorithm>
#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"
#include "dataplane/stages/parse_link.h"
#include "policy/decide/plausible.h"

namespace sallyport::dataplane {
namespace {

using Reason = std::optional<Drop>;
// Of a datagram that is made whole; with its headers it is at most kMaxDatagram.
constexpr std::size_t kMaxPayload = kMaxDatagram - 64;

Reason parse_icmp(ConstBytes icmp, Headers& out) {
  if (icmp.size() < kIcmpSize) return Drop::kTruncatedTransport;
  out.icmp_type = icmp[0];
  out.payload = static_cast<std::uint16_t>(out.l4 + kIcmpSize);
  const bool v6 = out.protocol == IpProtocol::kIcmp6;
  const auto echo = [&](Message message) -> Reason {
    if (icmp[1] != 0) return Drop::kIcmpType;
    out.message = message;
    out.source_port = out.destination_port = u16_at(icmp, 4);
    return std::nullopt;
  };
  switch (icmp[0]) {
    case 8:
      return v6 ? Reason(Drop::kIcmpType) : echo(Message::kEchoRequest);
    case 0:
      return v6 ? Reason(Drop::kIcmpType) : echo(Message::kEchoReply);
    case 128:
      return v6 ? echo(Message::kEchoRequest) : Reason(Drop::kIcmpType);
    case 129:
      return v6 ? echo(Message::kEchoReply) : Reason(Drop::kIcmpType);
    case 133:
    case 135:
    case 136:
      return v6 ? parse_nd(icmp, out) : Reason(Drop::kIcmpType);
    case 134:
    case 137:
      return v6 ? Drop::kRogueRouter : Drop::kIcmpType;
    case 5:
    case 9:
      return v6 ? Drop::kIcmpType : Drop::kRogueRouter;
    case 1:
    case 2:
    case 4:
      if (!v6) return Drop::kIcmpType;
      break;
    case 3:
      break;
    case 11:
    case 12:
      if (v6) return Drop::kIcmpType;
      break;
    default:
      return Drop::kIcmpType;
  }
  out.message = Message::kIcmpError;
  return std::nullopt;
}

Reason parse_tcp(ConstBytes tcp, Headers& out) {
  if (tcp.size() < kTcpSize) return Drop::kTruncatedTransport;
  const auto fields = fixed<kTcpSize>(tcp, 0);
  const std::size_t header = std::size_t{u8<12>(fields)} >> 4 << 2;
  if (header < kTcpSize || header > tcp.size()) return Drop::kBadTransportLength;
  out.source_port = u16<0>(fields);
  out.destination_port = u16<2>(fields);
  if (out.source_port == 0 || out.destination_port == 0) return Drop::kPortZero;
  out.tcp_flags = u8<13>(fields);
  if (!tcp_flags_possible(out.tcp_flags)) return Drop::kTcpFlags;
  out.payload = static_cast<std::uint16_t>(out.l4 + header);
  out.message = Message::kTcp;
  return std::nullopt;
}

Reason parse_udp(ConstBytes udp, Headers& out) {
  if (udp.size() < kUdpSize) return Drop::kTruncatedTransport;
  const auto fields = fixed<kUdpSize>(udp, 0);
  if (u16<4>(fields) != udp.size()) return Drop::kBadTransportLength;
  out.source_port = u16<0>(fields);
  out.destination_port = u16<2>(fields);
  if (out.source_port == 0 || out.destination_port == 0) return Drop::kPortZero;
  // RFC 8200 §8.1: over IPv6 a UDP sum is never absent.
  if (u16<6>(fields) == 0 && out.version() == IpVersion::k6) return Drop::kBadTransportChecksum;
  out.payload = static_cast<std::uint16_t>(out.l4 + kUdpSize);
  out.message = Message::kUdp;
  return std::nullopt;
}

Reason parse_transport(ConstBytes frame, std::uint8_t protocol, Headers& out) {
  const bool v6 = out.version() == IpVersion::k6;
  const ConstBytes segment = slice(frame, out.l4, static_cast<std::size_t>(out.end - out.l4));
  switch (protocol) {
    case 6:
      out.protocol = IpProtocol::kTcp;
      return parse_tcp(segment, out);
    case 17:
      out.protocol = IpProtocol::kUdp;
      return parse_udp(segment, out);
    case 1:
      out.protocol = IpProtocol::kIcmp;
      return v6 ? Reason(Drop::kIpProtocol) : parse_icmp(segment, out);
    case 58:
      out.protocol = IpProtocol::kIcmp6;
      return v6 ? parse_icmp(segment, out) : Reason(Drop::kIpProtocol);
    default:
      return Drop::kIpProtocol;
  }
}

std::size_t smallest_header(IpProtocol protocol) {
  return protocol == IpProtocol::kTcp ? kTcpSize : kUdpSize;
}

// What a fragment must be before it may take room; `data` is what it has of its datagram, from
// byte `offset` on. RFC 791 §3.2, RFC 8200 §4.5. A first one holds its whole transport header (RFC
// 7112), so that of TCP nothing can begin in its second eight bytes (RFC 3128).
Reason parse_fragment(ConstBytes data, std::uint8_t protocol, std::size_t offset, bool more,
                      Headers& out) {
  const bool v6 = out.version() == IpVersion::k6;
  if (protocol != 6 && protocol != 17 && protocol != (v6 ? 58 : 1)) return Drop::kIpProtocol;
  out.protocol = static_cast<IpProtocol>(protocol);
  out.payload = out.l4;
  out.message = Message::kFragment;
  if (v6 && offset == 0 && !more) {
    out.message = Message::kAtomicFragment;
    return std::nullopt;
  }
  const std::size_t least = offset == 0 ? smallest_header(out.protocol) : 1;
  if (data.size() < least || (more && data.size() % 8 != 0) ||
      (offset == 8 && out.protocol == IpProtocol::kTcp) || offset + data.size() > kMaxPayload) {
    return Drop::kFragmentMalformed;
  }
  return std::nullopt;
}

Reason parse_fragment4(ConstBytes frame, Headers& out) {
  const auto ip = fixed<kIpv4Size>(frame, out.l3);
  const std::uint16_t word = u16<6>(ip);
  if ((word & 0x8000) != 0) return Drop::kFragment;  // reserved, must be zero
  out.fragment_id = u16<4>(ip);
  const ConstBytes data = slice(frame, out.l4, static_cast<std::size_t>(out.end - out.l4));
  return parse_fragment(data, u8<9>(ip), std::size_t{word & 0x1fffU} * 8, (word & 0x2000) != 0,
                        out);
}

Reason parse_fragment6(ConstBytes frame, Headers& out) {
  const ConstBytes payload = slice(frame, out.l4, static_cast<std::size_t>(out.end - out.l4));
  if (payload.size() < kFragmentHeaderSize) return Drop::kRunt;
  const auto fields = fixed<kFragmentHeaderSize>(payload, 0);
  // A second one belongs to nothing that anybody sends.
  if (u8<0>(fields) == 44) return Drop::kFragment;
  out.l4 = static_cast<std::uint16_t>(out.l4 + kFragmentHeaderSize);
  out.fragment_id = std::byteswap(field<std::uint32_t, 4>(fields));
  const std::uint16_t word = u16<2>(fields);
  return parse_fragment(payload.subspan(kFragmentHeaderSize), u8<0>(fields), word & 0xfff8U,
                        (word & 1) != 0, out);
}

// A mapped address on the wire would be taken for IPv4 by every table (RFC 4038 §4.2).
Reason check_v6_addresses(const Headers& h) {
  if (h.source.is_v4()) return Drop::kMartianSource;
  if (h.destination.is_v4()) return Drop::kMartianDestination;
  return decide::implausible_addresses(h.source, h.destination);
}

Reason parse_ipv4(ConstBytes frame, Headers& out) {
  const std::size_t room = frame.size() - out.l3;
  if (room < kIpv4Size) return Drop::kRunt;
  const auto ip = fixed<kIpv4Size>(frame, out.l3);
  if (ip[0] >> 4 != 4) return Drop::kIpVersion;
  const std::size_t header = std::size_t{ip[0] & 0x0fU} * 4;
  if (header < kIpv4Size || header > room) return Drop::kBadHeaderLength;
  const std::size_t total = u16<2>(ip);
  if (total < header || total > room) return Drop::kBadTotalLength;
  InternetSum sum;
  sum.add(ip);
  if (header != kIpv4Size) sum.add(slice(frame, out.l3 + kIpv4Size, header - kIpv4Size));
  if (sum.finish() != 0) return Drop::kBadIpChecksum;
  if (header != kIpv4Size) return Drop::kIpOptions;
  out.source = v4<12>(ip);
  out.destination = v4<16>(ip);
  out.ttl = u8<8>(ip);
  out.l4 = static_cast<std::uint16_t>(out.l3 + header);
  out.end = static_cast<std::uint16_t>(out.l3 + total);
  if (auto bad = decide::implausible_addresses(out.source, out.destination)) return bad;
  if (out.ttl == 0) return Drop::kTtlExpired;
  // More fragments, an offset, or the reserved bit.
  if ((u16<6>(ip) & 0xbfff) != 0) return Drop::kFragment;
  return parse_transport(frame, u8<9>(ip), out);
}

Reason parse_ipv6(ConstBytes frame, Headers& out) {
  const std::size_t room = frame.size() - out.l3;
  if (room < kIpv6Size) return Drop::kRunt;
  const auto ip = fixed<kIpv6Size>(frame, out.l3);
  if (ip[0] >> 4 != 6) return Drop::kIpVersion;
  const std::size_t payload = u16<4>(ip);
  if (payload > room - kIpv6Size) return Drop::kBadTotalLength;
  out.source = v6<8>(ip);
  out.destination = v6<24>(ip);
  out.ttl = u8<7>(ip);
  out.l4 = static_cast<std::uint16_t>(out.l3 + kIpv6Size);
  out.end = static_cast<std::uint16_t>(out.l4 + payload);
  if (auto bad = check_v6_addresses(out)) return bad;
  if (out.ttl == 0) return Drop::kTtlExpired;
  switch (ip[6]) {
    case 44:
      return Drop::kFragment;
    case 0:
      return parse_multicast_report(frame.subspan(out.l4, payload), out);
    case 43:   // routing
    case 50:   // ESP
    case 51:   // AH
    case 60:   // destination options
    case 135:  // mobility
    case 139:  // HIP
    case 140:  // shim6
      return Drop::kExtensionHeader;
    default:
      return parse_transport(frame, ip[6], out);
  }
}

// Leaves `type` and out.l3 behind the tag, if there is one.
Reason parse_vlan(ConstBytes frame, std::uint16_t& type, Headers& out) {
  constexpr auto is_tag = [](std::uint16_t t) {
    return t == kEtherTypeVlan || t == 0x88a8 || t == 0x9100;
  };
  out.l3 = kEthernetSize;
  if (!is_tag(type)) return std::nullopt;
  if (type != kEtherTypeVlan) return Drop::kQinQ;
  if (frame.size() < kEthernetSize + kVlanTagSize) return Drop::kRunt;
  out.vlan = u16_at(frame, 14) & 0x0fff;
  type = u16_at(frame, 16);
  if (is_tag(type)) return Drop::kQinQ;
  if (out.vlan == 0 || out.vlan == 0x0fff) return Drop::kVlanInvalid;
  out.l3 = kEthernetSize + kVlanTagSize;
  return std::nullopt;
}

}  // namespace

[[gnu::flatten]] std::optional<Drop> parse_headers(ConstBytes frame, std::size_t most,
                                                   Headers& out) noexcept {
  static constexpr Headers kNothing;
  // Moves of sixteen bytes; of an assignment g++ 12 makes `rep stos`, which costs more than
  // parsing.
  std::memcpy(&out, &kNothing, sizeof out);
  if (frame.size() < kEthernetSize) return Drop::kRunt;
  if (frame.size() > kEthernetSize + kVlanTagSize + most) return Drop::kGiant;
  const auto ethernet = fixed<kEthernetSize>(frame, 0);
  read_mac<0>(ethernet, out.destination_mac);
  read_mac<6>(ethernet, out.source_mac);
  // The sender's MAC, its first byte lowest; behind it stand two bytes of the type.
  const std::uint64_t sender = field<std::uint64_t, 6>(ethernet) & 0xffff'ffff'ffff;
  if ((sender & 1) != 0 || sender == 0) return Drop::kBadSourceMac;
  std::uint16_t type = u16<12>(ethernet);
  if (auto bad = parse_vlan(frame, type, out)) return bad;
  if (frame.size() - out.l3 > most) return Drop::kGiant;
  switch (type) {
    case kEtherTypeArp:
      return parse_arp(frame.subspan(out.l3), out);
    case kEtherTypeIpv4:
      return parse_ipv4(frame, out);
    case kEtherTypeIpv6:
      return parse_ipv6(frame, out);
    default:
      return type <= kMtu ? Drop::kLlcFrame : Drop::kEtherType;
  }
}

std::optional<Drop> parse_fragment(ConstBytes frame, Headers& out) noexcept {
  return out.version() == IpVersion::k4 ? parse_fragment4(frame, out) : parse_fragment6(frame, out);
}

std::optional<Drop> parse_datagram(ConstBytes frame, Headers& out) noexcept {
  if (auto bad = parse_headers(frame, kMaxDatagram, out)) return bad;
  return out.is_neighbour() || out.is_for_router() ? Reason(Drop::kFragment) : std::nullopt;
}

std::optional<QuotedFlow> parse_quote(ConstBytes frame, const Headers& error) noexcept {
  const ConstBytes quote =
      frame.subspan(error.payload, static_cast<std::size_t>(error.end - error.payload));
  QuotedFlow flow;
  std::size_t l4 = 0;
  std::uint8_t protocol = 0;
  if (error.version() == IpVersion::k4) {
    if (quote.size() < kIpv4Size || quote[0] != 0x45 || (u16_at(quote, 6) & 0x1fff) != 0) {
      return std::nullopt;
    }
    flow.source = v4_at(quote, 12);
    flow.destination = v4_at(quote, 16);
    protocol = quote[9];
    l4 = kIpv4Size;
  } else {
    if (quote.size() < kIpv6Size || quote[0] >> 4 != 6) return std::nullopt;
    flow.source = v6_at(quote, 8);
    flow.destination = v6_at(quote, 24);
    if (flow.source.is_v4() || flow.destination.is_v4()) return std::nullopt;
    protocol = quote[6];
    l4 = kIpv6Size;
  }
  if (quote.size() < l4 + 8) return std::nullopt;
  flow.protocol = static_cast<IpProtocol>(protocol);
  switch (flow.protocol) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
      flow.source_port = u16_at(quote, l4);
      flow.destination_port = u16_at(quote, l4 + 2);
      return flow;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmp6:
      if ((flow.protocol == IpProtocol::kIcmp6) != (error.version() == IpVersion::k6)) {
        return std::nullopt;
      }
      flow.source_port = flow.destination_port = u16_at(quote, l4 + 4);
      return flow;
  }
  return std::nullopt;
}

}  // namespace sallyport::dataplane
