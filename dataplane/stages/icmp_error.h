// icmp_error: an error is as good as the packet that it quotes. That must have left the gateway by
// a flow, towards the one who reports the error; the error goes to whoever sent the packet.
//
//   quotes a direct flow's packet     -> the flow's other end, as it is
//   quotes what a terminated flow's   -> the host stack that listens, with addresses and ports as
//   client is sent                       that stack knows them (leg A: path MTU discovery)
//   quotes a packet behind NAPT44     -> the flow's other end, with addresses and ports as that
//                                        end knows them (RFC 5508 §4)
//   everything else                   -> icmp-unrelated
//
// Behind devices there are no routers: on a device segment only the flow's own device reports.
// Beyond an uplink whoever is on the way may. RFC 792, RFC 4443 §2.4, RFC 1191, RFC 8201, RFC 5927
// §4. Thread: the worker; no allocation.
#pragma once

#include <optional>

#include "dataplane/allowed.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

struct RelatedFlow {
  Flow* flow = nullptr;
  bool to_client = false;  // whose packet is quoted
  bool translate = false;  // a rewritten flow: rewrite_error() (stages/rewrite.h) first
  Direction quoted_went() const {
    return to_client ? Direction::kFromClient : Direction::kFromServer;
  }
  bool to_host() const { return (flow->flags & (to_client ? kClientIsHost : kServerIsHost)) != 0; }
};

// Does not ask whether policy still allows the flow.
std::optional<RelatedFlow> related_flow(const BoundPacket& error, FlowTable& flows,
                                        const Tables& tables) noexcept;

}  // namespace sallyport::dataplane
