// enforce: the one author of Allowed. A packet leaves because it belongs to a flow that policy
// allowed, or because a named built-in rule says so; there is no third form.
#pragma once

#include "dataplane/allowed.h"
#include "dataplane/flow/flow.h"
#include "dataplane/stages/ethernet.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

class EnforcePolicy {
 public:
  // `flow` stands in the flow table, where only an allowed Decision puts it (stages/classify.h).
  static Allowed by_flow(Packet&& packet, const Flow& flow, const Exit& exit) noexcept {
    SALLYPORT_CHECK(flow.live());
    return {std::move(packet), flow.rule, exit};
  }
  static Allowed by_builtin(Packet&& packet, Builtin rule, const Exit& exit) noexcept {
    return {std::move(packet), builtin_slot(rule), exit};
  }
  // A part of a packet that may leave may leave, the same way.
  static Allowed piece_of(const Allowed& whole, Packet&& piece) noexcept {
    return {std::move(piece), whole.rule(), whole.exit()};
  }
  // The next hop's port and link address are known now.
  static void address_to(Allowed& allowed, PortSlot port, const LinkAddress& link) noexcept {
    allowed.exit_.port = port;
    write_ethernet(allowed.packet_, link);
  }
  // Whose link it is.
  static void address_to(Allowed& allowed, const DeviceLink& link) noexcept {
    allowed.exit_.port = link.port();
    write_ethernet(allowed.packet_, link.own >> 16, link.gateway >> 16, link.vlan());
  }
};

}  // namespace sallyport::dataplane
