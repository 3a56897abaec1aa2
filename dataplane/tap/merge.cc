#include "dataplane/tap/merge.h"

#include <algorithm>
#include <cstring>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::size_t kMostIpSize = 65535;
constexpr std::size_t kTcpFlags = 13;
constexpr std::uint16_t kTcpSum = 16;
constexpr std::uint16_t kDoNotFragment = 0x4000;
// The last one of a merge may have them, the first one alone this.
constexpr std::uint8_t kEnds = kTcpFin | kTcpPsh;
constexpr std::uint8_t kBegins = kTcpCwr;
constexpr std::uint8_t kNever = kTcpSyn | kTcpRst | kTcpUrg;

std::size_t payload_size(const Headers& h) { return static_cast<std::size_t>(h.end - h.payload); }

std::uint32_t sequence(ConstBytes frame, const Headers& h) {
  return std::byteswap(bytes_at<std::uint32_t>(frame, h.l4 + 4U));
}

bool same(ConstBytes a, ConstBytes b, std::size_t from, std::size_t to) {
  return std::memcmp(slice(a, from, to - from).data(), slice(b, from, to - from).data(),
                     to - from) == 0;
}

bool is_tcp(const Headers& h) { return h.message == Message::kTcp; }

// Whether it can begin a merge.
bool mergeable(const Packet& packet) {
  const PacketMeta& meta = packet.meta();
  const Headers& h = meta.headers;
  if (!is_tcp(h) || h.l3 != kEthernetSize || meta.largest_fragment != 0) return false;
  if (h.l4 != kEthernetSize + (h.version() == IpVersion::k4 ? kIpv4Size : kIpv6Size)) return false;
  if ((h.tcp_flags & kNever) != 0 || payload_size(h) == 0) return false;
  const ConstBytes segment = packet.bytes().subspan(h.l4, static_cast<std::size_t>(h.end - h.l4));
  return transport_sum(h.source, h.destination, h.protocol, segment) == 0;
}

bool same_flow(const Headers& a, const Headers& b) {
  return a.source_port == b.source_port && a.destination_port == b.destination_port &&
         a.source == b.source && a.destination == b.destination;
}

// Everything from the Ethernet header to TCP's options but what counts up; with CWR at the first
// one only. Both are mergeable, and no end is among what was merged.
bool continues(const Packet& first, const Packet& next) {
  const Headers& h = first.meta().headers;
  const Headers& n = next.meta().headers;
  if (h.l4 != n.l4 || h.payload != n.payload || (n.tcp_flags & kBegins) != 0) return false;
  const ConstBytes a = first.bytes();
  const ConstBytes b = next.bytes();
  const std::size_t ip = h.l3;
  const std::size_t tcp = h.l4;
  const bool link_and_network =
      h.version() == IpVersion::k4
          ? same(a, b, 0, ip + 2) && same(a, b, ip + 6, ip + 10) && same(a, b, ip + 12, tcp)
          : same(a, b, 0, ip + 4) && same(a, b, ip + 6, tcp);
  const auto differ = static_cast<std::uint8_t>(h.tcp_flags ^ n.tcp_flags);
  return link_and_network && (differ & ~(kEnds | kBegins)) == 0 &&
         same(a, b, tcp + 8, tcp + kTcpFlags) && same(a, b, tcp + 14, tcp + 16) &&
         same(a, b, tcp + 18, h.payload);
}

// The identifier that follows: each packet's own, or the same for all where nothing is cut.
bool id_follows(Merged& merged, const Packet& next) {
  const Packet& first = merged.packets.front();
  const Headers& h = first.meta().headers;
  if (h.version() == IpVersion::k6) return true;
  const std::uint16_t began = u16_at(first.bytes(), h.l3 + 4U);
  const std::uint16_t id = u16_at(next.bytes(), h.l3 + 4U);
  const bool uncut = (u16_at(first.bytes(), h.l3 + 6U) & kDoNotFragment) != 0;
  if (merged.count == 1) merged.same_id = uncut && id == began;
  return id == (merged.same_id ? began : static_cast<std::uint16_t>(began + merged.count));
}

