// Where a pool's buffers lie, for tests that judge addresses.
#pragma once

#include <cstddef>
#include <span>

#include "dataplane/dpdk/packet.h"

namespace sallyport::testing {

// From the first byte of the first buffer to the last of the last, DPDK's own headers included.
std::span<const std::byte> memory_of(const dataplane::PacketPool& pool);

}  // namespace sallyport::testing
