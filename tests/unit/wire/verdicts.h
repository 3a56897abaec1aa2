// Tables of changes to the sample plant's snapshot, and what the verifier says to each.
//
// Slots of the sample: segments 0 uplink, 1 field, 2 office; ports 0 wan to 3 lan3 (VLAN 7);
// devices 0 press4, 1 meter, 2 camera, 3 scada (office); conduit 0 is terminated inbound, 1
// outbound by name.
#pragma once

#include <functional>
#include <span>

#include "tests/support/policy/snapshot_draft.h"

namespace sallyport::wire {

struct Case {
  const char* name;
  std::function<void(testing::Draft&)> change;
  const char* says;  // part of the verdict
};
inline constexpr const char* kAccepted = "accepted";

void judge(std::span<const Case> cases);

}  // namespace sallyport::wire
