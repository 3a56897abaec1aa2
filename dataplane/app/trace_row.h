// One packet of a traced flow, stage by stage, as JSON: where it came in, what each stage that saw
// it made of it, and how it ended.
//
// Valid input: a record of a capture of one flow. Pure. Thread: none shared. Failures: none.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/app/queries.h"
#include "dataplane/telemetry/capture.h"

namespace sallyport::dataplane {

nlohmann::json trace_row(const Capture::Record& record, const QueryContext& context);

}  // namespace sallyport::dataplane
