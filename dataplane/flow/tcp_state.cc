#include "dataplane/flow/tcp_state.h"

namespace sallyport::dataplane {
namespace {

using enum TcpState;
using Row = std::array<TcpCell, kTcpEvents>;

constexpr TcpCell pass(TcpState next) { return {TcpAction::kPass, next}; }
constexpr TcpCell refuse(TcpState stay) { return {TcpAction::kRefuse, stay}; }
constexpr TcpCell reopen(TcpState stay) { return {TcpAction::kReopen, stay}; }

// Columns: client SYN, SYN+ACK, ACK, FIN, RST; server SYN, SYN+ACK, ACK, FIN, RST.
// clang-format off
constexpr std::array<Row, kTcpStates> kTable = {{
    // syn-sent. A server's bare ACK is RFC 5961 §4's challenge to a client that came back on an old
    // port; the client's reset answers it. Simultaneous open is not carried.
    {{pass(kSynSent), refuse(kSynSent), refuse(kSynSent), refuse(kSynSent), pass(kClosed),
      refuse(kSynSent), pass(kSynReceived), pass(kSynSent), refuse(kSynSent), pass(kClosed)}},
    // syn-received
    {{pass(kSynReceived), refuse(kSynReceived), pass(kEstablished), pass(kClientClosing), pass(kClosed),
      refuse(kSynReceived), pass(kSynReceived), pass(kSynReceived), pass(kServerClosing), pass(kClosed)}},
    // established. A stray SYN closes nothing; a repeated SYN+ACK says that the last ACK was lost.
    {{refuse(kEstablished), refuse(kEstablished), pass(kEstablished), pass(kClientClosing), pass(kClosed),
      refuse(kEstablished), pass(kEstablished), pass(kEstablished), pass(kServerClosing), pass(kClosed)}},
    // client-closing
    {{refuse(kClientClosing), refuse(kClientClosing), pass(kClientClosing), pass(kClientClosing), pass(kClosed),
      refuse(kClientClosing), refuse(kClientClosing), pass(kClientClosing), pass(kBothClosing), pass(kClosed)}},
    // server-closing
    {{refuse(kServerClosing), refuse(kServerClosing), pass(kServerClosing), pass(kBothClosing), pass(kClosed),
      refuse(kServerClosing), refuse(kServerClosing), pass(kServerClosing), pass(kServerClosing), pass(kClosed)}},
    // both-closing. RFC 9293 §3.10.7.4 (TIME-WAIT): a new SYN may open a new connection.
    {{reopen(kBothClosing), refuse(kBothClosing), pass(kBothClosing), pass(kBothClosing), pass(kClosed),
      refuse(kBothClosing), refuse(kBothClosing), pass(kBothClosing), pass(kBothClosing), pass(kClosed)}},
    // closed. A second reset is harmless and stops the other side's retries.
    {{reopen(kClosed), refuse(kClosed), refuse(kClosed), refuse(kClosed), pass(kClosed),
      refuse(kClosed), refuse(kClosed), refuse(kClosed), refuse(kClosed), pass(kClosed)}},
}};
// clang-format on

using std::chrono::minutes;
using std::chrono::seconds;
// RFC 5382 REQ-5: established 2 h 4 min at least, transitory 4 min at least. A half-open flow costs
// the attacker one SYN, so it gets less.
constexpr std::array<Duration, kTcpStates> kTimeouts = {
    seconds(30), seconds(30), minutes(124), minutes(4), minutes(4), minutes(2), seconds(10)};

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

Duration tcp_timeout(TcpState state) noexcept { return kTimeouts[static_cast<std::size_t>(state)]; }

}  // namespace sallyport::dataplane
