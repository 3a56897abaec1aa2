#include "dataplane/flow/tcp_state.h"

namespace sallyport::dataplane {
namespace {

using enum TcpState;
using Row = std::array<TcpCell, kTcpEvents>;

constexpr TcpCell pass(TcpState next) { return {TcpAction::kPass, next}; }
constexpr TcpCell begin(TcpState next) { return {TcpAction::kBegin, next}; }
constexpr TcpCell carry(TcpState stay) { return {TcpAction::kCarry, stay}; }
constexpr TcpCell question(TcpState stay) { return {TcpAction::kQuestion, stay}; }
constexpr TcpCell ask() { return {TcpAction::kAskAnew, kAskedAnew}; }
constexpr TcpCell answer() { return {TcpAction::kAnswer, kEstablished}; }
constexpr TcpCell reset() { return {TcpAction::kReset, kClosed}; }
constexpr TcpCell refusal() { return {TcpAction::kRefusal, kClosed}; }
constexpr TcpCell refuse(TcpState stay) { return {TcpAction::kRefuse, stay}; }
constexpr TcpCell reopen(TcpState stay) { return {TcpAction::kReopen, stay}; }
constexpr TcpCell reopen_if_new(TcpState stay) { return {TcpAction::kReopenIfNew, stay}; }

// Columns: client SYN, SYN+ACK, ACK, FIN, RST; server SYN, SYN+ACK, ACK, FIN, RST.
// clang-format off
constexpr std::array<Row, kTcpStates> kTable = {{
    // syn-sent. A server's bare ACK challenges a client that came back on an old port; the client's
    // reset answers it, with the old connection's number. Another SYN begins anew: nothing has agreed.
    {{begin(kSynSent), refuse(kSynSent), refuse(kSynSent), refuse(kSynSent), carry(kSynSent),
      begin(kSynCrossed), begin(kSynReceived), question(kSynSent), refuse(kSynSent), refusal()}},
    // syn-crossed. RFC 9293 §3.5, figure 8: either side's SYN+ACK completes it.
    {{pass(kSynCrossed), pass(kEstablished), pass(kEstablished), pass(kClientClosing), reset(),
      pass(kSynCrossed), pass(kEstablished), pass(kEstablished), pass(kServerClosing), reset()}},
    // syn-received. A server that keeps no state before the last ACK may answer the client's
    // retransmission with another number (SYN cookies, RFC 4987 §3.6).
    {{carry(kSynReceived), pass(kEstablished), pass(kEstablished), pass(kClientClosing), reset(),
      pass(kSynReceived), begin(kSynReceived), pass(kSynReceived), pass(kServerClosing), reset()}},
    // established. A repeated SYN+ACK says that the last ACK was lost.
    {{ask(), pass(kEstablished), pass(kEstablished), pass(kClientClosing), reset(),
      pass(kEstablished), pass(kEstablished), pass(kEstablished), pass(kServerClosing), reset()}},
    // asked-anew. Established in all but the wait for the answer.
    {{ask(), pass(kEstablished), pass(kEstablished), pass(kClientClosing), reset(),
      pass(kEstablished), answer(), pass(kEstablished), pass(kServerClosing), reset()}},
    // client-closing
    {{carry(kClientClosing), pass(kClientClosing), pass(kClientClosing), pass(kClientClosing), reset(),
      pass(kClientClosing), pass(kClientClosing), pass(kClientClosing), pass(kBothClosing), reset()}},
    // server-closing
    {{carry(kServerClosing), pass(kServerClosing), pass(kServerClosing), pass(kBothClosing), reset(),
      pass(kServerClosing), pass(kServerClosing), pass(kServerClosing), pass(kServerClosing), reset()}},
    // both-closing. RFC 9293 §3.10.7.4 (TIME-WAIT): a new SYN may open a new connection.
    {{reopen_if_new(kBothClosing), pass(kBothClosing), pass(kBothClosing), pass(kBothClosing), reset(),
      refuse(kBothClosing), pass(kBothClosing), pass(kBothClosing), pass(kBothClosing), reset()}},
    // closed. If the reset was lost behind the gateway, what its receiver goes on to send must reach
    // the one who sent it, who will repeat it.
    {{reopen(kClosed), pass(kClosed), pass(kClosed), pass(kClosed), carry(kClosed),
      refuse(kClosed), pass(kClosed), pass(kClosed), pass(kClosed), carry(kClosed)}},
}};
// clang-format on

constexpr MaySilent as_said(wire::Silence which, Duration usual) {
  return {which, usual, Duration::max()};
}
constexpr MaySilent at_most(wire::Silence which, Duration most) { return {which, most, most}; }

constexpr MaySilent kHalfOpen = as_said(wire::Silence::kHalfOpen, kTcpHalfOpen);
constexpr MaySilent kOpen = as_said(wire::Silence::kOpen, kTcpEstablished);
constexpr MaySilent kEnding = as_said(wire::Silence::kTransitory, kTcpTransitory);
// What is over need not stay for as long as a conduit lets its ends take their time.
constexpr std::array<MaySilent, kTcpStates> kSilences = {
    kHalfOpen,
    kHalfOpen,
    kHalfOpen,
    kOpen,
    kOpen,
    kEnding,
    kEnding,
    at_most(wire::Silence::kTransitory, kTcpTimeWait),
    at_most(wire::Silence::kTransitory, kTcpReset)};

}  // namespace

TcpEvent tcp_event(std::uint8_t flags, bool from_client) noexcept {
  unsigned column = 2;
  if ((flags & kTcpRst) != 0) {
    column = 4;
  } else if ((flags & kTcpSyn) != 0) {
    column = (flags & kTcpAck) != 0 ? 1 : 0;
  } else if ((flags & kTcpFin) != 0) {
    column = 3;
  }
  return static_cast<TcpEvent>(from_client ? column : column + kTcpEvents / 2);
}

TcpCell tcp_next(TcpState state, TcpEvent event) noexcept {
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

const MaySilent& tcp_silence(TcpState state) noexcept {
  return kSilences[static_cast<std::size_t>(state)];
}

}  // namespace sallyport::dataplane
