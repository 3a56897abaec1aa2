// What the front keeps of one conduit, over all engines and all revisions: engines carry its
// address in tickets, so it stays where it is until the process ends. The front's thread only.
#pragma once

#include <cstdint>
#include <string>

#include "tls-termination/session/credits.h"
#include "tls-termination/session/event_limit.h"

namespace sallyport::terminator {

struct Account {
  std::string conduit;
  AdmissionCounts counts;
  std::size_t sessions = 0;  // places that it holds
  std::uint64_t requests_refused = 0;
  EventLimit events;
};

}  // namespace sallyport::terminator
