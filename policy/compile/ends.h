// One end of a conduit as addresses, divided by the segment in which they live.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "policy/compile/plan.h"

namespace sallyport::compile {

struct ResolvedEnd {
  std::map<std::size_t, AddressSet> hosts;  // by segment index; never the gateway's own
  std::map<std::size_t, AddressSet> own;    // literal addresses that are the gateway's
  bool gateway = false;                     // the gateway itself, by name
  std::string name;                         // a DNS name

  AddressSet all_hosts() const;
  AddressSet everything() const;  // hosts and own
};

// Reports what is wrong and returns nothing. `which` is "from" or "to".
std::optional<ResolvedEnd> resolve(const PlanInput& input, const model::Conduit& conduit,
                                   const model::End& end, std::string_view which, Report& report);

// "uplink 192.0.2.0/24 -> press4 tcp/502"
std::string summary_of(const model::Conduit& conduit);

}  // namespace sallyport::compile
