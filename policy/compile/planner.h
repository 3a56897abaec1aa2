// The planner's inside: one object per compilation that turns one conduit after another into rules.
// plan.cc has reviews, direct and host conduits and built-in services; plan_bounds.cc figures;
// plan_terminated.cc both legs of terminated and relayed ones.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "policy/compile/ends.h"
#include "policy/compile/plan.h"

namespace sallyport::compile {

class Planner {
 public:
  Planner(const PlanInput& input, SlotBook& slots, Report& report)
      : input_(input), slots_(slots), report_(report) {}

  Plan run();

 private:
  // A conduit on its way; rules are kept only if it is enforced.
  struct Work {
    const model::Conduit& conduit;
    ResolvedEnd from;
    ResolvedEnd to;
    PlannedConduit planned;
    std::vector<PlannedRule> rules;
  };

  void plan_conduit(const model::Conduit& conduit);
  bool review(const model::Conduit& conduit);
  void check_service(const model::Conduit& conduit);
  void check_bounds(const model::Conduit& conduit);  // plan_bounds.cc
  void plan_direct(Work& work);
  void plan_from_gateway(Work& work);
  void plan_to_gateway(Work& work);
  // Of an uplink's own IPv4 addresses, NAPT44 answers at some ports for inside addresses.
  void check_nat_ports(const model::Conduit& conduit, std::size_t segment, PortRange ports);
  void note_resolver(const Work& work);
  void plan_services(const model::Segment& segment, std::size_t index);

  // plan_terminated.cc
  void plan_terminated(Work& work);
  bool terminable(const Work& work);
  bool check_terminate(const model::Conduit& conduit, const model::Terminate& terminate);
  void find_server(Work& work, PlannedTermination& termination);
  bool set_server(Work& work, PlannedTermination& termination,
                  const std::vector<IpAddress>& addresses);
  // What clients in `segment` dial.
  AddressSet dialled(Work& work, std::size_t segment);
  AddressSet virtual_addresses(Work& work, std::size_t segment);
  void plan_leg_a(Work& work, const PlannedTermination& termination);
  void plan_leg_b(Work& work, const PlannedTermination& termination);
  void claim_listener(const Work& work, std::size_t segment, const AddressSet& addresses,
                      std::uint16_t port);

  void check_plaintext(const Work& work, bool client_leg_plain, bool server_leg_plain,
                       std::optional<std::size_t> server_segment);
  void check_names();

  // Every rule of this conduit carries the conduit's transports unless others are given.
  PlannedRule& add_rule(Work& work, wire::RuleKind kind, std::vector<Transport> transports);
  void add_box(PlannedRule& rule, const AddressSet& source, const AddressSet& destination);
  void add_named_box(PlannedRule& rule, const AddressSet& source, const std::string& name);
  std::string behaviour_of(const PlannedRule& rule, const PlannedConduit* planned);
  void keep(PlannedRule rule, const PlannedConduit* planned);

  void error(const model::Conduit& conduit, const char* code, const std::string& what,
             std::string hint);

  const PlanInput& input_;
  SlotBook& slots_;
  Report& report_;
  Plan plan_;
  std::vector<PlannedRule> late_;  // leg B, after everything else

  struct Claim {
    const model::Conduit* conduit;
    bool inbound;
  };
  // (segment, address, protocol, port)
  std::map<std::tuple<std::size_t, AddressNumber, IpProtocol, std::uint16_t>, Claim> listeners_;
  // (segment, DNS name) -> who answers with virtual addresses, who needs the true ones
  std::map<std::pair<std::size_t, std::string>, const model::Conduit*> virtual_names_;
  std::map<std::pair<std::size_t, std::string>, const model::Conduit*> direct_names_;
};

std::vector<Transport> transports_of(const model::ServiceSpec& service);

}  // namespace sallyport::compile
