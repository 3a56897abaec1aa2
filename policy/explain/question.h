// A question for explain() from name=value words, as they travel in a Query's arguments: one reader
// for `sallyctl explain`, answered by the dataplane on the tables in force, and for
// `explain --candidate`, answered by control.
//
//   in=SEGMENT         required; the segment whose wires (or, with host=yes, host stack) it comes
//   from host=yes           it comes from the gateway's own stack on that segment port=NAME vlan=N
//   where exactly; without a port the sender's enrolled one mac=MAC            without it the owner
//   of the source address source=ADDRESS destination=ADDRESS   required, same IP version
//   protocol=tcp|udp|icmp|icmpv6|NUMBER  required; icmp and icmpv6 mean an echo request
//   source_port=N destination_port=N     for TCP and UDP; source_port defaults to 40000
//   name=NAME          a DNS name that the destination goes by; may be repeated
//
// Valid input: any words. Failures: Error{kUsage}, whose context says which word and what to write.
// Pure. Thread: none shared.
#pragma once

#include <span>
#include <string>

#include "policy/base/result.h"
#include "policy/explain/explain.h"

namespace sallyport::explain {

Result<Question> parse_question(const wire::SnapshotView& snapshot,
                                std::span<const std::string> words);

}  // namespace sallyport::explain
