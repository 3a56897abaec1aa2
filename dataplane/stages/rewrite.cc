#include "dataplane/stages/rewrite.h"

#include <bit>
#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

// Writes `after`; the change in the sums above it.
template <std::size_t kSize>
std::uint64_t replace(std::uint8_t* at, const std::uint8_t* after) {
  const std::uint64_t change =
      change_of<kSize>(Fixed<kSize>(at, kSize), Fixed<kSize>(after, kSize));
  std::memcpy(at, after, kSize);
  return change;
}

void correct(std::uint8_t* at, std::uint64_t change) {
  std::uint16_t sum;
  std::memcpy(&sum, at, sizeof sum);
  sum = corrected(sum, change);
  std::memcpy(at, &sum, sizeof sum);
}

std::uint32_t in_memory(const IpAddress& v4) {
  return static_cast<std::uint32_t>(v4.words()[1] >> 32);
}

// The change of a packet's source or destination; IPv4's own sum follows.
std::uint64_t set_address(std::uint8_t* ip, bool source, const IpAddress& to) {
  if (!to.is_v4()) return replace<16>(ip + (source ? 8 : 24), to.bytes().data());
  const std::uint64_t change = replace<4>(ip + (source ? 12 : 16), to.bytes().data() + 12);
  correct(ip + kIpv4SumOffset, change);
  return change;
}

// The change of a port, or of an echo's identifier, which both stand in two bytes at `at`.
std::uint64_t set_port(std::uint8_t* at, std::uint16_t to) {
  to = std::byteswap(to);
  std::array<std::uint8_t, 2> wire;
  std::memcpy(wire.data(), &to, sizeof to);
  return replace<2>(at, wire.data());
}

Located located(const Headers& h) { return {h.l3, h.l4, h.end, h.protocol}; }

}  // namespace

Rewriting rewriting(const Flow& flow, const IpAddress& stood, Direction direction) noexcept {
  const bool from_client = direction == Direction::kFromClient;
  const bool source = flow.mapped() == from_client;
  if (from_client) return {source, stood, static_cast<std::uint16_t>(flow.stand_in_port)};
  return flow.mapped() ? Rewriting{source, flow.client, flow.at_client.port}
                       : Rewriting{source, flow.server, flow.at_server.port};
}

void rewrite_end(MutableBytes frame, const Located& h, const Rewriting& end) noexcept {
  // An IP header of its version, and eight bytes behind it: what is written below lies there, and
  // the sum of TCP where it is asked for.
  SALLYPORT_CHECK(h.l4 - h.l3 >= (end.address.is_v4() ? 20 : 40) && h.l4 + 8 <= h.end &&
                  h.end <= frame.size());
  std::uint8_t* const bytes = frame.data();
  std::uint8_t* const l4 = bytes + h.l4;
  // A quote may end before TCP's sum.
  const bool whole_tcp = h.protocol == IpProtocol::kTcp && h.l4 + 18 <= h.end;
  if (end.address.is_v4() && (whole_tcp || h.protocol == IpProtocol::kUdp))
    return rewrite_ipv4(bytes, h, end.source, in_memory(end.address), end.port);
  const std::uint64_t change = set_address(bytes + h.l3, end.source, end.address);
  switch (h.protocol) {
    case IpProtocol::kTcp: {
      const std::uint64_t port = set_port(l4 + (end.source ? 0 : 2), end.port);
      if (whole_tcp) correct(l4 + 16, change + port);
      return;
    }
    case IpProtocol::kUdp: {
      // Over IPv6, where none is zero (RFC 8200 §8.1); only a quote may say so.
      const std::uint64_t port = set_port(l4 + (end.source ? 0 : 2), end.port);
      if ((l4[6] | l4[7]) == 0) return;
      correct(l4 + 6, change + port);
      if ((l4[6] | l4[7]) == 0) l4[6] = l4[7] = 0xff;
      return;
    }
    case IpProtocol::kIcmp:
      // An echo's identifier is both ends' (RFC 5508 REQ-3), and there is no pseudo header.
      return correct(l4 + 2, set_port(l4 + 4, end.port));
    case IpProtocol::kIcmp6:
      return correct(l4 + 2, change);
  }
}

void rewrite(Packet& packet, const Flow& flow, const IpAddress& stood,
             Direction direction) noexcept {
  if (!flow.rewritten()) return;
  Headers& h = packet.meta().headers;
  const MutableBytes frame = packet.bytes();
  const Rewriting end = rewriting(flow, stood, direction);
  rewrite_end(frame, located(h), end);
  (end.source ? h.source : h.destination) = end.address;
  (end.source ? h.source_port : h.destination_port) = end.port;
  // An echo has one identifier for both.
  if (h.protocol == IpProtocol::kIcmp) h.source_port = h.destination_port = end.port;
}

void rewrite_error(Packet& error, const Flow& flow, const IpAddress& stood,
                   Direction quoted_went) noexcept {
  Headers& h = error.meta().headers;
  const MutableBytes frame = error.bytes();
  const std::size_t ip = h.version() == IpVersion::k4 ? 20 : 40;
  const Located quoted{h.payload, static_cast<std::uint16_t>(h.payload + ip), h.end, flow.protocol};
  // The error goes the other way, and comes from where the quote went.
  const Rewriting end = rewriting(flow, stood, reversed(quoted_went));
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
