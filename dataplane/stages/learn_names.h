// learn_names: addresses that reviewed names stand for just now, read from DNS answers on their way
// to whoever asked, before they get there (RFC 9726 §3's race cannot happen).
//
//   the gateway's resolver answers a device        -> learned: that host stack is ours and has
//                                                     checked what it says
//   a server answers the gateway's own question    -> learned if it is the answer to that question
//   anything else                                  -> not looked at
//
// Thread: the worker; no allocation.
#pragma once

#include "dataplane/crew.h"
#include "dataplane/dpdk/packet.h"
#include "dataplane/flow/flow.h"
#include "dataplane/names/dns_questions.h"
#include "dataplane/names/dynamic_names.h"
#include "dataplane/tables.h"
#include "dataplane/telemetry/counters.h"

namespace sallyport::dataplane {

class LearnNames {
 public:
  // `crew`, if there is one, outlives this object and hears of what is learned.
  LearnNames(Counters& counters, const Crew* crew) : counters_(counters), crew_(crew) {}
  // Could this flow's packets, if they are UDP, tell names?
  static bool might_concern(const Flow& flow) noexcept { return flow.at_server.port == kDnsPort; }
  // `packet` is about to leave, as the peer sent it; `flow` is its flow, and `target` who answers.
  void look(const Packet& packet, const Flow& flow, const IpAddress& target, Direction direction,
            const Tables& tables, Instant now) noexcept {
    if (might_concern(flow) && flow.protocol == IpProtocol::kUdp)
      look_at_dns(packet, flow, target, direction, tables, now);
  }
  // What another worker has learned.
  void told(const Notice& name, const Tables& tables, Instant now) noexcept;
  DynamicNames& names() noexcept { return names_; }

 private:
  static constexpr std::uint16_t kDnsPort = 53;
  [[gnu::noinline]] void look_at_dns(const Packet& packet, const Flow& flow,
                                     const IpAddress& target, Direction direction,
                                     const Tables& tables, Instant now) noexcept;
  Counters& counters_;
  const Crew* crew_;
  DynamicNames names_;
  DnsQuestions questions_;
};

}  // namespace sallyport::dataplane
