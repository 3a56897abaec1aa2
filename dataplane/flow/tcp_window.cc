#include "dataplane/flow/tcp_window.h"

namespace sallyport::dataplane {
namespace {

using tcp_detail::raise;
using tcp_detail::reach;

constexpr std::size_t kClient = 0;
// What a SYN can carry beside itself (RFC 7413); its acknowledgement covers all of it or only the
// SYN.
constexpr std::uint32_t kMostWithSyn = kMtu;

bool acknowledges(const TcpSegment& s, std::uint32_t end_of_syn) {
  return (s.flags & kTcpAck) != 0 && end_of_syn - s.acknowledgement <= kMostWithSyn;
}

std::uint8_t offered_by(const TcpTrack& t, std::size_t side) {
  return static_cast<std::uint8_t>(t.offered >> (4 * side) & 0x0f);
}

std::uint16_t shifted(std::uint32_t window, std::uint8_t shift) {
  return static_cast<std::uint16_t>((window + (1U << shift) - 1) >> shift);
}

// The second of the two SYNs that make a connection, or another copy of it.
void begin_answer(TcpTrack& t, const TcpSegment& s, std::size_t side) {
  const std::size_t peer = side ^ 1;
  const std::uint32_t offer = std::min<std::uint32_t>(reach(t, peer), 0xffff);
  t.offered = static_cast<std::uint8_t>((t.offered & (0x0f << (4 * peer))) | s.scale << (4 * side));
  const bool scaled =
      offered_by(t, side) != kNoWindowScale && offered_by(t, peer) != kNoWindowScale;
  for (const std::size_t one : {side, peer}) t.shift[one] = scaled ? offered_by(t, one) : 0;
  t.window[side] = shifted(s.window, t.shift[side]);
  t.window[peer] = shifted(offer, t.shift[peer]);
  t.end[side] = t.acknowledged[side] = s.sequence + 1 + s.size;
  t.acknowledged[peer] = t.end[peer];
}

// Forward if it fits, and then take note of it.
bool passes(TcpTrack& t, const TcpSegment& s, std::size_t side) {
  const bool syn = (s.flags & kTcpSyn) != 0;
  const std::uint32_t stop = s.sequence + s.size + ((s.flags & (kTcpSyn | kTcpFin)) != 0 ? 1 : 0);
  if (!tcp_detail::sequence_fits(t, stop, side)) return false;
  if ((s.flags & kTcpAck) != 0 && !tcp_detail::acknowledgement_fits(t, s.acknowledgement, side))
    return false;
  // Another copy of a SYN tells nothing new, and its window is not scaled.
  if (!syn) tcp_detail::take_note(t, s, stop, side);
  return true;
}

// The action itself; nothing if the segment goes on and the flow enters the cell's state.
std::optional<TcpVerdict> act(TcpTrack& t, const TcpSegment& s, std::size_t side,
                              TcpAction action) {
  switch (action) {
    case TcpAction::kRefuse:
      return TcpVerdict::kBadState;
    case TcpAction::kReopen:
      return TcpVerdict::kReopen;
    case TcpAction::kCarry:
      return TcpVerdict::kForwardAlone;
    case TcpAction::kQuestion:
      return s.size == 0 ? TcpVerdict::kForwardAlone : TcpVerdict::kBadState;
    case TcpAction::kAskAnew:
      t.acknowledged[kClient] = s.sequence + 1;
      return std::nullopt;
    case TcpAction::kBegin:
      if ((s.flags & kTcpAck) == 0 && side == kClient) {
        t = tcp_open(s);
      } else if ((s.flags & kTcpAck) == 0 || acknowledges(s, t.end[side ^ 1])) {
        begin_answer(t, s, side);
      } else {
        return TcpVerdict::kBadWindow;
      }
      return std::nullopt;
    case TcpAction::kRefusal:
      if (!acknowledges(s, t.end[side ^ 1])) return TcpVerdict::kBadWindow;
      return std::nullopt;
    case TcpAction::kReset:
      if (s.sequence == t.end[side] || s.sequence == t.acknowledged[side]) return std::nullopt;
      return tcp_detail::sequence_fits(t, s.sequence, side) ? TcpVerdict::kForwardDoubtful
                                                            : TcpVerdict::kBadWindow;
    case TcpAction::kAnswer:  // to nothing that was asked: tcp_advance_by_table()
    case TcpAction::kPass:
      if (!passes(t, s, side)) return TcpVerdict::kBadWindow;
      return std::nullopt;
  }
  return TcpVerdict::kBadState;
}

}  // namespace

// RFC 9293 §3.1: kind, length, body; 0 ends the list, 1 fills it. RFC 7323 §2.2: kind 3, length 3.
std::uint8_t offered_window_scale(ConstBytes options) noexcept {
  std::uint8_t offered = kNoWindowScale;
  Cursor rest(options);
  while (const auto kind = rest.u8()) {
    if (*kind == 0) break;
    if (*kind == 1) continue;
    const auto length = rest.u8();
    if (!length || *length < 2) break;
    const auto body = rest.take(*length - std::size_t{2});
    if (!body) break;
    if (*kind == 3 && *length == 3) offered = std::min((*body)[0], kMostWindowScale);
  }
  return offered;
}

TcpTrack tcp_open(const TcpSegment& syn) noexcept {
  TcpTrack t;
  t.end[kClient] = t.acknowledged[kClient] = syn.sequence + 1 + syn.size;
  t.window[kClient] = syn.window;
  t.offered = static_cast<std::uint8_t>(0xf0 | syn.scale);
  return t;
}

TcpVerdict tcp_advance_by_table(TcpTrack& track, const TcpSegment& segment,
                                Direction from) noexcept {
  const TcpCell cell =
      tcp_next(track.state, tcp_event(segment.flags, from == Direction::kFromClient));
  TcpTrack t = track;
  // What was acknowledged to the client gave way to the SYN's number; it was not more than was
  // sent.
  const std::uint32_t asked = t.acknowledged[kClient];
  if (t.state == TcpState::kAskedAnew) t.acknowledged[kClient] = t.end[kClient];
  // Not another copy of the answer to the first SYN: that one's number is an old one.
  const auto side = static_cast<std::size_t>(from);
  if (cell.action == TcpAction::kAnswer && acknowledges(segment, asked + kMostWithSyn) &&
      !tcp_detail::sequence_fits(t, segment.sequence + 1, side)) {
    t.state = TcpState::kClosed;
    track = t;
    return TcpVerdict::kBadState;
  }
  if (const auto ends = act(t, segment, side, cell.action)) return *ends;
  t.state = cell.next;
  track = t;
  return TcpVerdict::kForward;
}

}  // namespace sallyport::dataplane
