// `explain` asked of the running dataplane: the same tables, flows and credits that decide packets,
// read between two bursts. `explain-last` asks for what was dropped: the newest records that its
// filter leaves, each with what policy says of that packet today.
//
// Thread: the control thread. Failures: kUsage for a question or a filter that makes no sense.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dataplane/app/queries.h"

namespace sallyport::dataplane {

// Runs its argument on the pipeline between two bursts (Worker::do_between_bursts).
using BetweenBursts = std::function<void(const std::function<void(Pipeline&)>&)>;

Result<std::string> explain_json(const std::vector<std::string>& words, const QueryContext& context,
                                 const BetweenBursts& between_bursts);
// `words` narrow the records (app/filter.h), and count=N says how many, at most kMaxExplained.
inline constexpr std::size_t kMaxExplained = 32;
Result<std::string> explain_last_json(std::vector<std::string> words, const QueryContext& context,
                                      const BetweenBursts& between_bursts);

}  // namespace sallyport::dataplane
