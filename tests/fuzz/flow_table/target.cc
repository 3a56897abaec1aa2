// Target: FlowTable (dataplane/flow/flow_table.h), its index and its timer wheel.
// Trust: untrusted; peers choose keys, order and timing of flows.
// Property: after every step it agrees with the list that it replaces
// (tests/support/flow_table_twin.h).
#include <cstddef>
#include <cstdint>

#include "tests/support/flow_table_twin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sallyport::testing::FlowTableDuel duel;
  for (std::size_t i = 0; i + 2 < size && i < 3000; i += 3)
    duel.step(data[i], data[i + 1], data[i + 2]);
  return 0;
}
