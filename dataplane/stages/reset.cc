#include "dataplane/stages/reset.h"

#include "dataplane/checksum.h"
#include "dataplane/stages/parse.h"

namespace sallyport::dataplane {
namespace {
constexpr std::uint8_t kTtl = 64;
}

Packet make_reset(PacketPool& pool, const Packet& segment) noexcept {
  const Headers& h = segment.meta().headers;
  if (h.message != Message::kTcp || (h.tcp_flags & kTcpAck) == 0 || (h.tcp_flags & kTcpRst) != 0) {
    return {};
  }
  std::array<std::uint8_t, 20> tcp{};
  Writer t(tcp);
  t.be16(h.destination_port);
  t.be16(h.source_port);
  t.bytes(segment.bytes().subspan(h.l4 + 8U, 4));  // SEQ = SEG.ACK
  t.be32(0);
  t.u8(5 << 4);
  t.u8(kTcpRst);
  const std::uint16_t sum = transport_sum(h.destination, h.source, IpProtocol::kTcp, tcp);
  tcp[16] = static_cast<std::uint8_t>(sum >> 8);
  tcp[17] = static_cast<std::uint8_t>(sum);
  std::array<std::uint8_t, 74> space{};
  Writer out(space);
  out.bytes(h.source_mac.bytes());
  out.bytes(h.destination_mac.bytes());
  if (h.version() == IpVersion::k4) {
    out.be16(kEtherTypeIpv4);
    std::array<std::uint8_t, 20> ip{};
    Writer i(ip);
    i.be16(0x4500);
    i.be16(40);
    i.be32(0x00004000);  // do not fragment
    i.u8(kTtl);
    i.u8(static_cast<std::uint8_t>(IpProtocol::kTcp));
    i.be16(0);
    i.be32(h.destination.v4_value());
    i.be32(h.source.v4_value());
    InternetSum header;
    header.add(ConstBytes(ip));
    const std::uint16_t s = header.finish();
    ip[10] = static_cast<std::uint8_t>(s >> 8);
    ip[11] = static_cast<std::uint8_t>(s);
    out.bytes(ip);
  } else {
    out.be16(kEtherTypeIpv6);
    out.be32(0x60000000);
    out.be16(20);
    out.u8(static_cast<std::uint8_t>(IpProtocol::kTcp));
    out.u8(kTtl);
    out.bytes(h.destination.bytes());
    out.bytes(h.source.bytes());
  }
  out.bytes(tcp);
  Packet packet = pool.copy_of(out.written());
  if (packet && parse_frame(packet.bytes(), packet.meta().headers)) return {};
  return packet;
}

}  // namespace sallyport::dataplane
