// Does a segment lie where its flow is? What both ends may send and acknowledge is known to whoever
// sees all that passes: Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001).
// Per direction of data, with modulo arithmetic (RFC 9293 §3.4):
//
//   data             ends at or before the greatest acknowledgement that came back + the greatest
//                    window of its receiver, or one behind: a FIN needs no room, and what follows
//                    comes after it. A window of 0 counts as 1, for its probes (RFC 9293 §3.8.6.1).
//                    Not that acknowledgement's own window: RFC 9293 §3.10.7.4 takes the one
//                    without the other from a retransmission, and many a small stack does so.
//                    It ends at or after `end` - that window - 1: retransmissions, keep-alives
//                    (RFC 9293 §3.8.4)
//   acknowledgement  of nothing that was not sent, and of nothing older than two such windows: what
//                    its receiver may still accept by RFC 5961 §5; or than kAlwaysRecent
//   RST              as RFC 5961 §3.2, by who cannot know which number is next for its receiver,
//                    but knows which is next to be sent, and which its receiver asked for last:
//                    exactly one of these closes the flow; one within the bounds of data goes on
//                    to its receiver, who challenges or obeys it, and only shortens the flow's
//                    life (kTcpTransitory) until something else passes
//   SYN              RFC 5961 §4: in a synchronized state it goes on to its receiver and changes
//                    nothing; the receiver's challenge and the answer to it close the flow, if so
//
// Windows are scaled if both SYNs said so (RFC 7323 §2.2; a shift above 14 is 14, §2.3); the window
// of a SYN never is. Selective acknowledgements lie within what is acknowledged and need nothing.
// Numbers may be the attacker's: no arithmetic here depends on them being sane.
//
// Thread: pure. Failures: none; a segment that is not forwarded changes nothing (but kAnswer's
// state, tcp_state.h). Twin: tests/support/tcp_twin.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/flow/tcp_state.h"
#include "policy/base/bytes.h"
#include "policy/base/drop_reasons.h"

