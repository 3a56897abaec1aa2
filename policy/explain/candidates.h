// Which conduits could have meant this packet, and what kept each from it. Internal to
// policy/explain.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "policy/explain/explain.h"

namespace sallyport::explain {

struct Ends {
  std::uint32_t source_class = 0;
  std::vector<std::uint32_t> destination_classes;  // the address's own, then its names'
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  std::uint32_t decided_by = wire::kNoRule;
};

void find_candidates(const wire::SnapshotView& snapshot, const Ends& ends, Explanation& out);

// "direct", "leg-a", "leg-b", "host".
std::string_view kind_text(wire::RuleKind kind) noexcept;

}  // namespace sallyport::explain
