// Target: parse_frame, parse_datagram, parse_quote (dataplane/stages/parse.h), parse_plain.
// Trust: untrusted; every byte comes from a wire.
// Property: never reads outside the frame (asan), and what it accepts is self-consistent: offsets
// in order and inside the frame, source and destination of one version. What is taken at once is
// taken step by step, too, and is the same.
#include <cstddef>
#include <cstdint>

#include "dataplane/stages/parse.h"
#include "policy/base/check.h"
#include "policy/decide/plausible.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::dataplane;
  const ConstBytes frame(data, size);
  Headers h;
  if (!parse_datagram(frame, h)) {
    SALLYPORT_CHECK(h.l3 < h.l4 && h.l4 <= h.end && h.end <= size && h.end - h.l3 <= 12'000);
    SALLYPORT_CHECK(!h.is_fragment() && !h.is_neighbour() && !h.is_for_router());
  }
  if (PlainFrame plain; parse_plain(frame, plain) && plausible(frame, plain)) {
    Headers at_once;
    describe(frame, plain, at_once);
    SALLYPORT_CHECK(!parse_headers(frame, kMtu, h) && at_once == h);
    SALLYPORT_CHECK(!decide::starts_no_flow(h.source, h.destination));
  }
  if (parse_frame(frame, h)) return 0;
  SALLYPORT_CHECK(h.l3 >= kEthernetSize && h.end <= size && h.l3 < h.end);
  SALLYPORT_CHECK(h.source.version() == h.destination.version());
  SALLYPORT_CHECK(!h.source_mac.is_group());
  if (!h.is_ip()) return 0;
  SALLYPORT_CHECK(h.l3 < h.l4 && h.l4 <= h.end);
  if (h.message == Message::kTcp || h.message == Message::kUdp) {
    SALLYPORT_CHECK(h.l4 < h.payload && h.payload <= h.end);
    SALLYPORT_CHECK(h.source_port != 0 && h.destination_port != 0);
  }
  // What may take room (stages/fragments.h): something of a datagram that can become whole.
  if (h.message == Message::kFragment) {
    const std::size_t word = static_cast<std::size_t>(frame[h.l4 - 6U] << 8 | frame[h.l4 - 5U]);
    const std::size_t offset = h.source.is_v4() ? 0 : word & 0xfff8;
    SALLYPORT_CHECK(h.end > h.l4 && offset + (h.end - h.l4) < kMaxDatagram);
  }
  if (h.message == Message::kMulticastReport) {
    SALLYPORT_CHECK(h.l4 == h.l3 + 48 && h.ttl == 1 && h.destination.is_multicast());
  }
  if (h.is_neighbour()) SALLYPORT_CHECK(h.ttl == 255 && !h.nd_target.is_multicast());
  if (h.message == Message::kIcmpError) {
    // What rewrite_error() relies on: both headers of the quote are whole.
    if (parse_quote(frame, h)) SALLYPORT_CHECK(h.payload + (h.source.is_v4() ? 28 : 48) <= h.end);
  }
  return 0;
}
