#include "dataplane/stages/rewrite.h"

#include <bit>
#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::size_t kIpv4Sum = 10;

void put16(MutableBytes b, std::size_t at, std::uint16_t value) {
  value = std::byteswap(value);
  std::memcpy(b.subspan(at, sizeof value).data(), &value, sizeof value);
}

// Offset of the transport sum; 0 when there is none to keep (a quote may end before it).
std::size_t sum_offset(ConstBytes frame, const Headers& h) {
  switch (h.protocol) {
    case IpProtocol::kTcp:
      return h.l4 + 18U > h.end ? 0 : h.l4 + 16U;
    case IpProtocol::kUdp:
      return u16_at(frame, h.l4 + 6U) == 0 ? 0 : h.l4 + 6U;
    case IpProtocol::kIcmp6:
      return h.l4 + 2U;
    case IpProtocol::kIcmp:
      return 0;  // no pseudo header: addresses are not under it
  }
  return 0;
}

void update(MutableBytes frame, std::size_t sum, bool udp, ConstBytes before, ConstBytes after) {
  std::uint16_t value = updated_sum(u16_at(frame, sum), before, after);
  // RFC 768: a computed zero is sent as all ones.
  if (udp && value == 0) value = 0xffff;
  put16(frame, sum, value);
}

void set_address(MutableBytes frame, const Headers& h, bool source, const IpAddress& to) {
  const bool v4 = to.is_v4();
  const std::size_t size = v4 ? 4 : 16;
  const std::size_t at = h.l3 + (v4 ? (source ? 12U : 16U) : (source ? 8U : 24U));
  const ConstBytes after = ConstBytes(to.bytes()).last(size);
  const MutableBytes field = frame.subspan(at, size);
  if (v4) update(frame, h.l3 + kIpv4Sum, false, field, after);
  if (const std::size_t sum = sum_offset(frame, h)) {
    update(frame, sum, h.protocol == IpProtocol::kUdp, field, after);
  }
  std::ranges::copy(after, field.begin());
}

// Of an echo: its identifier, both ends' (RFC 5508 REQ-3).
void set_port(MutableBytes frame, const Headers& h, bool source, std::uint16_t to) {
  const bool echo = h.protocol == IpProtocol::kIcmp;
  if (!echo && h.protocol != IpProtocol::kTcp && h.protocol != IpProtocol::kUdp) return;
  const std::size_t at = h.l4 + (echo ? 4U : source ? 0U : 2U);
  const std::array<std::uint8_t, 2> after = {static_cast<std::uint8_t>(to >> 8),
                                             static_cast<std::uint8_t>(to)};
  if (const std::size_t sum = echo ? h.l4 + 2U : sum_offset(frame, h)) {
    update(frame, sum, h.protocol == IpProtocol::kUdp, frame.subspan(at, 2), after);
  }
  put16(frame, at, to);
}

}  // namespace

Rewriting rewriting(const Flow& flow, Direction direction) noexcept {
  const bool from_client = direction == Direction::kFromClient;
  const bool source = flow.mapped() == from_client;
  if (from_client) return {source, flow.stand_in, flow.stand_in_port};
  return flow.mapped() ? Rewriting{source, flow.client, flow.client_port}
                       : Rewriting{source, flow.server, flow.server_port};
}

void rewrite(Packet& packet, const Flow& flow, Direction direction) noexcept {
  if (!flow.rewritten()) return;
  Headers& h = packet.meta().headers;
  const MutableBytes frame = packet.bytes();
  const auto [source, address, port] = rewriting(flow, direction);
  set_address(frame, h, source, address);
  set_port(frame, h, source, port);
  (source ? h.source : h.destination) = address;
  (source ? h.source_port : h.destination_port) = port;
  // An echo has one identifier for both.
  if (h.protocol == IpProtocol::kIcmp) h.source_port = h.destination_port = port;
}

void rewrite_error(Packet& error, const Flow& flow, Direction quoted_went) noexcept {
  Headers& h = error.meta().headers;
  const MutableBytes frame = error.bytes();
  Headers quoted;
  quoted.protocol = flow.protocol;
  quoted.l3 = h.payload;
  quoted.l4 = static_cast<std::uint16_t>(quoted.l3 + (h.version() == IpVersion::k4 ? 20 : 40));
  quoted.end = h.end;
  // The error goes the other way, and comes from where the quote went.
  const auto [source, address, port] = rewriting(flow, reversed(quoted_went));
  set_address(frame, quoted, !source, address);
  set_port(frame, quoted, !source, port);
  set_address(frame, h, source, address);
  (source ? h.source : h.destination) = address;
  put16(frame, h.l4 + 2U, 0);
  const ConstBytes message = frame.subspan(h.l4, static_cast<std::size_t>(h.end - h.l4));
  put16(frame, h.l4 + 2U, transport_sum(h.source, h.destination, h.protocol, message));
}

bool decrement_ttl(Packet& packet) noexcept {
  Headers& h = packet.meta().headers;
  if (h.ttl <= 1) return false;
  --h.ttl;
  const MutableBytes frame = packet.bytes();
  if (h.version() == IpVersion::k6) {
    frame[h.l3 + 7U] = h.ttl;
    return true;
  }
  const MutableBytes ip = frame.subspan(h.l3, kIpv4Sum + 2);
  const std::uint16_t before = u16_at(ip, 8);
  put16(ip, 8, static_cast<std::uint16_t>(before - 0x100));
  put16(ip, kIpv4Sum, updated_sum(u16_at(ip, kIpv4Sum), before, u16_at(ip, 8)));
  return true;
}

bool transport_sum_right(const Packet& packet) noexcept {
  const Headers& h = packet.meta().headers;
  const ConstBytes frame = packet.bytes();
  if (h.protocol == IpProtocol::kUdp && h.version() == IpVersion::k4 &&
      u16_at(frame, h.l4 + 6U) == 0) {
    return true;
  }
  const ConstBytes segment = frame.subspan(h.l4, static_cast<std::size_t>(h.end - h.l4));
  return transport_sum(h.source, h.destination, h.protocol, segment) == 0;
}

}  // namespace sallyport::dataplane
