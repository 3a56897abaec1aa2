// Target: tcp_advance, offered_window_scale (dataplane/flow/tcp_window.h).
// Trust: untrusted; peers and strangers choose every number, flag and option.
// Property: after every segment it agrees with what the whole history says
// (tests/support/tcp_twin.h); options are read within their bounds and offer a shift of at most 14
// or none.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tests/support/tcp_duel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const std::uint8_t scale =
      dataplane::offered_window_scale({data, std::min<std::size_t>(size, 40)});
  SALLYPORT_CHECK(scale <= dataplane::kMostWindowScale || scale == dataplane::kNoWindowScale);
  if (size < 8) return 0;
  testing::TcpDuel duel(std::span<const std::uint8_t, 8>(data, 8));
  for (std::size_t i = 8; i + 8 <= size && i < 4000; i += 8)
    duel.step(std::span<const std::uint8_t, 8>(data + i, 8));
  return 0;
}
