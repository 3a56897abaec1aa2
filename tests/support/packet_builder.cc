#include "tests/support/packet_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

void be16(Bytes& out, unsigned v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
void be32(Bytes& out, std::uint32_t v) {
  be16(out, v >> 16);
  be16(out, v & 0xffff);
}
void append(Bytes& out, ConstBytes b) { out.insert(out.end(), b.begin(), b.end()); }

// Deliberately not the product's sum: plain, over one buffer.
std::uint16_t plain_sum(Bytes b) {
  if (b.size() % 2 != 0) b.push_back(0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < b.size(); i += 2)
    sum += static_cast<std::uint32_t>(b[i] << 8 | b[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}
void put_sum(Bytes& b, std::size_t at, std::uint16_t sum) {
  b[at] = static_cast<std::uint8_t>(sum >> 8);
  b[at + 1] = static_cast<std::uint8_t>(sum);
}
// What stands behind the sum of an ICMP error: four bytes and the quote.
Bytes quoting(const Bytes& packet, std::uint32_t word, bool v4) {
  Bytes out;
  be32(out, word);
  const std::size_t ip_at = packet[12] == 0x81 ? 18 : 14;
  const ConstBytes ip = ConstBytes(packet).subspan(ip_at);
  append(out, ip.first(std::min<std::size_t>(ip.size(), v4 ? 576 - 28 : 1280 - 48)));
  return out;
}
void append_address(Bytes& out, const IpAddress& a) {
  append(out, a.is_v4() ? ConstBytes(a.bytes()).last(4) : ConstBytes(a.bytes()));
}

}  // namespace

Bytes PacketBuilder::ethernet(const MacAddress& to, std::uint16_t type, const Bytes& body) const {
  Bytes out;
  append(out, to.bytes());
  append(out, from_.mac.bytes());
  if (vlan_ != 0) {
    be16(out, 0x8100);
    be16(out, vlan_);
  }
  be16(out, type);
  append(out, body);
  return out;
}

Bytes PacketBuilder::ip(IpProtocol protocol, Bytes segment, std::size_t sum_at) const {
  const bool v4 = from_.address.is_v4();
  if (protocol == IpProtocol::kIcmp) {
    put_sum(segment, sum_at, plain_sum(segment));
  } else {
    Bytes pseudo;
    append_address(pseudo, from_.address);
    append_address(pseudo, to_.address);
    be32(pseudo, static_cast<std::uint32_t>(segment.size()));
    be32(pseudo, static_cast<std::uint32_t>(protocol));
    append(pseudo, segment);
    std::uint16_t sum = plain_sum(pseudo);
    if (protocol == IpProtocol::kUdp && sum == 0) sum = 0xffff;
    put_sum(segment, sum_at, sum);
  }
  Bytes out;
  if (v4) {
    be16(out, 0x4500);
    be16(out, static_cast<unsigned>(20 + segment.size()));
    be32(out, cut_as_ ? std::uint32_t{*cut_as_} << 16 : 0x00004000);
    out.push_back(ttl_);
    out.push_back(static_cast<std::uint8_t>(protocol));
    be16(out, 0);
    append_address(out, from_.address);
    append_address(out, to_.address);
    put_sum(out, 10, plain_sum(out));
  } else {
    be32(out, 0x60000000);
    be16(out, static_cast<unsigned>(segment.size()));
    out.push_back(static_cast<std::uint8_t>(protocol));
    out.push_back(ttl_);
    append_address(out, from_.address);
    append_address(out, to_.address);
  }
  append(out, segment);
  return ethernet(to_.mac, v4 ? 0x0800 : 0x86dd, out);
}

Bytes PacketBuilder::tcp(std::uint8_t flags) const {
  Bytes s;
  be16(s, from_.port);
  be16(s, to_.port);
  be32(s, seq_.value_or(kFirstSequence + ((flags & 0x02) != 0 ? 0 : 1)));
  be32(s, (flags & 0x10) != 0 ? ack_ : 0);
  s.push_back(static_cast<std::uint8_t>((5 + options_.size() / 4) << 4));
  s.push_back(flags);
  be16(s, 65535);
  be32(s, 0);
  append(s, options_);
  append(s, payload_);
  return ip(IpProtocol::kTcp, s, 16);
}

Bytes PacketBuilder::udp() const {
  Bytes s;
  be16(s, from_.port);
  be16(s, to_.port);
  be16(s, static_cast<unsigned>(8 + payload_.size()));
  be16(s, 0);
  append(s, payload_);
  return ip(IpProtocol::kUdp, s, 6);
}

Bytes PacketBuilder::echo(bool request) const {
  const bool v4 = from_.address.is_v4();
  Bytes s;
  s.push_back(static_cast<std::uint8_t>(v4 ? (request ? 8 : 0) : (request ? 128 : 129)));
  s.push_back(0);
  be16(s, 0);
  be16(s, request ? from_.port : to_.port);
  be16(s, 1);
  append(s, payload_);
  return ip(v4 ? IpProtocol::kIcmp : IpProtocol::kIcmp6, s, 2);
}

Bytes PacketBuilder::unreachable(const Bytes& packet) const {
  const bool v4 = from_.address.is_v4();
  Bytes s{static_cast<std::uint8_t>(v4 ? 3 : 1), static_cast<std::uint8_t>(v4 ? 3 : 4)};
  be16(s, 0);
  be32(s, 0);
  const std::size_t size = std::min<std::size_t>(packet.size() - 14, v4 ? 28 : 48);
  append(s, ConstBytes(packet).subspan(14, size));
  return ip(v4 ? IpProtocol::kIcmp : IpProtocol::kIcmp6, s, 2);
}

Bytes PacketBuilder::time_exceeded(const Bytes& packet) const {
  const bool v4 = from_.address.is_v4();
  return icmp(v4 ? 11 : 3, 0, quoting(packet, 0, v4));
}

Bytes PacketBuilder::too_big(const Bytes& packet, std::uint16_t mtu) const {
  const bool v4 = from_.address.is_v4();
  return icmp(v4 ? 3 : 2, v4 ? 4 : 0, quoting(packet, mtu, v4));
}

Bytes PacketBuilder::icmp(std::uint8_t type, std::uint8_t code, Bytes body) const {
  Bytes s{type, code, 0, 0};
  append(s, body);
  return ip(from_.address.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmp6, s, 2);
}

Bytes PacketBuilder::neighbour_question() const {
  if (from_.address.is_v4()) {
    Bytes s;
    be16(s, 1);
    be16(s, 0x0800);
    be16(s, 0x0604);
    be16(s, 1);
    append(s, from_.mac.bytes());
    append_address(s, from_.address);
    append(s, MacAddress().bytes());
    append_address(s, to_.address);
    return ethernet(MacAddress::broadcast(), 0x0806, s);
  }
  const auto& a = to_.address.bytes();
  PacketBuilder group = *this;
  group.ttl_ = 255;
  group.to_.mac = MacAddress({0x33, 0x33, 0xff, a[13], a[14], a[15]});
  group.to_.address =
      IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]});
  Bytes s{135, 0};
  be16(s, 0);
  be32(s, 0);
  append(s, a);
  be16(s, 0x0101);
  append(s, from_.mac.bytes());
  return group.ip(IpProtocol::kIcmp6, s, 2);
}

