// One step of a random history of segments on the product's windows and on their twin; aborts the
// process when they disagree. Numbers are mostly near the bounds, where mistakes live.
#pragma once

#include <span>

#include "policy/base/check.h"
#include "tests/support/tcp_twin.h"

namespace sallyport::testing {

class TcpDuel {
 public:
  explicit TcpDuel(std::span<const std::uint8_t, 8> bytes)
      : TcpDuel(segment(bytes, dataplane::kTcpSyn)) {}

  // Nothing happens after the flow is over.
  void step(std::span<const std::uint8_t, 8> bytes) {
    if (over_) return;
    constexpr std::uint8_t kKinds[] = {
        dataplane::kTcpAck,
        dataplane::kTcpAck,
        dataplane::kTcpAck | dataplane::kTcpPsh,
        dataplane::kTcpSyn,
        dataplane::kTcpSyn | dataplane::kTcpAck,
        dataplane::kTcpFin | dataplane::kTcpAck,
        dataplane::kTcpRst,
        dataplane::kTcpRst | dataplane::kTcpAck,
    };
    const auto from = static_cast<dataplane::Direction>(bytes[0] & 1);
    const auto side = static_cast<std::size_t>(from);
    dataplane::TcpSegment s = segment(bytes, kKinds[bytes[0] >> 1 & 7]);
    const std::uint32_t own[] = {
        track_.end[side],
        track_.acknowledged[side] + dataplane::tcp_detail::reach(track_, side ^ 1) + 1,
        track_.end[side] - dataplane::tcp_detail::reach(track_, side ^ 1), s.sequence};
    const std::uint32_t others[] = {
        track_.end[side ^ 1],
        track_.end[side ^ 1] - std::max(2 * dataplane::tcp_detail::reach(track_, side), 66'000U),
        kept_, s.acknowledgement};
    s.sequence = own[bytes[0] >> 4 & 3] + delta(bytes[5]) - (bytes[6] & 1) * s.size;
    s.acknowledgement = others[bytes[0] >> 6] + delta(bytes[7]);
    if (s.flags == dataplane::kTcpSyn) kept_ = s.sequence + 1;
    const auto verdict = dataplane::tcp_advance(track_, s, from);
    SALLYPORT_CHECK(verdict == twin_.advance(s, from));
    SALLYPORT_CHECK(track_.state == twin_.state());
    over_ = verdict == dataplane::TcpVerdict::kReopen;
  }
  bool over() const { return over_; }
  dataplane::TcpState state() const { return track_.state; }

 private:
  explicit TcpDuel(const dataplane::TcpSegment& syn)
      : track_(dataplane::tcp_open(syn)), twin_(syn) {}
  static std::uint32_t delta(std::uint8_t byte) {
    return static_cast<std::uint32_t>(static_cast<std::int8_t>(byte) / 16);
  }
  static dataplane::TcpSegment segment(std::span<const std::uint8_t, 8> b, std::uint8_t flags) {
    const bool syn = (flags & dataplane::kTcpSyn) != 0;
    return {.sequence = std::uint32_t{b[1]} << 24 | std::uint32_t{b[2]} << 16 | b[3],
            .acknowledgement = std::uint32_t{b[3]} << 24 | std::uint32_t{b[4]} << 16 | b[5],
            .size = static_cast<std::uint16_t>(syn || b[4] % 4 != 0 ? 0 : b[2] * 6),
            .window = static_cast<std::uint16_t>(b[6] << 8 | b[1]),
            .flags = flags,
            .scale = static_cast<std::uint8_t>(syn ? b[7] & 15 : dataplane::kNoWindowScale)};
  }

  dataplane::TcpTrack track_;
  TcpTwin twin_;
  std::uint32_t kept_ = 0;
  bool over_ = false;
};

}  // namespace sallyport::testing
