// Second stage: conduits and services become rules, each a set of boxes (sources x destinations)
// for some transports, with everything that terminator and dataplane need to carry it out. Errors
// of conduits are found here, except overlaps (pairs.h).
//
// Borrows the model. See docs/design/0002-compiled-policy.md for what each kind means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/compile/check.h"
#include "policy/compile/geography.h"
#include "policy/compile/set_pool.h"
#include "policy/compile/slots.h"
#include "policy/model/model.h"
#include "policy/wire/snapshot.h"

namespace sallyport::compile {

struct Transport {
  IpProtocol protocol = IpProtocol::kTcp;
  PortRange ports;
};

struct Box {
  SetId source = 0;
  SetId destination = 0;
};

struct PlannedRule {
  std::string name;  // the conduit's, or "builtin:..."
  wire::RuleKind kind = wire::RuleKind::Direct;
  const model::Conduit* conduit = nullptr;  // none: built-in
  model::Position at;
  std::vector<Transport> transports;
  std::vector<Box> boxes;
  std::string behaviour;  // everything that it permits and does; equal text, equal rule
  std::uint32_t slot = 0;
  std::uint16_t listener_port = 0;
};

struct PlannedTermination {
  model::Side side = model::Side::kInbound;
  bool tls_listener = false;
  bool tls_server = false;
  std::uint16_t listener_port = 0;
  std::vector<std::size_t> listen_segments;  // model indices
  std::size_t server_segment = 0;
  std::vector<IpAddress> server_addresses;
  std::string server_name;
  std::uint16_t server_port = 0;
};

struct PlannedConduit {
  const model::Conduit* conduit = nullptr;
  std::uint32_t slot = 0;
  bool enforced = false;
  std::string summary;
  std::optional<PlannedTermination> termination;
  std::string name_asked;
  std::size_t name_segment = 0;
  std::vector<IpAddress> virtual_addresses;
};

struct Plan {
  SetPool sets;
  // Of enforced conduits and services, in the order in which they name a packet that several
  // permit: conduits as written, then services, then leg B.
  std::vector<PlannedRule> rules;
  std::vector<PlannedConduit> conduits;  // as in the model
  std::vector<IpAddress> resolvers;
};

struct PlanInput {
  const model::Gateway& gateway;
  const Directory& directory;
  const Geography& geography;
  std::optional<std::int32_t> today;
};

Plan plan_rules(const PlanInput& input, SlotBook& slots, Report& report);

}  // namespace sallyport::compile
