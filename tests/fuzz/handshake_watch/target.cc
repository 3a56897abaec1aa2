// Target: terminator::HandshakeWatch, parse_client_hello, parse_server_hello,
// server_key_exchange_scheme. Trust: untrusted (a peer's first bytes). Property: never reads
// outside its input; the verdict does not depend on how the stream is cut; what may be sent is
// never more than was offered.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "policy/base/check.h"
#include "tls-termination/wolfssl/handshake_watch.h"

namespace {

// A ServerHello of TLS 1.2 with extended_master_secret: what comes after ChangeCipherSpec is
// sealed.
constexpr auto kServerHello = [] {
  std::array<std::uint8_t, 53> out{};
  constexpr std::array<std::uint8_t, 11> kBegin = {22, 3, 3, 0, 48, 2, 0, 0, 44, 3, 3};
  constexpr std::array<std::uint8_t, 10> kEnd = {0, 0xc0, 0x2b, 0, 0, 4, 0, 23, 0, 0};
  std::ranges::copy(kBegin, out.begin());
  std::ranges::copy(kEnd, out.end() - kEnd.size());
  return out;
}();
constexpr std::uint8_t kAgreed = 0x80;

}  // namespace

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
  if ((data[0] & kAgreed) != 0) {
    for (HandshakeWatch* watch : {&whole, &pieces}) {
      SALLYPORT_CHECK(watch->sending(kServerHello).pass == kServerHello.size());
      watch->sent(kServerHello.size());
    }
  }
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
