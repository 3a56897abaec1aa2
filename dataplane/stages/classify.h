// classify: policy's word on the first packet of a flow. The only place where a Flow comes from,
// and it comes from an allowed Decision.
//
//   allowed  -> the flow that the packet opens, not yet in the table
//   denied   -> the classifier's reason
//   not the start of a flow (mid-stream TCP, a reply to nothing) -> kMidStream, kDefaultDeny,
//               whether or not its rule would allow it (`would_allow` tells the reset stage)
#pragma once

#include <expected>

#include "dataplane/allowed.h"
#include "dataplane/flow/flow.h"
#include "dataplane/names/dynamic_names.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

struct Denied {
  Drop reason;
  bool would_allow = false;  // kMidStream only: a direct conduit allows this flow's beginning
};

std::expected<Flow, Denied> classify(const BoundPacket& packet, const Tables& tables,
                                     const DynamicNames& names, Instant now) noexcept;

// Does policy still allow this flow in the same way, and are its addresses still those of its ends?
// Updates its rule, meaning and revision if so.
[[gnu::noinline]] bool allowed_by(Flow& flow, const Tables& tables, const DynamicNames& names,
                                  Instant now) noexcept;
inline bool still_allowed(Flow& flow, const Tables& tables, const DynamicNames& names,
                          Instant now) noexcept {
  return flow.revision == tables.revision_mark() || allowed_by(flow, tables, names, now);
}

inline constexpr std::chrono::seconds kUdpSilence{300};  // RFC 4787 REQ-5, recommended value
inline constexpr std::chrono::seconds kEchoSilence{60};  // RFC 5508 REQ-2

// How long a flow that is open may be silent, in whole seconds: the rule's word, else the
// protocol's. Of TCP and UDP.
inline std::chrono::seconds open_silence(const Flow& flow, const Tables& tables) noexcept {
  const wire::Rule* rule = tables.classifier().rule(flow.rule);
  const std::uint32_t asked = rule == nullptr ? 0 : rule->idle_timeout_s();
  if (asked != 0) return std::chrono::seconds(asked);
  return flow.protocol == IpProtocol::kTcp ? kTcpEstablished : kUdpSilence;
}

// How long this flow may be silent.
inline Duration silence(const Flow& flow, const Tables& tables) noexcept {
  if (flow.protocol == IpProtocol::kUdp) return open_silence(flow, tables);
  if (flow.protocol != IpProtocol::kTcp) return kEchoSilence;
  const bool open =
      flow.tcp.state == TcpState::kEstablished || flow.tcp.state == TcpState::kAskedAnew;
  return open ? open_silence(flow, tables) : tcp_timeout(flow.tcp.state);
}

// For how long no packet of a flow came: what FlowTable::gives_way() asks.
inline auto silent_for(const Tables& tables, Instant now) noexcept {
  return [&tables, now](const Flow& flow) {
    return now - (flow.deadline.instant() - silence(flow, tables));
  };
}

}  // namespace sallyport::dataplane
