#include "dataplane/flow/tcp_window.h"

namespace sallyport::dataplane {
namespace {

using tcp_detail::raise;
using tcp_detail::reach;

constexpr std::size_t kClient = 0;
// What a SYN can carry beside itself.
constexpr std::uint32_t kMostWithSyn = kMtu;

// Does it acknowledge the other side's SYN, alone or with what came in it (RFC 7413 §4.2.2)?
bool acknowledges_syn(const TcpTrack& t, const TcpSegment& s, std::size_t side) {
  const std::size_t peer = side ^ 1;
  return (s.flags & kTcpAck) != 0 &&
         s.acknowledgement - t.acknowledged[peer] <= t.end[peer] - t.acknowledged[peer];
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
  t.acknowledged[side] = s.sequence + 1;
  t.end[side] = s.sequence + 1 + s.size;
  if ((s.flags & kTcpAck) != 0) t.acknowledged[peer] = s.acknowledgement;
}

// The client's SYN again, perhaps without what the first one carried, perhaps another one.
void begin_anew(TcpTrack& t, const TcpSegment& s) {
  const TcpTrack before = t;
  t = tcp_open(s);
  if (t.acknowledged[kClient] == before.acknowledged[kClient])
    raise(t.end[kClient], before.end[kClient]);
}

// A SYN+ACK for the SYN whose number was kept, and neither another copy of the one for the first
// SYN nor a stranger's: either of its numbers would fit the old connection by chance alone.
bool answers_anew(const TcpTrack& t, const TcpSegment& s, std::size_t side, std::uint32_t asked) {
  return (s.flags & kTcpAck) != 0 && s.acknowledgement - asked <= kMostWithSyn &&
         !tcp_detail::sequence_fits(t, s.sequence + 1, side) &&
         !tcp_detail::acknowledgement_fits(t, s.acknowledgement, side);
}

// Of the first SYN. RFC 9293 §3.10.7.4 (TIME-WAIT) would have any older number; but who has
// restarted begins anywhere, and must not wait for that.
bool is_late_copy(const TcpTrack& t, const TcpSegment& s, std::size_t side) {
  return t.end[side] - (s.sequence + 1) <= reach(t, side ^ 1) + 1;
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
    case TcpAction::kReopenIfNew:
      return is_late_copy(t, s, side) ? TcpVerdict::kForwardAlone : TcpVerdict::kReopen;
    case TcpAction::kCarry:
      return TcpVerdict::kForwardAlone;
    case TcpAction::kQuestion:
      return s.size == 0 ? TcpVerdict::kForwardAlone : TcpVerdict::kBadState;
    case TcpAction::kAskAnew:
      if (is_late_copy(t, s, side)) return TcpVerdict::kForwardAlone;
      t.acknowledged[kClient] = s.sequence + 1;
      return std::nullopt;
    case TcpAction::kBegin:
      if ((s.flags & kTcpAck) == 0 && side == kClient) {
        begin_anew(t, s);
      } else if ((s.flags & kTcpAck) == 0 || acknowledges_syn(t, s, side)) {
        begin_answer(t, s, side);
      } else {
        return TcpVerdict::kBadWindow;
      }
      return std::nullopt;
    case TcpAction::kRefusal:
      if (!acknowledges_syn(t, s, side)) return TcpVerdict::kBadWindow;
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
  t.acknowledged[kClient] = syn.sequence + 1;
  t.end[kClient] = syn.sequence + 1 + syn.size;
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
  const auto side = static_cast<std::size_t>(from);
  if (cell.action == TcpAction::kAnswer && answers_anew(t, segment, side, asked)) {
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
