// parse: an arriving frame's bytes -> Headers, or one named reason. The first stage; everything
// behind it works on Headers only.
//
// Safe order, per layer: enough bytes for the fixed part, version, lengths within the bytes
// present, then sums, then meaning. No field is used before the claim that it rests on was checked.
// Padding behind the stated length is tolerated and ignored.
//
// Input: any bytes whatever. Thread: pure. Sources: IEEE 802.3/802.1Q, RFC 826, 791, 8200, 9293,
// 768, 792, 3128, 6946, 7112, 4443, 4861 §7.1, RFC 1122 §3.2.1, RFC 6890.
#pragma once

#include <optional>

#include "dataplane/headers.h"
#include "dataplane/stages/parse_plain.h"
#include "policy/base/bytes.h"
#include "policy/base/drop_reasons.h"

namespace sallyport::dataplane {

// Steps of parse_frame(). The first takes `most` bytes behind the link layer and says kFragment
// with IP's part of `out` filled in, so that whole packets do not pay for fragments.
[[gnu::noinline]] std::optional<Drop> parse_headers(ConstBytes frame, std::size_t most,
                                                    Headers& out) noexcept;
[[gnu::noinline]] std::optional<Drop> parse_fragment(ConstBytes frame, Headers& out) noexcept;

// Nothing on success; `out` is meaningful only then.
inline std::optional<Drop> parse_frame(ConstBytes frame, Headers& out) noexcept {
  if (PlainFrame plain; parse_plain(frame, plain) && plausible(frame, plain)) [[likely]] {
    describe(frame, plain, out);
    return std::nullopt;
  }
  const auto bad = parse_headers(frame, kMtu, out);
  return bad != Drop::kFragment ? bad : parse_fragment(frame, out);
}

// The same for a datagram that was made of fragments, of at most kMaxDatagram bytes behind the link
// layer: no fragment itself, nothing of neighbour discovery (RFC 6980) or for routers (kFragment).
[[gnu::noinline]] std::optional<Drop> parse_datagram(ConstBytes frame, Headers& out) noexcept;

// The flow that an ICMP error quotes, as the quoting host saw its own packet (RFC 792, RFC 4443
// §2.4(c)): addresses and ports of the packet that caused the error.
struct QuotedFlow {
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};
// Nothing if the quote is too short, of the other version, or of a protocol that has no flows.
std::optional<QuotedFlow> parse_quote(ConstBytes frame, const Headers& error) noexcept;

}  // namespace sallyport::dataplane
