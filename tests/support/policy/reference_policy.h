// The dumb twin of compiler and classifier: asks each conduit of the model in turn whether it means
// this packet, in the words of the design, with loops over prefixes and lists. It shares no code
// with policy/compile or policy/decide beyond the vocabulary of policy/base.
//
// Virtual addresses are given to it (they are the compiler's choice, not policy).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/model.h"

namespace sallyport::testing {

struct ReferencePlace {
  const model::Segment* segment = nullptr;  // nullptr: nowhere, or virtual
  bool gateway = false;
  bool is_virtual = false;
  const model::Device* device = nullptr;
};

struct ReferencePacket {
  const model::Segment* ingress = nullptr;
  bool from_host_stack = false;
  const model::Device* sender = nullptr;  // bound device, none on uplinks and host stacks
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  std::vector<std::string> names;  // under which the destination was learned
};

// "direct", "leg-a", "leg-b", "host" and the conduit or built-in; or why not.
struct ReferenceVerdict {
  bool allowed = false;
  std::string rule;
  std::string kind;
  std::string reason;
  friend bool operator==(const ReferenceVerdict&, const ReferenceVerdict&) = default;
};

class ReferencePolicy {
 public:
  using VirtualAddresses = std::map<std::pair<std::string, std::string>, std::vector<IpAddress>>;

  // Both borrowed. No dates: every conduit with a review holds.
  ReferencePolicy(const model::Gateway& gateway, const VirtualAddresses& virtual_addresses)
      : gateway_(gateway), virtual_(virtual_addresses) {}

  ReferencePlace place(const IpAddress& address) const;
  ReferenceVerdict judge(const ReferencePacket& packet) const;
  // Conduits and services that permit it by what they say, in order of precedence.
  std::vector<ReferenceVerdict> permitting(const ReferencePacket& packet) const;

 private:
  const model::Segment* segment(const std::string& name) const;
  const model::Device* device(const std::string& name) const;
  const model::Segment* route(IpVersion version) const;
  bool end_holds(const model::End& end, const IpAddress& address) const;
  bool is_named(const ReferencePacket& p, const std::string& name) const;
  bool gateway_speaks_from(const ReferencePacket& p, const model::Segment* where) const;
  bool direct(const model::Conduit& c, const ReferencePacket& p) const;
  bool leg_a(const model::Conduit& c, const ReferencePacket& p) const;
  bool leg_b(const model::Conduit& c, const ReferencePacket& p) const;
  std::optional<std::string> service(const ReferencePacket& p) const;

  const model::Gateway& gateway_;
  const VirtualAddresses& virtual_;
};

}  // namespace sallyport::testing
