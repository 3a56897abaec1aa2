#include "dataplane/stages/rewrite.h"

#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

// Where the transport sum stands; 0 when there is none to keep (a quote may end before it).
std::size_t sum_offset(const std::uint8_t* frame, const Located& h) {
  switch (h.protocol) {
    case IpProtocol::kTcp:
      return h.l4 + 18U > h.end ? 0 : h.l4 + 16U;
    case IpProtocol::kUdp:
      return (frame[h.l4 + 6U] | frame[h.l4 + 7U]) == 0 ? 0 : h.l4 + 6U;
    case IpProtocol::kIcmp6:
      return h.l4 + 2U;
    case IpProtocol::kIcmp:
      return 0;  // no pseudo header: addresses are not under it
  }
  return 0;
}

// Writes `after`; the change in the sums above it.
template <std::size_t kSize>
std::uint64_t replace(std::uint8_t* at, const std::uint8_t* after) {
  const std::uint64_t change =
      change_of<kSize>(Fixed<kSize>(at, kSize), Fixed<kSize>(after, kSize));
  std::memcpy(at, after, kSize);
  return change;
}

void correct(std::uint8_t* at, std::uint64_t change, bool udp = false) {
  std::uint16_t sum;
  std::memcpy(&sum, at, sizeof sum);
  sum = corrected(sum, change);
  // RFC 768: a computed zero is sent as all ones.
  if (udp && sum == 0) sum = 0xffff;
  std::memcpy(at, &sum, sizeof sum);
}

// The change of a packet's source or destination.
std::uint64_t set_address(std::uint8_t* ip, bool source, const IpAddress& to) {
  if (!to.is_v4()) return replace<16>(ip + (source ? 8 : 24), to.bytes().data());
  const std::uint64_t change = replace<4>(ip + (source ? 12 : 16), to.bytes().data() + 12);
  correct(ip + kIpv4SumOffset, change);
  return change;
}

// The change of a port, or of an echo's identifier, which is both ends' (RFC 5508 REQ-3).
std::uint64_t set_port(std::uint8_t* l4, IpProtocol protocol, bool source, std::uint16_t to) {
  const bool echo = protocol == IpProtocol::kIcmp;
  if (!echo && protocol != IpProtocol::kTcp && protocol != IpProtocol::kUdp) return 0;
  const std::array<std::uint8_t, 2> wire = {static_cast<std::uint8_t>(to >> 8),
                                            static_cast<std::uint8_t>(to)};
  return replace<2>(l4 + (echo ? 4 : source ? 0 : 2), wire.data());
}

Located located(const Headers& h) { return {h.l3, h.l4, h.end, h.protocol}; }

}  // namespace

Rewriting rewriting(const Flow& flow, Direction direction) noexcept {
  const bool from_client = direction == Direction::kFromClient;
  const bool source = flow.mapped() == from_client;
  if (from_client) return {source, flow.stand_in, flow.stand_in_port};
  return flow.mapped() ? Rewriting{source, flow.client, flow.client_port}
                       : Rewriting{source, flow.server, flow.server_port};
}

void rewrite_end(MutableBytes frame, const Located& h, const Rewriting& end) noexcept {
  // An IP header of its version, and eight bytes behind it: what is written below lies there, and
  // the sum of TCP where it is asked for.
  SALLYPORT_CHECK(h.l4 - h.l3 >= (end.address.is_v4() ? 20 : 40) && h.l4 + 8 <= h.end &&
                  h.end <= frame.size());
  std::uint8_t* const bytes = frame.data();
  const std::uint64_t address = set_address(bytes + h.l3, end.source, end.address);
  const std::uint64_t port = set_port(bytes + h.l4, h.protocol, end.source, end.port);
  // ICMP has no pseudo header.
  if (h.protocol == IpProtocol::kIcmp) return correct(bytes + h.l4 + 2, port);
  if (const std::size_t sum = sum_offset(bytes, h))
    correct(bytes + sum, address + port, h.protocol == IpProtocol::kUdp);
}

void rewrite(Packet& packet, const Flow& flow, Direction direction) noexcept {
  if (!flow.rewritten()) return;
  Headers& h = packet.meta().headers;
  const MutableBytes frame = packet.bytes();
  const Rewriting end = rewriting(flow, direction);
  rewrite_end(frame, located(h), end);
  (end.source ? h.source : h.destination) = end.address;
  (end.source ? h.source_port : h.destination_port) = end.port;
  // An echo has one identifier for both.
  if (h.protocol == IpProtocol::kIcmp) h.source_port = h.destination_port = end.port;
}

void rewrite_error(Packet& error, const Flow& flow, Direction quoted_went) noexcept {
  Headers& h = error.meta().headers;
  const MutableBytes frame = error.bytes();
  const std::size_t ip = h.version() == IpVersion::k4 ? 20 : 40;
  const Located quoted{h.payload, static_cast<std::uint16_t>(h.payload + ip), h.end, flow.protocol};
  // The error goes the other way, and comes from where the quote went.
  const Rewriting end = rewriting(flow, reversed(quoted_went));
  rewrite_end(frame, quoted, {!end.source, end.address, end.port});
  set_address(frame.subspan(h.l3, static_cast<std::size_t>(h.l4 - h.l3)).data(), end.source,
              end.address);
  (end.source ? h.source : h.destination) = end.address;
  put16(frame, h.l4 + 2U, 0);
  const ConstBytes message = frame.subspan(h.l4, static_cast<std::size_t>(h.end - h.l4));
  put16(frame, h.l4 + 2U, transport_sum(h.source, h.destination, h.protocol, message));
}

bool decrement_ttl(Packet& packet) noexcept {
  Headers& h = packet.meta().headers;
  if (h.ttl <= 1) return false;
  --h.ttl;
  lower_ttl(packet.bytes(), h.l3, h.version());
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
