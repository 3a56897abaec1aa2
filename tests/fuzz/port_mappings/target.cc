// Target: PortMappings (dataplane/flow/port_mappings.h), its chains and its queues of free ports.
// Trust: untrusted; devices choose keys, order and timing of flows.
// Property: after every step it agrees with the lists that it replaces
// (tests/support/port_mappings_twin.h).
#include <cstddef>
#include <cstdint>

#include "tests/support/port_mappings_twin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sallyport::testing::PortMappingsDuel duel;
  for (std::size_t i = 0; i + 2 < size && i < 3000; i += 3)
    duel.step(data[i], data[i + 1], data[i + 2]);
  duel.end_all();
  return 0;
}
