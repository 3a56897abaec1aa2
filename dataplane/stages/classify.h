// classify: policy's word on the first packet of a flow. The only place where a Flow comes from,
// and it comes from an allowed Decision.
//
//   allowed  -> `opening` is the flow that the packet opens, not yet in the table
//   denied   -> the classifier's reason
//   not the start of a flow (mid-stream TCP, a reply to nothing) -> kMidStream, kDefaultDeny,
//               whether or not its rule would allow it (`would_allow` tells the reset stage)
//
// What `opening` was before does not matter; of a packet that is denied it is nothing.
#pragma once

#include <optional>

#include "dataplane/allowed.h"
#include "dataplane/flow/flow.h"
#include "dataplane/names/dynamic_names.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

struct Denied {
  Drop reason;
  bool would_allow = false;  // kMidStream only: a direct conduit allows this flow's beginning
};

// Policy's word. Names of an address are asked for only if its own class is not enough.
[[gnu::noinline]] decide::Verdict judge_by_name(const decide::Ingress& ingress,
                                                const decide::Tuple& tuple, const Tables& tables,
                                                const DynamicNames& names, Instant now) noexcept;
inline void add_names(const decide::Ingress& ingress, const decide::Tuple& tuple,
                      const Tables& tables, const DynamicNames& names, Instant now,
                      decide::Verdict& verdict) noexcept {
  if (!verdict.decision.allowed() && !names.none() &&
      tables.classifier().may_be_named(verdict.destination)) [[unlikely]]
    verdict = judge_by_name(ingress, tuple, tables, names, now);
}
inline decide::Verdict judge(const decide::Ingress& ingress, const decide::Tuple& tuple,
                             const Tables& tables, const DynamicNames& names,
                             Instant now) noexcept {
  decide::Verdict verdict = tables.classifier().classify(ingress, tuple);
  add_names(ingress, tuple, tables, names, now, verdict);
  return verdict;
}
// The same for who has located both ends already.
inline void judge(const decide::Ingress& ingress, const decide::Tuple& tuple, const Tables& tables,
                  const DynamicNames& names, Instant now, decide::Verdict& located) noexcept {
  tables.classifier().decide(ingress, tuple, {}, located);
  add_names(ingress, tuple, tables, names, now, located);
}
decide::Verdict judge(const BoundPacket& packet, const Tables& tables, const DynamicNames& names,
                      Instant now) noexcept;
// What becomes of the packet by it.
std::optional<Denied> classify(const BoundPacket& packet, const decide::Verdict& verdict,
                               const Tables& tables, Instant now, Opening& opening) noexcept;

// Does policy still allow this flow in the same way, and are its addresses still those of its ends?
// Updates its rule and mark if so, and lets it be silent for as long as another meaning does, from
// now on. `stood` is what FlowTable::stand_in() says of it.
[[gnu::noinline]] bool allowed_by(Flow& flow, const IpAddress& stood, const Tables& tables,
                                  const DynamicNames& names, Instant now) noexcept;
inline bool still_allowed(Flow& flow, const IpAddress& stood, const Tables& tables,
                          const DynamicNames& names, Instant now) noexcept {
  return flow.checked == tables.mark() || allowed_by(flow, stood, tables, names, now);
}

// How long this flow may be silent: the rule's word, else the protocol's.
Duration silence(const Flow& flow, const Tables& tables) noexcept;

// The same of UDP, and of TCP that is established, without a look at the rule.
inline std::chrono::seconds open_silence(const Flow& flow, const Tables& tables) noexcept {
  const std::uint32_t asked = tables.silence(flow.rule, wire::Silence::kOpen);
  constexpr std::uint32_t kTcp = timeout_info(TimeoutClass::kEstablished).usual_s;
  constexpr std::uint32_t kUdp = timeout_info(TimeoutClass::kUdp).usual_s;
  const std::uint32_t usual = flow.protocol == IpProtocol::kTcp ? kTcp : kUdp;
  return std::chrono::seconds(asked != 0 ? asked : usual);
}

// For how long no packet of a flow came: what FlowTable::gives_way() asks. Of one that these tables
// were not yet asked about, whose deadline is by other times, it is not known: as if it came now.
inline auto silent_for(const Tables& tables, Instant now) noexcept {
  return [&tables, now](const Flow& flow) {
    if (flow.checked != tables.mark()) return Duration(0);
    return now - (flow.deadline.instant() - silence(flow, tables));
  };
}

}  // namespace sallyport::dataplane
