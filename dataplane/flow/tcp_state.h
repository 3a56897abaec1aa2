// What a TCP flow may do next, as one full table: a row per state, a column per (direction, kind of
// segment). Every cell is written; the compiler counts them. docs/reference/tcp-states.md is made
// from it. What a cell's action asks of sequence numbers: flow/tcp_window.h.
//
// The client is the side that sent the first SYN. Sources: RFC 9293 §3.5, §3.10.7, RFC 5961 §3 and
// §4, RFC 5382.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/headers.h"
#include "policy/base/timeouts.h"
#include "policy/base/units.h"
#include "policy/wire/tables.h"

namespace sallyport::dataplane {

enum class Direction : std::uint8_t { kFromClient = 0, kFromServer = 1 };
constexpr Direction reversed(Direction d) {
  return d == Direction::kFromClient ? Direction::kFromServer : Direction::kFromClient;
}

#define SALLYPORT_TCP_STATES(X)                                                                 \
  X(kSynSent, "syn-sent", "the client asked")                                                   \
  X(kSynCrossed, "syn-crossed", "the server asked, too, before it answered: simultaneous open") \
  X(kSynReceived, "syn-received", "the server agreed")                                          \
  X(kEstablished, "established", "both agreed")                                                 \
  X(kAskedAnew, "asked-anew",                                                                   \
    "the client of an established flow asked once more: the answer tells whether the server "   \
    "still knows the old connection")                                                           \
  X(kClientClosing, "client-closing", "the client sent FIN")                                    \
  X(kServerClosing, "server-closing", "the server sent FIN")                                    \
  X(kBothClosing, "both-closing",                                                               \
    "both sent FIN, one after the other or at once: what is left "                              \
    "are acknowledgements")                                                                     \
  X(kClosed, "closed", "somebody reset it")

// Columns: the client's five kinds of segment, then the server's.
#define SALLYPORT_TCP_EVENTS(X)       \
  X(kClientSyn, "client SYN")         \
  X(kClientSynAck, "client SYN+ACK")  \
  X(kClientAck, "client ACK or data") \
  X(kClientFin, "client FIN")         \
  X(kClientRst, "client RST")         \
  X(kServerSyn, "server SYN")         \
  X(kServerSynAck, "server SYN+ACK")  \
  X(kServerAck, "server ACK or data") \
  X(kServerFin, "server FIN")         \
  X(kServerRst, "server RST")

#define SALLYPORT_TCP_ACTIONS(X)                                                                  \
  X(kPass, "pass", "forwarded if it lies within the windows (else `bad-tcp-window`); next state") \
  X(kBegin, "begin",                                                                              \
    "forwarded, and its sender's sequence numbers begin here; one that acknowledges must "        \
    "acknowledge the other side's SYN (else `bad-tcp-window`); next state")                       \
  X(kCarry, "carry",                                                                              \
    "forwarded whatever its numbers, and changes nothing, not even the flow's end: its receiver " \
    "answers it with an "                                                                         \
    "acknowledgement that tells both ends where they are (RFC 5961 §4)")                          \
  X(kQuestion, "question",                                                                        \
    "as carry, but without data only: the acknowledgement of a connection that its sender still " \
    "has")                                                                                        \
  X(kAskAnew, "ask",                                                                              \
    "not beyond what was sent and within a window of it, it is a late copy of the first SYN: "    \
    "carry. Otherwise its number is kept until the answer; next state")                           \
  X(kAnswer, "answer",                                                                            \
    "dropped as `bad-tcp-state` if it acknowledges the SYN that was kept with a number of its "   \
    "own: the old flow is over, "                                                                 \
    "and the client's next SYN opens a new one; otherwise pass")                                  \
  X(kReset, "reset",                                                                              \
    "next state if it has exactly the next number; forwarded without effect but a shorter life "  \
    "if it lies within the windows, so that its receiver can challenge it (RFC 5961 §3); else "   \
    "`bad-tcp-window`")                                                                           \
  X(kRefusal, "refusal", "next state if it acknowledges the client's SYN; else `bad-tcp-window`") \
  X(kRefuse, "refuse", "dropped as `bad-tcp-state`")                                              \
  X(kReopen, "reopen",                                                                            \
    "the old flow is over; this SYN is the first packet of a new one, and policy is asked")       \
  X(kReopenIfNew, "reopen if new", "carry if it is a late copy of the first SYN (ask); else reopen")

#define SALLYPORT_TCP_ENUM(id, ...) id,
#define SALLYPORT_TCP_NAME(id, name, ...) name,
enum class TcpState : std::uint8_t { SALLYPORT_TCP_STATES(SALLYPORT_TCP_ENUM) };
enum class TcpEvent : std::uint8_t { SALLYPORT_TCP_EVENTS(SALLYPORT_TCP_ENUM) };
enum class TcpAction : std::uint8_t { SALLYPORT_TCP_ACTIONS(SALLYPORT_TCP_ENUM) };
inline constexpr auto kTcpStateNames =
    std::to_array<std::string_view>({SALLYPORT_TCP_STATES(SALLYPORT_TCP_NAME)});
inline constexpr auto kTcpEventNames =
    std::to_array<std::string_view>({SALLYPORT_TCP_EVENTS(SALLYPORT_TCP_NAME)});
inline constexpr auto kTcpActionNames =
    std::to_array<std::string_view>({SALLYPORT_TCP_ACTIONS(SALLYPORT_TCP_NAME)});
#define SALLYPORT_TCP_HELP(id, name, help) help,
inline constexpr auto kTcpStateHelp =
    std::to_array<std::string_view>({SALLYPORT_TCP_STATES(SALLYPORT_TCP_HELP)});
inline constexpr auto kTcpActionHelp =
    std::to_array<std::string_view>({SALLYPORT_TCP_ACTIONS(SALLYPORT_TCP_HELP)});
#undef SALLYPORT_TCP_ENUM
#undef SALLYPORT_TCP_HELP
#undef SALLYPORT_TCP_NAME
inline constexpr std::size_t kTcpStates = kTcpStateNames.size();
inline constexpr std::size_t kTcpEvents = kTcpEventNames.size();
static_assert(kTcpStates == 9 && kTcpEvents == 10);

// What the protocol's usual times are (policy/base/timeouts.h).
constexpr Duration usual(TimeoutClass of) { return std::chrono::seconds(timeout_info(of).usual_s); }
inline constexpr Duration kTcpEstablished = usual(TimeoutClass::kEstablished);
inline constexpr Duration kTcpTransitory = usual(TimeoutClass::kTransitory);
inline constexpr Duration kTcpHalfOpen = usual(TimeoutClass::kHalfOpen);
// What is left are acknowledgements: RFC 5382 REQ-5 lets them go, RFC 9293 §3.4.3 has the MSL.
inline constexpr Duration kTcpTimeWait = std::chrono::minutes(2);
inline constexpr Duration kTcpReset = std::chrono::seconds(10);

struct TcpCell {
  TcpAction action;
  TcpState next;
};

// `flags` has passed the parser: exactly one of SYN, RST, or ACK (with or without FIN) leads.
TcpEvent tcp_event(std::uint8_t flags, bool from_client) noexcept;
TcpCell tcp_next(TcpState state, TcpEvent event) noexcept;
// How long a flow may be silent in this state: what its rule says of `which`, but not longer than
// `most`; `usual` if it says nothing.
struct MaySilent {
  wire::Silence which;
  Duration usual;
  Duration most;
};
const MaySilent& tcp_silence(TcpState state) noexcept;

}  // namespace sallyport::dataplane
