// Parts of a conduit as one line each, canonical: the same meaning gives the same text, whatever
// the order and notation in the file. What reviewers sign and what documents show.
//
// Pure. Thread: none shared.
#pragma once

#include <cstdint>
#include <string>

#include "policy/model/model.h"

namespace sallyport::review {

std::string date_text(std::int32_t day);                      // "2026-11-01", "never" for 0
std::string member_text(const model::Member& member);         // "lan1", "lan1.20"
std::string service_text(const model::ServiceSpec& service);  // "tcp/80-81", "icmp-echo"
std::string inspection_text(const model::Inspect& inspect);
std::string timeouts_text(const model::Timeouts& timeouts);  // "established 15m", "usual"
std::string end_text(const model::End& end);  // "device press4", "segment uplink 192.0.2.0/24"

}  // namespace sallyport::review
