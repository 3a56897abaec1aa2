#include "tests/support/exit_judge.h"

#include <fmt/core.h>

#include <algorithm>

namespace sallyport::testing {
namespace {

std::uint16_t u16(ConstBytes b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
MacAddress mac_of(ConstBytes b, std::size_t at) {
  std::array<std::uint8_t, 6> m{};
  std::ranges::copy(b.subspan(at, 6), m.begin());
  return MacAddress(m);
}
IpAddress v4_of(ConstBytes b, std::size_t at) {
  return IpAddress::v4_bytes({b[at], b[at + 1], b[at + 2], b[at + 3]});
}
IpAddress v6_of(ConstBytes b, std::size_t at) {
  std::array<std::uint8_t, 16> a{};
  std::ranges::copy(b.subspan(at, 16), a.begin());
  return IpAddress::v6(a);
}
bool is_icmp(std::uint8_t protocol) { return protocol == 1 || protocol == 58; }
bool is_nd(const ReadFrame& f) {
  return f.protocol == 58 && (f.icmp_type == 135 || f.icmp_type == 136);
}
bool is_error(const ReadFrame& f) {
  return f.protocol == 1 ? f.icmp_type == 3 || f.icmp_type == 11 || f.icmp_type == 12
                         : f.protocol == 58 && f.icmp_type < 128;
}

void read_transport(ConstBytes rest, ReadFrame& out) {
  out.transport = rest;
  if (rest.size() < 8) return;
  if (is_icmp(out.protocol)) {
    out.icmp_type = rest[0];
    out.source_port = out.destination_port = u16(rest, 4);
  } else if (out.protocol == 6 || out.protocol == 17) {
    out.source_port = u16(rest, 0);
    out.destination_port = u16(rest, 2);
  }
}

// Addresses, protocol and what follows of the IP packet in `ip`; false if it is too short for that.
bool read_ip(ConstBytes ip, ReadFrame& out) {
  if (ip.size() < 20) return false;
  out.ip = ip;
  if (ip[0] >> 4 == 4) {
    out.source = v4_of(ip, 12);
    out.destination = v4_of(ip, 16);
    out.protocol = ip[9];
    out.ttl = ip[8];
    read_transport(ip.subspan(20), out);
    return true;
  }
  if (ip.size() < 40) return false;
  out.source = v6_of(ip, 8);
  out.destination = v6_of(ip, 24);
  out.protocol = ip[6];
  out.ttl = ip[7];
  ConstBytes rest = ip.subspan(40);
  if (out.protocol == 0 && rest.size() >= 8) {  // a listener report's router alert
    out.protocol = rest[0];
    rest = rest.subspan(8);
  }
  read_transport(rest, out);
  return true;
}

std::uint32_t ones_sum(ConstBytes b) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += i % 2 == 0 ? std::uint32_t{b[i]} << 8 : b[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum % 0xffff;
}
// A SYN's MSS may have been lowered to what 1500 bytes carry; the whole adds up as before.
bool is_clamped(const ReadFrame& in, ConstBytes out) {
  const ConstBytes was = in.transport.first(out.size());
  if (in.protocol != 6 || (was[13] & 0x02) == 0 || ones_sum(was) != ones_sum(out)) return false;
  const std::uint16_t most = in.source.is_v4() ? 1460 : 1440;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (was[i] == out[i] || i == 16 || i == 17) continue;
    // One of the two bytes behind "2, 4".
    const auto lowered = [&](std::size_t at) {
      return at >= 22 && was[at - 2] == 2 && was[at - 1] == 4 && u16(was, at) > most &&
             u16(out, at) == most;
    };
    if (!lowered(i) && !lowered(i - 1)) return false;
  }
  return true;
}

}  // namespace

std::optional<ReadFrame> read_frame(ConstBytes frame) {
  if (frame.size() < 14) return std::nullopt;
  ReadFrame out;
  out.destination_mac = mac_of(frame, 0);
  out.source_mac = mac_of(frame, 6);
  std::size_t at = 12;
  if (u16(frame, at) == 0x8100 && frame.size() >= 18) {
    out.vlan = u16(frame, 14) & 0x0fff;
    at = 16;
  }
  const std::uint16_t type = u16(frame, at);
  const ConstBytes body = frame.subspan(at + 2);
  if (type == 0x0806 && body.size() >= 28) {
    out.arp = true;
    out.source = v4_of(body, 14);
    out.destination = v4_of(body, 24);
    return out;
  }
  if (type != 0x0800 && type != 0x86dd) return std::nullopt;
  if (!read_ip(body, out)) return std::nullopt;
  return out;
}

ExitJudge::ExitJudge(const model::Gateway& gateway, const PipelineWorld& world)
    : gateway_(gateway), world_(world), policy_(gateway_, no_virtual_) {}

// Where a packet for this address leaves: its device's port, or the uplink.
std::string ExitJudge::port_of(const IpAddress& address) const {
  const ReferencePlace place = policy_.place(address);
  if (place.device != nullptr) return place.device->where.port;
  if (place.segment == nullptr || place.gateway) return "nowhere";
  return place.segment->role == model::Role::kUplink ? place.segment->members[0].port : "nowhere";
}

std::string ExitJudge::judge(const Host& sender, ConstBytes in, const Frame& out) {
  const auto came = read_frame(in);
  const auto left = read_frame(out.bytes);
  if (!came) return "something left for a frame that nobody can read";
  if (!left) return "what left cannot be read";
  // An uplink has hosts that nobody enrolled; what they may is said by their addresses.
  const auto segment = std::ranges::find(gateway_.segments, sender.segment, &model::Segment::name);
  const bool enrolled = segment->role == model::Role::kDevices;
  if ((enrolled && came->source_mac != sender.mac) || came->vlan != sender.vlan)
    return "it was not sent by the host of this wire";
  if (came->arp || is_nd(*came)) return neighbour(sender, *came, *left, out.where);
  if (came->protocol == 58 && (came->icmp_type == 133 || came->icmp_type > 129))
    return for_router(sender, *came, out.where);
  return packet(sender, *came, *left, out.where);
}

// To the stack that owns what was asked for, or back to the asker: never to anybody else.
std::string ExitJudge::neighbour(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                                 const std::string& where) const {
  if (where == "host:" + sender.segment) return {};
  if (where != sender.port || !(out.arp || is_nd(out)))
    return "a neighbour message led to something else than an answer on its own wire";
  if (out.destination_mac != in.source_mac) return "the answer is not for the asker";
  return out.source_mac == world_.segment_mac(sender.segment) ? "" : "not the gateway's answer";
}

std::string ExitJudge::for_router(const Host& sender, const ReadFrame& in,
                                  const std::string& where) const {
  if (where != "host:" + sender.segment) return "a message to the router left the segment";
  const bool own =
      in.source.is_unspecified() || in.source == sender.mac.link_local() || in.source == sender.v6;
  return own ? "" : "a message to the router from somebody else's address";
}

// An error of the gateway's own: to the sender of what was allowed and had no hop left.
std::string ExitJudge::report(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                              const std::string& where) const {
  if (where != sender.port || out.destination != in.source ||
      out.destination_mac != in.source_mac || out.vlan != in.vlan)
    return "a report to somebody else than the sender";
  if (is_error(in)) return "an answer to an error";
  if (in.ttl > 1 || out.icmp_type != (in.source.is_v4() ? 11 : 3)) return "a report about nothing";
  const ConstBytes quote = out.transport.subspan(8);
  return quote.size() <= in.ip.size() && std::ranges::equal(quote, in.ip.first(quote.size()))
             ? ""
             : "a report that quotes something else";
}

std::string ExitJudge::opened_before(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                                     const std::string& where) {
  const auto as_answer =
      opened_.find({in.destination, in.source, in.protocol, in.destination_port, in.source_port});
  if (as_answer != opened_.end() && policy_.place(out.source).gateway)
    return report(sender, in, out, where);
  if (as_answer != opened_.end())
    return where == as_answer->second ? ""
                                      : "an answer left by another port than its question came";
  if (!is_error(in)) return "no conduit, service or open flow allows it";
  ReadFrame quoted;
  if (in.transport.size() < 8 || !read_ip(in.transport.subspan(8), quoted))
    return "an error that quotes nothing";
  if (quoted.source != in.destination) return "an error to somebody else than it quotes";
  const Tuple sent{quoted.source, quoted.destination, quoted.protocol, quoted.source_port,
                   quoted.destination_port};
  const Tuple answered{quoted.destination, quoted.source, quoted.protocol, quoted.destination_port,
                       quoted.source_port};
  if (!opened_.contains(sent) && !opened_.contains(answered)) return "an error about no open flow";
  return out.protocol == in.protocol ? "" : "an error became something else";
}

std::string ExitJudge::packet(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                              const std::string& where) {
  const std::string stack = "host:" + sender.segment;
  const bool v4 = in.destination.is_v4();
  const bool dhcp = in.protocol == 17 && (v4 ? in.source_port == 68 && in.destination_port == 67
                                             : in.source_port == 546 && in.destination_port == 547);
  if (dhcp && where == stack) return {};
  ReferencePacket asked;
  const auto segment = std::ranges::find(gateway_.segments, sender.segment, &model::Segment::name);
  asked.ingress = &*segment;
  const auto device = std::ranges::find(gateway_.devices, sender.mac, &model::Device::mac);
  if (segment->role == model::Role::kDevices) {
    if (device == gateway_.devices.end()) return "nobody enrolled this sender";
    asked.sender = &*device;
  }
  asked.source = in.source;
  asked.destination = in.destination;
  asked.protocol = in.protocol;
  asked.port = is_icmp(in.protocol) ? in.icmp_type : in.destination_port;
  const ReferenceVerdict verdict = policy_.judge(asked);
  if (!verdict.allowed || (is_icmp(in.protocol) && in.icmp_type != (v4 ? 8 : 128)))
    return opened_before(sender, in, out, where);
  opened_[{in.source, in.destination, in.protocol, in.source_port, in.destination_port}] =
      sender.port;
  if (verdict.kind == "leg-a" || verdict.kind == "host")
    return where == stack ? "" : verdict.rule + " leads to the host stack";
  if (!out.arp && !is_nd(out) && is_error(out)) return report(sender, in, out, where);
  // A question for the next hop may leave in its place.
  const std::string port = port_of(in.destination);
  if (where != port) return verdict.rule + " leads to " + port;
  if (out.arp || is_nd(out)) return port == "wan" ? "" : "a device was asked for its MAC";
  const bool same = out.source == in.source && out.destination == in.destination &&
                    out.protocol == in.protocol && out.transport.size() <= in.transport.size() &&
                    (std::ranges::equal(out.transport, in.transport.first(out.transport.size())) ||
                     is_clamped(in, out.transport));
  return same ? "" : "it was changed on its way";
}

}  // namespace sallyport::testing
