// What `top` shows: two readings of the dataplane's volumes as rates by segment, conduit and drop
// reason.
//
// Pure. Values come from another process: what is missing or no number counts as 0.
#pragma once

#include "control/cli/client.h"
#include "control/cli/render.h"

namespace sallyport::control {

// Of the answers to `query volumes`; `before` is the earlier one. Packets and bits per second,
// busiest first. What `before` did not know yet, or knew more of (the dataplane was started anew),
// has its first rate at the next reading.
OrderedJson rates(const OrderedJson& before, const OrderedJson& after);
// As tables with at most `lines` rows each.
std::string rates_text(const OrderedJson& rates, std::size_t lines, const Style& style);

}  // namespace sallyport::control
