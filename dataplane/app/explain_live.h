// explain, answered with the tables in force, the names known just now and the live flow table.
#pragma once

#include <string>

#include "dataplane/app/queries.h"
#include "policy/base/result.h"

namespace sallyport::dataplane {

// Arguments as policy/explain/question.h. The JSON of an explanation, with a "flow" beside it:
// null, or the state of the flow that a packet with this tuple belongs to. Control thread.
Result<std::string> explain_json(const wire::Query& query, const QueryContext& context,
                                 Worker& worker);

}  // namespace sallyport::dataplane