namespace sallyport::dataplane {

inline constexpr std::uint8_t kNoWindowScale = 15;
inline constexpr std::uint8_t kMostWindowScale = 14;  // RFC 7323 §2.3

// What the checks need of one segment.
struct TcpSegment {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;  // with kTcpAck only
  std::uint16_t size = 0;             // of its data, in bytes
  std::uint16_t window = 0;           // as it is on the wire
  std::uint8_t flags = 0;
  std::uint8_t scale = kNoWindowScale;  // that a SYN offers
};

// The shift that these options of a SYN offer, at most kMostWindowScale; kNoWindowScale if none do.
// Of several the last counts; what follows a malformed one is not read. Any bytes.
std::uint8_t offered_window_scale(ConstBytes options) noexcept;

// Of a header of at least 20 bytes at `tcp`, before `size` bytes of data. Without what a SYN
// offers.
inline TcpSegment tcp_carried(const std::uint8_t* tcp, int size, std::uint8_t flags) noexcept {
  const auto be32 = [tcp](std::size_t at) {
    return std::uint32_t{tcp[at]} << 24 | std::uint32_t{tcp[at + 1]} << 16 |
           std::uint32_t{tcp[at + 2]} << 8 | tcp[at + 3];
  };
  return {.sequence = be32(4),
          .acknowledgement = be32(8),
          .size = static_cast<std::uint16_t>(size),
          .window = static_cast<std::uint16_t>(tcp[14] << 8 | tcp[15]),
          .flags = flags};
}
// `headers` are the parser's, of TCP, and true of `frame`.
inline TcpSegment tcp_segment(ConstBytes frame, const Headers& headers) noexcept {
  TcpSegment out =
      tcp_carried(frame.data() + headers.l4, headers.end - headers.payload, headers.tcp_flags);
  if ((out.flags & kTcpSyn) != 0) [[unlikely]]
    out.scale = offered_window_scale(frame.subspan(
        headers.l4 + 20U, static_cast<std::size_t>(headers.payload - headers.l4) - 20));
  return out;
}

// Of one flow. Arrays are by Direction of the sender.
struct TcpTrack {
  std::array<std::uint32_t, 2> end{};  // one past the highest number that it sent
  std::array<std::uint32_t, 2>
      acknowledged{};                     // of that: the highest that the other side asked for
  std::array<std::uint16_t, 2> window{};  // the greatest that it offered, before its shift
  std::array<std::uint8_t, 2> shift{};    // in use for its windows
  std::uint8_t offered = 0xff;            // by its SYN: four bits each, the client's are the lower
  TcpState state = TcpState::kSynSent;
};
static_assert(sizeof(TcpTrack) == 24);

enum class TcpVerdict : std::uint8_t {
  kForward,
  kForwardAlone,     // it says nothing of the flow, which ends when it would have ended
  kForwardDoubtful,  // a reset that its receiver may refuse: whether the flow lives will be seen
  kBadState,
  kBadWindow,
  kReopen,  // the flow is over; treat this SYN as the first packet of a new one
};

constexpr std::optional<Drop> drop_reason(TcpVerdict verdict) noexcept {
  switch (verdict) {
    case TcpVerdict::kBadState:
      return Drop::kBadTcpState;
    case TcpVerdict::kBadWindow:
      return Drop::kBadTcpWindow;
    default:
      return std::nullopt;
  }
}

// As a client's first SYN leaves it.
TcpTrack tcp_open(const TcpSegment& syn) noexcept;
// Anything but the plain segments of an established flow.
TcpVerdict tcp_advance_by_table(TcpTrack& track, const TcpSegment& segment,
                                Direction from) noexcept;

namespace tcp_detail {

// Two windows of scale 14 and a sum still compare by sign.
inline constexpr std::uint32_t kOldestAcknowledgement = 1U << 30;
// Small windows are overtaken quickly by segments that took another way.
inline constexpr std::uint32_t kAlwaysRecent = 66'000;

inline std::uint32_t reach(const TcpTrack& t, std::size_t side) noexcept {
  return std::uint32_t{std::max<std::uint16_t>(t.window[side], 1)} << t.shift[side];
}
inline bool sequence_fits(const TcpTrack& t, std::uint32_t stop, std::size_t side) noexcept {
  const std::uint32_t window = reach(t, side ^ 1);
  return t.acknowledged[side] + window + 1 - stop <=
         t.acknowledged[side] - t.end[side] + 2 * window + 2;
}
inline bool acknowledgement_fits(const TcpTrack& t, std::uint32_t acknowledgement,
                                 std::size_t side) noexcept {
  return t.end[side ^ 1] - acknowledgement <=
         std::clamp(2 * reach(t, side), kAlwaysRecent, kOldestAcknowledgement);
}
inline void raise(std::uint32_t& number, std::uint32_t to) noexcept {
  if (static_cast<std::int32_t>(to - number) > 0) number = to;
}
// What a segment without SYN or RST tells that fits.
inline void take_note(TcpTrack& t, const TcpSegment& s, std::uint32_t stop,
                      std::size_t side) noexcept {
  raise(t.end[side], stop);
  t.window[side] = std::max(t.window[side], s.window);
  raise(t.acknowledged[side ^ 1], s.acknowledgement);
}

}  // namespace tcp_detail

// Does the segment only carry data and acknowledge, within an established flow?
inline bool tcp_only_carries(const TcpTrack& track, std::uint8_t flags) noexcept {
  return (flags & (kTcpSyn | kTcpFin | kTcpRst | kTcpAck)) == kTcpAck &&
         track.state == TcpState::kEstablished;
}

// What becomes of such a segment: forwarded, if this is true.
inline bool tcp_carry(TcpTrack& track, const TcpSegment& segment, Direction from) noexcept {
  const std::size_t side = static_cast<std::size_t>(from) & 1;
  const std::uint32_t stop = segment.sequence + segment.size;
  const bool fits =
      static_cast<unsigned>(tcp_detail::sequence_fits(track, stop, side)) &
      static_cast<unsigned>(tcp_detail::acknowledgement_fits(track, segment.acknowledgement, side));
  if (!fits) [[unlikely]]
    return false;
  tcp_detail::take_note(track, segment, stop, side);
  return true;
}

// What becomes of any segment; `track` is the flow's state afterwards.
inline TcpVerdict tcp_advance(TcpTrack& track, const TcpSegment& segment, Direction from) noexcept {
  if (!tcp_only_carries(track, segment.flags)) [[unlikely]]
    return tcp_advance_by_table(track, segment, from);
  return tcp_carry(track, segment, from) ? TcpVerdict::kForward : TcpVerdict::kBadWindow;
}

}  // namespace sallyport::dataplane