bool fits(Merged& merged, const Packet& next) {
  const Packet& first = merged.packets.front();
  const Headers& h = first.meta().headers;
  const std::size_t more = payload_size(next.meta().headers);
  const std::size_t ip_size = h.payload - h.l3 + merged.payload + more;
  const std::uint32_t due = sequence(first.bytes(), h) + static_cast<std::uint32_t>(merged.payload);
  return merged.count < Merged::kMost && ip_size <= kMostIpSize && more <= payload_size(h) &&
         sequence(next.bytes(), next.meta().headers) == due && continues(first, next) &&
         id_follows(merged, next);
}

void put(Merged& merged, Packet&& packet) {
  merged.payload += payload_size(packet.meta().headers);
  merged.packets[merged.count++] = std::move(packet);
}

// Nothing can follow the last one.
bool ended(const Merged& merged) {
  const Headers& first = merged.packets.front().meta().headers;
  const Headers& last = merged.packets[merged.count - 1].meta().headers;
  return (last.tcp_flags & kEnds) != 0 || payload_size(last) < payload_size(first);
}

}  // namespace

MergedHead head_of(const Merged& merged) noexcept {
  const Packet& first = merged.packets.front();
  const Headers& h = first.meta().headers;
  const bool v4 = h.version() == IpVersion::k4;
  MergedHead out;
  out.size = h.payload;
  std::ranges::copy(first.bytes().first(out.size), out.space.begin());
  const MutableBytes head = MutableBytes(out.space).first(out.size);
  const MutableBytes ip = head.subspan(h.l3);
  const std::size_t tcp_size = h.payload - h.l4 + merged.payload;
  if (v4) {
    put16(ip, 2, static_cast<std::uint16_t>(kIpv4Size + tcp_size));
    put16(ip, 10, 0);
    InternetSum sum;
    sum.add(ConstBytes(ip).first(kIpv4Size));
    put16(ip, 10, sum.finish());
  } else {
    put16(ip, 4, static_cast<std::uint16_t>(tcp_size));
  }
  head[h.l4 + kTcpFlags] |=
      static_cast<std::uint8_t>(merged.packets[merged.count - 1].meta().headers.tcp_flags & kEnds);
  // The seed of the sum: the pseudo header's, not inverted.
  put16(head, h.l4 + kTcpSum,
        static_cast<std::uint16_t>(
            ~pseudo_sum(h.source, h.destination, h.protocol, tcp_size).finish()));
  const bool congestion = (h.tcp_flags & kTcpCwr) != 0;
  out.header.flags = VnetHeader::kNeedsSum;
  out.header.gso_type = static_cast<std::uint8_t>((v4 ? VnetHeader::kTcp4 : VnetHeader::kTcp6) |
                                                  (congestion ? VnetHeader::kCongestion : 0));
  out.header.header_size = h.payload;
  out.header.gso_size = static_cast<std::uint16_t>(payload_size(h));
  out.header.sum_start = h.l4;
  out.header.sum_offset = kTcpSum;
  return out;
}

Merged* Merger::find(const Packet& packet) noexcept {
  const Headers& h = packet.meta().headers;
  const auto found = std::ranges::find_if(flows_, [&](const Merged& merged) {
    return merged.count != 0 && same_flow(merged.packets.front().meta().headers, h);
  });
  return found == flows_.end() ? nullptr : &*found;
}

void Merger::write(Merged& merged, MergedWriter& writer) noexcept {
  writer.write(merged);
  for (Packet& packet : std::span(merged.packets).first(merged.count)) packet.reset();
  merged.count = 0;
  merged.payload = 0;
}

Merged& Merger::free_place(MergedWriter& writer) noexcept {
  for (Merged& merged : flows_)
    if (merged.count == 0) return merged;
  Merged& place = flows_[oldest_];
  oldest_ = (oldest_ + 1) % kFlows;
  write(place, writer);
  return place;
}

void Merger::add(Packet&& packet, MergedWriter& writer) noexcept {
  Merged* merged = is_tcp(packet.meta().headers) ? find(packet) : nullptr;
  if (!mergeable(packet)) {
    if (merged != nullptr) write(*merged, writer);
    put(alone_, std::move(packet));
    return write(alone_, writer);
  }
  if (merged == nullptr) {
    merged = &free_place(writer);
  } else if (!fits(*merged, packet)) {
    write(*merged, writer);
  }
  put(*merged, std::move(packet));
  if (ended(*merged)) write(*merged, writer);
}

void Merger::flush(MergedWriter& writer) noexcept {
  for (Merged& merged : flows_)
    if (merged.count != 0) write(merged, writer);
}

}  // namespace sallyport::dataplane
