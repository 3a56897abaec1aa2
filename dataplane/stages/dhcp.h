// dhcp: the segment's address service. Questions of its devices go to its host stack, answers to
// the device that they name, and nothing else of either protocol passes here.
//
//   a device's question, to everybody or to the gateway -> the host stack, sender fields checked,
//                                                          policed
//   the host stack's answer to an enrolled device       -> that device's own port and MAC
//   a question to somebody else                         -> no matter of this stage
//   everything else                                     -> dropped by name
//
// RFC 2131 §2, §4.1, RFC 8415 §7.2, §8. Thread: the worker; no allocation.
#pragma once

#include "dataplane/exits.h"
#include "dataplane/flow/flow.h"
#include "dataplane/stages/police.h"
#include "dataplane/tables.h"

namespace sallyport::dataplane {

class Dhcp {
 public:
  Dhcp(Exits& exits, Police& police) : exits_(exits), police_(police) {}
  // Could it be, by its ports?
  static bool might_concern(const FlowKey& key) noexcept {
    const auto is = [&](std::uint16_t a, std::uint16_t b) {
      return key.source_port == a || key.source_port == b;
    };
    return (is(67, 68) || is(546, 547)) && key.protocol == IpProtocol::kUdp;
  }
  // Is this packet this stage's?
  static bool concerns(const Headers& h, Origin origin, const SegmentInfo& segment) noexcept;
  void receive(BoundPacket&& packet, const SegmentInfo& segment, const Tables& tables,
               Instant now) noexcept;

 private:
  void question(Packet&& packet, const SegmentInfo& segment, Instant now) noexcept;
  void answer(Packet&& packet, const SegmentInfo& segment, const Tables& tables,
              Instant now) noexcept;
  Exits& exits_;
  Police& police_;
};

}  // namespace sallyport::dataplane
