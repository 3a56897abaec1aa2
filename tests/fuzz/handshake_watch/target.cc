// Target: terminator::HandshakeWatch, parse_client_hello, parse_server_hello,
// server_key_exchange_scheme. Trust: untrusted (a peer's first bytes). Property: never reads
// outside its input; the verdict does not depend on how the stream is cut; what may be sent is
// never more than was offered.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "policy/base/check.h"
#include "tls-termination/wolfssl/handshake_watch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::terminator;
  if (size == 0) return 0;
  const std::size_t step = std::size_t{1} + data[0] % 64;
  const ConstBytes stream(data + 1, size - 1);
  static_cast<void>(parse_client_hello(stream));
  static_cast<void>(parse_server_hello(stream));
  static_cast<void>(server_key_exchange_scheme(stream));
  HandshakeWatch whole;
  HandshakeWatch pieces;
  const bool good = whole.received(stream);
  bool good2 = true;
  for (std::size_t at = 0; at < stream.size() && good2; at += step)
    good2 = pieces.received(stream.subspan(at, std::min(step, stream.size() - at)));
  SALLYPORT_CHECK(good == good2 && whole.fault() == pieces.fault());
  HandshakeWatch out;
  for (ConstBytes rest = stream; !rest.empty();) {
    const auto verdict = out.sending(rest);
    SALLYPORT_CHECK(verdict.pass <= rest.size() && verdict.swallow <= rest.size());
    const std::size_t moved = std::min(step, verdict.pass) + verdict.swallow;
    if (moved == 0) break;
    out.sent(std::min(step, verdict.pass));
    rest = rest.subspan(moved);
  }
  return 0;
}
