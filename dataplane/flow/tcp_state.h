// What a TCP flow may do next, as one full table: a row per state, a column per (direction, kind of
// segment). Every cell is written; the compiler counts them. Sequence windows are not looked at
// here.
//
// The client is the side that sent the first SYN. Sources: RFC 9293 §3.10.7, RFC 5961 §4, RFC 5382.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/headers.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

enum class TcpState : std::uint8_t {
  kSynSent,        // the client asked
  kSynReceived,    // the server agreed
  kEstablished,    // both agreed
  kClientClosing,  // the client sent FIN
  kServerClosing,  // the server sent FIN
  kBothClosing,    // both sent FIN: what is left are acknowledgements
  kClosed,         // somebody reset it
};
inline constexpr std::size_t kTcpStates = 7;
inline constexpr auto kTcpStateNames =
    std::to_array<std::string_view>({"syn-sent", "syn-received", "established", "client-closing",
                                     "server-closing", "both-closing", "closed"});
static_assert(kTcpStateNames.size() == kTcpStates);

// Columns: the client's five kinds of segment, then the server's.
enum class TcpEvent : std::uint8_t {
  kClientSyn,
  kClientSynAck,
  kClientAck,
  kClientFin,
  kClientRst,
  kServerSyn,
  kServerSynAck,
  kServerAck,
  kServerFin,
  kServerRst,
};
inline constexpr std::size_t kTcpEvents = 10;

enum class TcpAction : std::uint8_t {
  kPass,    // forward it, go to the next state
  kRefuse,  // drop it (bad-tcp-state), stay
  kReopen,  // the old flow is over; treat this SYN as the first packet of a new one
};
struct TcpCell {
  TcpAction action;
  TcpState next;
};

// `flags` has passed the parser: exactly one of SYN, RST, or ACK (with or without FIN) leads.
TcpEvent tcp_event(std::uint8_t flags, bool from_client) noexcept;
TcpCell tcp_next(TcpState state, TcpEvent event) noexcept;
// How long a flow may be silent in this state.
Duration tcp_timeout(TcpState state) noexcept;

}  // namespace sallyport::dataplane
