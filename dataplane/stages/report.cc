#include "dataplane/stages/report.h"

#include <algorithm>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"
#include "dataplane/stages/parse.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint8_t kTtl = 64;
constexpr std::size_t kMostIpv4 = 576;        // RFC 1812 §4.3.2.3
constexpr std::size_t kMostIpv6 = kLeastMtu;  // RFC 4443 §2.4 (c)

void write_ip(Writer& out, const IpAddress& from, const IpAddress& to, std::size_t payload) {
  if (from.is_v4()) {
    out.be16(kEtherTypeIpv4);
    out.be16(0x4500);
    out.be16(static_cast<std::uint16_t>(kIpv4Size + payload));
    out.be32(0x00004000);  // do not fragment
    out.u8(kTtl);
    out.u8(static_cast<std::uint8_t>(IpProtocol::kIcmp));
    out.be16(0);
    out.be32(from.v4_value());
    out.be32(to.v4_value());
    return;
  }
  out.be16(kEtherTypeIpv6);
  out.be32(0x60000000);
  out.be16(static_cast<std::uint16_t>(payload));
  out.u8(static_cast<std::uint8_t>(IpProtocol::kIcmp6));
  out.u8(kTtl);
  out.bytes(from.bytes());
  out.bytes(to.bytes());
}

// Type, code, no sum yet, and the four bytes before the quote.
void write_trouble(Writer& out, bool v4, Trouble trouble, std::uint16_t mtu) {
  const bool too_big = trouble == Trouble::kTooBig;
  out.u8(too_big ? (v4 ? 3 : 2) : (v4 ? 11 : 3));
  out.u8(too_big && v4 ? 4 : 0);
  out.be16(0);
  out.be32(too_big ? mtu : 0);
}

}  // namespace

Packet make_report(PacketPool& pool, const Packet& packet, const IpAddress& own, Trouble trouble,
                   std::uint16_t mtu) noexcept {
  const Headers& h = packet.meta().headers;
  const bool v4 = h.version() == IpVersion::k4;
  if (own.is_v4() != v4) return {};
  const std::size_t head = (v4 ? kIpv4Size : kIpv6Size) + kIcmpSize;
  const std::size_t quote =
      std::min<std::size_t>(h.end - h.l3, (v4 ? kMostIpv4 : kMostIpv6) - head);
  Packet out = pool.alloc();
  if (!out || !out.resize(kEthernetSize + head + quote)) return {};
  const MutableBytes frame = out.bytes();
  Writer writer(frame);
  writer.bytes(h.source_mac.bytes());
  writer.bytes(h.destination_mac.bytes());
  write_ip(writer, own, h.source, kIcmpSize + quote);
  const std::size_t icmp = writer.size();
  write_trouble(writer, v4, trouble, mtu);
  writer.bytes(packet.bytes().subspan(h.l3, quote));
  put16(frame, icmp + 2,
        transport_sum(own, h.source, v4 ? IpProtocol::kIcmp : IpProtocol::kIcmp6,
                      ConstBytes(frame).subspan(icmp)));
  if (v4) {
    InternetSum sum;
    sum.add(ConstBytes(frame).subspan(kEthernetSize, kIpv4Size));
    put16(frame, kEthernetSize + 10, sum.finish());
  }
  if (parse_frame(out.bytes(), out.meta().headers)) return {};
  return out;
}

}  // namespace sallyport::dataplane