Bytes PacketBuilder::neighbour_answer(bool solicited) const {
  if (from_.address.is_v4()) {
    Bytes s;
    be16(s, 1);
    be16(s, 0x0800);
    be16(s, 0x0604);
    be16(s, 2);
    append(s, from_.mac.bytes());
    append_address(s, from_.address);
    append(s, to_.mac.bytes());
    append_address(s, to_.address);
    return ethernet(to_.mac, 0x0806, s);
  }
  PacketBuilder answer = *this;
  answer.ttl_ = 255;
  Bytes s{136, 0};
  be16(s, 0);
  be32(s, solicited ? 0x60000000 : 0x20000000);
  append(s, from_.address.bytes());
  be16(s, 0x0201);
  append(s, from_.mac.bytes());
  return answer.ip(IpProtocol::kIcmp6, s, 2);
}

Bytes PacketBuilder::address_probe() const {
  PacketBuilder probe = *this;
  if (to_.address.is_v4()) {
    probe.from_.address = IpAddress::v4(0);
    return probe.neighbour_question();
  }
  // Without the link-layer option: the frame's last eight bytes and what counts them.
  probe.from_.address = IpAddress();
  const auto& a = to_.address.bytes();
  probe.ttl_ = 255;
  probe.to_.mac = MacAddress({0x33, 0x33, 0xff, a[13], a[14], a[15]});
  probe.to_.address =
      IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]});
  Bytes body{0, 0, 0, 0};
  append(body, a);
  return probe.icmp(135, 0, body);
}

Bytes PacketBuilder::router_solicitation() const {
  PacketBuilder out = *this;
  out.ttl_ = 255;
  out.to_.mac = MacAddress({0x33, 0x33, 0, 0, 0, 2});
  out.to_.address = IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
  Bytes body{0, 0, 0, 0};
  if (!from_.address.is_unspecified()) {
    be16(body, 0x0101);
    append(body, from_.mac.bytes());
  }
  return out.icmp(133, 0, body);
}

Bytes PacketBuilder::multicast_report(std::uint8_t type, Bytes options) const {
  PacketBuilder out = *this;
  out.ttl_ = 1;
  out.to_.mac = MacAddress({0x33, 0x33, 0, 0, 0, 0x16});
  out.to_.address = IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16});
  // One record: nothing is excluded from ff02::1:ff00:5.
  Bytes body{0, 0, 0, 1, 4, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 5};
  Bytes frame = out.icmp(type, 0, body);
  if (options.empty()) options = {58, 0, 5, 2, 0, 0, 1, 0};
  const std::size_t ip_at = vlan_ != 0 ? 18 : 14;
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(ip_at) + 40, options.begin(),
               options.end());
  frame[ip_at + 6] = 0;
  put_sum(frame, ip_at + 4, static_cast<std::uint16_t>(frame.size() - ip_at - 40));
  return frame;
}

void reseal(Bytes& frame) {
  const std::size_t ip_at = frame[12] == 0x81 ? 18 : 14;
  if (frame[ip_at - 2] != 0x08 || frame[ip_at - 1] != 0x00) return;
  put_sum(frame, ip_at + 10, 0);
  const std::size_t size = std::min(std::size_t{frame[ip_at] & 0x0fU} * 4, frame.size() - ip_at);
  const auto header = ConstBytes(frame).subspan(ip_at, size);
  put_sum(frame, ip_at + 10, plain_sum({header.begin(), header.end()}));
}

std::string as_scapy(ConstBytes frame) {
  std::string hex;
  for (std::uint8_t byte : frame) hex += fmt::format("{:02x}", byte);
  return fmt::format("Ether(bytes.fromhex('{}'))", hex);
}

}  // namespace sallyport::testing
