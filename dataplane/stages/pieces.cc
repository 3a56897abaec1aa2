#include "dataplane/stages/pieces.h"

#include <algorithm>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint16_t kDoNotFragment = 0x4000;
constexpr std::uint16_t kMoreFragments = 0x2000;

struct Part {
  std::size_t offset;
  std::size_t size;
  bool more;
};

void head4(MutableBytes ip, const Part& part) {
  put16(ip, 2, static_cast<std::uint16_t>(kIpv4Size + part.size));
  put16(ip, 6,
        static_cast<std::uint16_t>((u16_at(ip, 6) & kDoNotFragment) | part.offset / 8 |
                                   (part.more ? kMoreFragments : 0U)));
  put16(ip, 10, 0);
  InternetSum sum;
  sum.add(ConstBytes(ip).first(kIpv4Size));
  put16(ip, 10, sum.finish());
}

void head6(MutableBytes ip, const Part& part, std::uint32_t id) {
  put16(ip, 4, static_cast<std::uint16_t>(kFragmentHeaderSize + part.size));
  const MutableBytes extension = ip.subspan(kIpv6Size, kFragmentHeaderSize);
  extension[0] = ip[6];
  extension[1] = 0;
  ip[6] = 44;
  put16(extension, 2, static_cast<std::uint16_t>(part.offset | (part.more ? 1U : 0U)));
  put16(extension, 4, static_cast<std::uint16_t>(id >> 16));
  put16(extension, 6, static_cast<std::uint16_t>(id));
}

Packet piece(const Packet& whole, const Part& part, PacketPool& pool) {
  const Headers& h = whole.meta().headers;
  const bool v4 = h.version() == IpVersion::k4;
  const std::size_t own = h.l3 + (v4 ? kIpv4Size : kIpv6Size);
  const std::size_t head = own + (v4 ? 0 : kFragmentHeaderSize);
  Packet out = pool.alloc();
  if (!out || !out.resize(head + part.size)) return {};
  out.meta() = whole.meta();
  out.meta().headers.end = static_cast<std::uint16_t>(head + part.size);
  const ConstBytes from = whole.bytes();
  const MutableBytes to = out.bytes();
  std::ranges::copy(from.first(own), to.begin());
  std::ranges::copy(from.subspan(own + part.offset, part.size), to.subspan(head).begin());
  v4 ? head4(to.subspan(h.l3), part) : head6(to.subspan(h.l3), part, h.fragment_id);
  return out;
}

}  // namespace

bool leaves_in_pieces(Packet& packet, std::uint16_t mtu) noexcept {
  PacketMeta& meta = packet.meta();
  const Headers& h = meta.headers;
  if (meta.largest_fragment != 0 && meta.largest_fragment <= mtu) return true;
  if (h.version() == IpVersion::k6 || (u16_at(packet.bytes(), h.l3 + 6U) & kDoNotFragment) != 0)
    return false;
  meta.largest_fragment = mtu;
  return true;
}

Pieces cut(const Packet& whole, PacketPool& pool) noexcept {
  const Headers& h = whole.meta().headers;
  const bool v4 = h.version() == IpVersion::k4;
  const std::size_t head = v4 ? kIpv4Size : kIpv6Size + kFragmentHeaderSize;
  const std::size_t most = std::min<std::size_t>(whole.meta().largest_fragment, kMtu);
  if (most < head + 8) return {};
  const std::size_t step = (most - head) & ~std::size_t{7};
  const std::size_t size = h.end - h.l3 - (v4 ? kIpv4Size : kIpv6Size);
  if (size > step * kMostPieces) return {};
  Pieces out;
  for (std::size_t offset = 0; offset < size; offset += step) {
    const std::size_t left = size - offset;
    // The last one may be as large as the largest that came.
    const bool last = left <= most - head;
    Packet next = piece(whole, {offset, last ? left : step, !last}, pool);
    if (!next) return {};
    if (out.count != 0) next.meta().capture_number = 0;
    out.packets[out.count++] = std::move(next);
    if (last) break;
  }
  return out;
}

}  // namespace sallyport::dataplane
