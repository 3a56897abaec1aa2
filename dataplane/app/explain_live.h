// `explain` asked of the running dataplane: the same tables, flows and credits that decide packets,
// read between two bursts of the worker that would have the packet. `explain-last` asks for what
// was dropped: the newest records that its filter leaves, each with what policy says of that packet
// today.
//
// Thread: the control thread. Failures: kUsage for a question or a filter that makes no sense.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dataplane/app/queries.h"

namespace sallyport::dataplane {

// Runs its second argument on the pipeline of the flow's owner (Workers::on_owner). There are
// tables in force.
using OnOwner = std::function<void(const FlowKey&, const std::function<void(Pipeline&)>&)>;

Result<std::string> explain_json(const std::vector<std::string>& words, const QueryContext& context,
                                 const OnOwner& on_owner);
// `words` narrow the `records`, newest first, (app/filter.h), and count=N says how many, at most
// kMaxExplained.
inline constexpr std::size_t kMaxExplained = 32;
Result<std::string> explain_last_json(std::vector<std::string> words, const QueryContext& context,
                                      const std::vector<DropRecord>& records,
                                      const OnOwner& on_owner);

}  // namespace sallyport::dataplane
