#include "dataplane/stages/clamp_mss.h"

#include <bit>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::size_t kTcpSum = 16;
// RFC 6691 §2: neither IP's nor TCP's options count.
constexpr unsigned kIpv4Headers = kIpv4Size + kTcpSize;
constexpr unsigned kIpv6Headers = kIpv6Size + kTcpSize;
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNothing = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::size_t kMssSize = 4;

// `at`: of an MSS within `tcp`.
void lower(MutableBytes tcp, std::size_t at, std::uint16_t most) {
  const std::uint16_t before = u16_at(tcp, at);
  if (before <= most) return;
  put16(tcp, at, most);
  // At an odd place its bytes are the halves of two words: swapped, they add the same (RFC 1071
  // §2).
  const auto as_summed = [&](std::uint16_t value) {
    return at % 2 == 0 ? value : std::byteswap(value);
  };
  put16(tcp, kTcpSum, updated_sum(u16_at(tcp, kTcpSum), as_summed(before), as_summed(most)));
}

}  // namespace

void clamp_mss(Packet& packet, std::uint16_t mtu) noexcept {
  const Headers& h = packet.meta().headers;
  const auto most = static_cast<std::uint16_t>(
      mtu - (h.version() == IpVersion::k4 ? kIpv4Headers : kIpv6Headers));
  const MutableBytes tcp = packet.bytes().subspan(h.l4, static_cast<std::size_t>(h.payload - h.l4));
  for (std::size_t at = kTcpSize; at < tcp.size() && tcp[at] != kEnd;) {
    if (tcp[at] == kNothing) {
      ++at;
      continue;
    }
    if (tcp.size() - at < 2) return;
    const std::size_t size = tcp[at + 1];
    if (size < 2 || size > tcp.size() - at) return;
    if (tcp[at] == kMss && size == kMssSize) lower(tcp, at + 2, most);
    at += size;
  }
}

}  // namespace sallyport::dataplane
